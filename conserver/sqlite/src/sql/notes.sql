-- How running instances stand, for commands.
CREATE TABLE note (
  instance TEXT PRIMARY KEY,
  until    INTEGER NOT NULL,           -- ms
  note     TEXT NOT NULL
) WITHOUT ROWID;
