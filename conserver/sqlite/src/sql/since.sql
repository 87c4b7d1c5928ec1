-- Format 2. How long an id waits: NULL for those that were there before.

ALTER TABLE entry ADD COLUMN since INTEGER; -- when it was put on its list, ms
