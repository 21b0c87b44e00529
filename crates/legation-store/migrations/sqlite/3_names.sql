-- Callers of A2A 0.1 name their tasks, so a name is unique within a scope only. A constraint of a
-- column cannot be dropped, so the table is made anew, with a word on runs that wait.
ALTER TABLE tasks RENAME TO tasks_2;
DROP INDEX tasks_by_state;
DROP INDEX tasks_by_context;
DROP INDEX tasks_unfinished;

CREATE TABLE tasks (
    key        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL,
    scope      INTEGER NOT NULL REFERENCES scopes (key),
    context    INTEGER NOT NULL REFERENCES contexts (key),
    state      INTEGER NOT NULL,
    status_at  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    -- The number of the event that the newest snapshot includes; NULL without one.
    snapshot   INTEGER,
    -- Whether a run waits in an interrupted state; in the others the state says it.
    at_work    INTEGER NOT NULL DEFAULT 0,
    -- The id leads: those that we make begin with the time, so they all go to the last page.
    UNIQUE (id, scope)
) STRICT;

INSERT INTO tasks (key, id, scope, context, state, status_at, created_at, epoch, snapshot)
SELECT key, id, scope, context, state, status_at, created_at, epoch, snapshot FROM tasks_2;
DROP TABLE tasks_2;

-- Both carry all that counting and paging need, so that bodies are read for the page only.
CREATE INDEX tasks_by_state ON tasks (scope, state, status_at);
CREATE INDEX tasks_by_context ON tasks (context, scope, state, status_at);
-- Submitted and working ones, and those whose run waits: what a start has to look at.
CREATE INDEX tasks_unfinished ON tasks (key) WHERE state IN (1, 2) OR at_work;
