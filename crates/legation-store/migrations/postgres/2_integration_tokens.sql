-- Credentials that the operator hands out. The command line writes here while servers work, and they
-- keep nothing of it for longer than seconds.
CREATE TABLE integration_tokens (
    deployment     TEXT COLLATE "C" NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    name           TEXT COLLATE "C" NOT NULL,
    tenant         TEXT COLLATE "C" NOT NULL,
    subject        TEXT COLLATE "C" NOT NULL,
    -- Names, one to a line; NULL for all there are.
    scopes         TEXT,
    agents         TEXT,
    -- SHA-256 of the token, which itself is nowhere.
    digest         BYTEA  NOT NULL,
    -- The digest before the last rotation, and until when it counts.
    earlier_digest BYTEA,
    earlier_until  BIGINT,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT,
    revoked_at     BIGINT,
    last_used_at   BIGINT,
    PRIMARY KEY (deployment, id),
    CHECK ((earlier_digest IS NULL) = (earlier_until IS NULL))
);
CREATE UNIQUE INDEX integration_tokens_by_name ON integration_tokens (deployment, name)
    WHERE revoked_at IS NULL;
