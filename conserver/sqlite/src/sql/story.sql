-- Format 3. What became of vCons, run by run.

CREATE TABLE story (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id  TEXT NOT NULL,
  at  INTEGER NOT NULL, -- ms
  run TEXT NOT NULL     -- JSON
);
CREATE INDEX story_id ON story (id);
CREATE INDEX story_at ON story (at);
