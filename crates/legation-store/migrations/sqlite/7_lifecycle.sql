-- Where a context is in its life, as sweeps have found it and who spoke in it since: 0 active, 1 idle,
-- 2 expired. Sweeps look at every context, so no index has to be kept for them but a small one.
ALTER TABLE contexts ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
CREATE INDEX contexts_expired ON contexts (key) WHERE state = 2;
DROP INDEX contexts_without_tasks;

-- What is left of tasks that were removed: each as it ended.
CREATE TABLE results (
    key       INTEGER PRIMARY KEY,
    scope     INTEGER NOT NULL REFERENCES scopes (key),
    id        TEXT    NOT NULL,
    -- By its name, because it may be gone.
    context   TEXT    NOT NULL,
    state     INTEGER NOT NULL,
    status_at INTEGER NOT NULL,
    -- How the bodies are written, as in `task_events`.
    format    INTEGER NOT NULL,
    -- The number of the last event.
    last      INTEGER NOT NULL,
    -- The number of the event that the snapshot includes, the snapshot, and the entries behind it.
    at        INTEGER,
    snapshot  BLOB,
    entries   BLOB,
    UNIQUE (id, scope)
) STRICT;
CREATE INDEX results_by_context ON results (scope, context);
CREATE INDEX results_by_age ON results (status_at);

-- When contexts of a deployment were swept, in milliseconds since 1970. The command line writes here
-- that it asks for it.
CREATE TABLE sweeps (
    deployment TEXT PRIMARY KEY,
    asked_at   INTEGER,
    began_at   INTEGER,
    swept_at   INTEGER,
    -- What the last one did, as JSON.
    swept      TEXT
) STRICT, WITHOUT ROWID;
