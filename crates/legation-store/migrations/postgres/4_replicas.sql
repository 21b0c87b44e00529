-- Processes that share the tables. One is there until its lease runs out, by the clock of the server.
CREATE TABLE replicas (
    -- The number of its opening of the store.
    id          BIGINT      PRIMARY KEY,
    lease_until TIMESTAMPTZ NOT NULL
);

-- Who is at work on a task while it is unfinished. Rows here go on to say so when the replica is gone,
-- and its own row may be gone as well. Nobody is number 0.
ALTER TABLE tasks ADD COLUMN replica BIGINT;
UPDATE tasks SET replica = 0 WHERE state IN (1, 2) OR at_work;
CREATE INDEX tasks_by_replica ON tasks (replica, key) WHERE state IN (1, 2) OR at_work;
-- Which unfinished tasks there are is asked by replica alone.
DROP INDEX tasks_unfinished;

-- What replicas ask of each other. They ask again when a letter is lost, so a crash may lose them all.
CREATE UNLOGGED TABLE letters (
    id         BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient  BIGINT      NOT NULL,
    sender     BIGINT      NOT NULL,
    body       BYTEA       NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX letters_by_recipient ON letters (recipient, id);
