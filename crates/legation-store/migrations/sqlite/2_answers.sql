-- A key stands for a task or for a direct answer, which made no task. A column that was NOT NULL
-- cannot become nullable, so the table is made anew.
ALTER TABLE idempotency RENAME TO idempotency_1;
DROP INDEX idempotency_by_age;

CREATE TABLE idempotency (
    scope      INTEGER NOT NULL REFERENCES scopes (key),
    key        TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    task       TEXT,
    -- The message as the JSON of A2A 1.0.
    answer     BLOB,
    PRIMARY KEY (scope, key),
    CHECK ((task IS NULL) <> (answer IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO idempotency (scope, key, digest, created_at, task)
SELECT scope, key, digest, created_at, task FROM idempotency_1;
DROP TABLE idempotency_1;
CREATE INDEX idempotency_by_age ON idempotency (created_at);
