-- Where a context is in its life, as sweeps have found it and who spoke in it since: 0 active, 1 idle,
-- 2 expired. Sweeps look at every context, so no index has to be kept for them but a small one.
ALTER TABLE contexts ADD COLUMN state SMALLINT NOT NULL DEFAULT 0;
CREATE INDEX contexts_expired ON contexts (key) WHERE state = 2;
-- Those without tasks are asked for by their owner alone, who erases all.
CREATE INDEX contexts_empty ON contexts (scope) WHERE is_empty;
DROP INDEX contexts_without_tasks;

-- What is left of tasks that were removed: each as it ended.
CREATE TABLE results (
    key       BIGINT   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope     BIGINT   NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    -- By its name, because it may be gone.
    context   TEXT COLLATE "C" NOT NULL,
    state     INT      NOT NULL,
    status_at BIGINT   NOT NULL,
    -- How the bodies are written, as in `task_events`.
    format    SMALLINT NOT NULL,
    -- The number of the last event.
    last      INT      NOT NULL,
    -- The number of the event that the snapshot includes, the snapshot, and the entries behind it.
    at        INT,
    snapshot  BYTEA,
    entries   BYTEA,
    UNIQUE (id, scope)
);
CREATE INDEX results_by_context ON results (scope, context);
CREATE INDEX results_by_age ON results (status_at);

-- When contexts of a deployment were swept, in milliseconds since 1970, and by whom they are swept now,
-- until its lease runs out. The command line writes here that it asks for a sweep.
CREATE TABLE sweeps (
    deployment  TEXT COLLATE "C" PRIMARY KEY,
    replica     BIGINT,
    lease_until TIMESTAMPTZ,
    asked_at    BIGINT,
    began_at    BIGINT,
    swept_at    BIGINT,
    -- What the last one did, as JSON.
    swept       TEXT
);
