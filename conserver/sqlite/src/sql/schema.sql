-- Format 1. `user_version` holds the number, `application_id` says whose file it is.
--
-- An entry is one occurrence of an id, from its push to its end. It never moves between tables: only its state
-- changes, so that no crash can leave it in two places or in none.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('token', 0);

CREATE TABLE list (
  key    INTEGER PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  length INTEGER NOT NULL DEFAULT 0, -- entries in state 0
  paused INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE worker (
  key      INTEGER PRIMARY KEY AUTOINCREMENT,
  name     TEXT NOT NULL UNIQUE,
  lease    INTEGER NOT NULL,           -- ends at, ms
  progress INTEGER NOT NULL DEFAULT 0, -- ms, as of the last renewal
  host     TEXT NOT NULL,
  realm    TEXT NOT NULL,
  pid      INTEGER NOT NULL,
  started  INTEGER NOT NULL,
  version  TEXT NOT NULL,
  suspects INTEGER NOT NULL            -- serves the suspect lane
);

CREATE TABLE entry (
  place   INTEGER PRIMARY KEY, -- the order within its list; a new one is the last, what returns gets one before the first
  list    INTEGER NOT NULL,
  state   INTEGER NOT NULL,    -- 0 waiting, 1 parked behind its id, 2 held, 3 delayed, 4 suspect
  id      TEXT NOT NULL,
  context TEXT,                -- the producer's trace context
  tries   TEXT,                -- what earlier runs left, JSON
  due     INTEGER,             -- delayed: when, ms
  worker  INTEGER,             -- held: by whom
  token   INTEGER,             -- held: never used twice
  letter  TEXT                 -- on a dead-letter list: why, JSON
);
CREATE INDEX entry_waiting ON entry (list, place) WHERE state = 0;
CREATE INDEX entry_parked ON entry (id) WHERE state = 1;
-- A vCon is in at most one run: the file itself says so.
CREATE UNIQUE INDEX entry_held ON entry (id) WHERE state = 2;
CREATE UNIQUE INDEX entry_worker ON entry (worker, token) WHERE state = 2;
CREATE INDEX entry_delayed ON entry (list, due) WHERE state = 3;
CREATE INDEX entry_suspect ON entry (list, place) WHERE state = 4;

CREATE TABLE document (
  key      INTEGER PRIMARY KEY,
  id       TEXT NOT NULL UNIQUE,
  json     BLOB NOT NULL,
  expires  INTEGER,                    -- ms; NULL: never
  expiring INTEGER NOT NULL DEFAULT 0  -- a link wants it so: not extended
);
CREATE INDEX document_expires ON document (expires) WHERE expires IS NOT NULL;

-- All ids by the time they were created: the sorted set of the Python server.
CREATE TABLE vcons (
  id      TEXT PRIMARY KEY,
  created INTEGER NOT NULL             -- s
) WITHOUT ROWID;
CREATE INDEX vcons_created ON vcons (created, id);

-- Search keys of parties: `tel`, `mailto`, `name`.
CREATE TABLE found (
  kind    TEXT NOT NULL,
  value   TEXT NOT NULL,
  id      TEXT NOT NULL,
  expires INTEGER NOT NULL,            -- ms
  PRIMARY KEY (kind, value, id)
) WITHOUT ROWID;
CREATE INDEX found_id ON found (id);
CREATE INDEX found_expires ON found (expires);

-- Who extends times to live, and until when.
CREATE TABLE sweeper (
  only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
  name     TEXT NOT NULL,
  until    INTEGER NOT NULL            -- ms
);

-- Requests that were taken in, by what their senders call them.
CREATE TABLE once (
  name  TEXT PRIMARY KEY,
  id    TEXT NOT NULL,
  until INTEGER NOT NULL               -- ms
) WITHOUT ROWID;
CREATE INDEX once_until ON once (until);
