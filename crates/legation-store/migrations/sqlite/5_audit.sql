-- What was refused, what was changed, and by whom. It is written beside the store's thread, by the
-- server and by the command line. Entries are never changed, and only the oldest ones go.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment TEXT NOT NULL,
    at         INTEGER NOT NULL,
    -- By whom, empty where that is not known.
    tenant     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    scheme     TEXT NOT NULL,
    address    TEXT,
    action     TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    target     TEXT NOT NULL,
    detail     TEXT NOT NULL,
    -- How often the same happened.
    count      INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_by_deployment ON audit (deployment, id);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log are never changed');
END;
CREATE TRIGGER audit_goes_from_its_end BEFORE DELETE ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE deployment = OLD.deployment AND id < OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'only the oldest entry of the audit log may go');
END;
