-- Credentials that the operator hands out. The command line writes here while a server works, so no
-- other table refers to this one, and the server keeps nothing of it for longer than seconds.
CREATE TABLE integration_tokens (
    deployment     TEXT NOT NULL,
    id             TEXT NOT NULL,
    name           TEXT NOT NULL,
    tenant         TEXT NOT NULL,
    subject        TEXT NOT NULL,
    -- Names, one to a line; NULL for all there are.
    scopes         TEXT,
    agents         TEXT,
    -- SHA-256 of the token, which itself is nowhere.
    digest         BLOB NOT NULL,
    -- The digest before the last rotation, and until when it counts.
    earlier_digest BLOB,
    earlier_until  INTEGER,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    last_used_at   INTEGER,
    PRIMARY KEY (deployment, id),
    CHECK ((earlier_digest IS NULL) = (earlier_until IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX integration_tokens_by_name ON integration_tokens (deployment, name)
    WHERE revoked_at IS NULL;
