-- What tenants and callers have used of their quotas: how many of their tasks were born on a day, and
-- the bytes of their logs and kept answers. It is counted while the server has quotas, in the
-- transactions that write these, and else it is empty.
CREATE TABLE usage (
    deployment TEXT    NOT NULL,
    tenant     TEXT    NOT NULL,
    -- 0 for the whole tenant, which has no owner.
    is_caller  INTEGER NOT NULL,
    owner      TEXT    NOT NULL,
    -- The newest day with a task, from 1970 on, and how many were born on it.
    day        INTEGER NOT NULL,
    tasks      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    PRIMARY KEY (deployment, tenant, is_caller, owner)
) STRICT, WITHOUT ROWID;
