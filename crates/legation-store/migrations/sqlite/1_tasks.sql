-- Every text that says whose a row is stands here once; all other rows carry its number. The row
-- without an agent is the owner's own: what the owner has with all agents together.
CREATE TABLE scopes (
    key        INTEGER PRIMARY KEY,
    deployment TEXT NOT NULL,
    tenant     TEXT NOT NULL,
    owner      TEXT NOT NULL,
    agent      TEXT NOT NULL,
    UNIQUE (deployment, tenant, owner, agent)
) STRICT;

-- Conversations: what tasks of one owner, with one agent or several, have in common.
CREATE TABLE contexts (
    key            INTEGER PRIMARY KEY,
    -- The owner's own.
    scope          INTEGER NOT NULL REFERENCES scopes (key),
    id             TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    -- When a task of it was born, was sent a message or came to rest.
    last_active_at INTEGER NOT NULL,
    -- How many tasks it has, so that a sweep finds those without any.
    tasks          INTEGER NOT NULL,
    -- The id leads: new ones begin with the time, so whosever they are, they all go to the same,
    -- last page of this index.
    UNIQUE (id, scope)
) STRICT;
-- Small, and no append writes to it.
CREATE INDEX contexts_without_tasks ON contexts (last_active_at) WHERE tasks = 0;

-- Small rows. What a task holds is in its log.
CREATE TABLE tasks (
    key        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    scope      INTEGER NOT NULL REFERENCES scopes (key),
    context    INTEGER NOT NULL REFERENCES contexts (key),
    state      INTEGER NOT NULL,
    status_at  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    -- The number of the event that the newest snapshot includes; NULL without one.
    snapshot   INTEGER
) STRICT;

-- Both carry all that counting and paging need, so that bodies are read for the page only.
CREATE INDEX tasks_by_state ON tasks (scope, state, status_at);
CREATE INDEX tasks_by_context ON tasks (context, scope, state, status_at);
-- Submitted and working ones: what a start has to look at.
CREATE INDEX tasks_unfinished ON tasks (key) WHERE state IN (1, 2);

-- A row holds what one commit added to one task: consecutive events, one to a line.
CREATE TABLE task_events (
    -- The task's key, shifted left by 24, plus the number of the row's last event.
    id       INTEGER PRIMARY KEY,
    -- How the bodies are written; 1 is the JSON of A2A 1.0.
    format   INTEGER NOT NULL,
    -- The task after these events. In front of the entries because it is read more often, and a
    -- long row is a chain of pages.
    snapshot BLOB,
    entries  BLOB    NOT NULL
) STRICT;

-- How many tasks there are, so that no listing has to count them.
CREATE TABLE task_counts (
    scope INTEGER NOT NULL REFERENCES scopes (key),
    state INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    PRIMARY KEY (scope, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    scope      INTEGER NOT NULL REFERENCES scopes (key),
    key        TEXT    NOT NULL,
    task       TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);
