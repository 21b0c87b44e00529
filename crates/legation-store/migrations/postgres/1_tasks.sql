-- Names compare by their bytes, whatever the database's own collation is. Tables that appends write to
-- have no foreign keys: each of them would lock the row that it points to, which all replicas share.

-- One number for each opening of a store, which leads the keys that it gives.
CREATE SEQUENCE starts;

-- Every text that says whose a row is stands here once; all other rows carry its number. Rows are never
-- changed and never removed. The row without an agent is the owner's own: what the owner has with all
-- agents together. The row without an owner either is the tenant's.
CREATE TABLE scopes (
    key        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment TEXT COLLATE "C" NOT NULL,
    tenant     TEXT COLLATE "C" NOT NULL,
    owner      TEXT COLLATE "C" NOT NULL,
    agent      TEXT COLLATE "C" NOT NULL,
    UNIQUE (deployment, tenant, owner, agent)
);

-- Conversations: what tasks of one owner, with one agent or several, have in common. An append writes
-- here only when a context is new, or had lost all its tasks: replicas do not contend for these rows.
CREATE TABLE contexts (
    -- That of its first task.
    key            BIGINT  PRIMARY KEY,
    -- The owner's own.
    scope          BIGINT  NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT  NOT NULL,
    -- When it began, or when the last status was of a task that was removed. Tasks that are there may
    -- have been active later.
    last_active_at BIGINT  NOT NULL,
    -- Whether a removal took its last task.
    is_empty       BOOLEAN NOT NULL DEFAULT FALSE,
    -- The id leads: new ones begin with the time, so whosever they are, they all go to the same,
    -- last page of this index.
    UNIQUE (id, scope)
);
CREATE INDEX contexts_without_tasks ON contexts (last_active_at) WHERE is_empty;

-- Small rows. What a task holds is in its log.
CREATE TABLE tasks (
    key        BIGINT  PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL,
    scope      BIGINT  NOT NULL,
    context    BIGINT  NOT NULL,
    state      INT     NOT NULL,
    status_at  BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    epoch      BIGINT  NOT NULL,
    -- The number of the event that the newest snapshot includes; NULL without one.
    snapshot   INT,
    -- Whether a run waits in an interrupted state; in the others the state says it.
    at_work    BOOLEAN NOT NULL DEFAULT FALSE,
    -- The id leads: those that we make begin with the time, so they all go to the last page.
    UNIQUE (id, scope)
);
-- Both carry all that counting and paging need, so that bodies are read for the page only.
CREATE INDEX tasks_by_state ON tasks (scope, state, status_at, key);
CREATE INDEX tasks_by_context ON tasks (context, scope, state, status_at, key);
-- Submitted and working ones, and those whose run waits: what a start has to look at.
CREATE INDEX tasks_unfinished ON tasks (key) WHERE state IN (1, 2) OR at_work;

-- A row holds what one commit added to one task: consecutive events, one to a line.
CREATE TABLE task_events (
    task     BIGINT   NOT NULL,
    -- The number of the row's last event.
    last     INT      NOT NULL,
    -- How the bodies are written; 1 is the JSON of A2A 1.0.
    format   SMALLINT NOT NULL,
    -- The task after these events.
    snapshot BYTEA,
    entries  BYTEA    NOT NULL,
    PRIMARY KEY (task, last)
);
-- The faster compression, where the server was built with it.
DO $$
BEGIN
    EXECUTE 'ALTER TABLE task_events ALTER COLUMN snapshot SET COMPRESSION lz4,
                                     ALTER COLUMN entries SET COMPRESSION lz4';
EXCEPTION WHEN OTHERS THEN NULL;
END
$$;

-- How many tasks there are, so that no listing has to count them: what each commit adds or takes away
-- is a row of its own, for which nobody contends, and the sum is the number. Rows are folded later.
CREATE TABLE task_counts (
    scope BIGINT NOT NULL,
    state INT    NOT NULL,
    tasks BIGINT NOT NULL
);
CREATE INDEX task_counts_by_scope ON task_counts (scope, state) INCLUDE (tasks);

-- What tenants and callers have used of their quotas, in the same way: how many of their tasks were born
-- on a day, and the bytes of their logs and kept answers. It is counted always, because one replica
-- cannot know what quotas another has.
CREATE TABLE usage (
    -- The owner's own scope, or the tenant's.
    scope     BIGINT  NOT NULL,
    is_tenant BOOLEAN NOT NULL,
    -- From 1970 on. Once folded, the newest day with a task.
    day       BIGINT  NOT NULL,
    tasks     BIGINT  NOT NULL,
    bytes     BIGINT  NOT NULL
);
CREATE INDEX usage_by_scope ON usage (scope, is_tenant) INCLUDE (day, tasks, bytes);

-- What came of the sends that had a key: a task, or a direct answer, which made no task.
CREATE TABLE idempotency (
    scope      BIGINT NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    digest     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    task       TEXT COLLATE "C",
    -- The message as the JSON of A2A 1.0, and the context that it names.
    answer     BYTEA,
    context    TEXT COLLATE "C",
    PRIMARY KEY (scope, key),
    CHECK ((task IS NULL) <> (answer IS NULL))
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
