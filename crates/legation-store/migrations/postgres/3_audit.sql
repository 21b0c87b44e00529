-- What was refused, what was changed, and by whom. Entries are never changed, and only the oldest ones
-- go.
CREATE TABLE audit (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    -- By whom, empty where that is not known.
    tenant     TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    scheme     TEXT   NOT NULL,
    address    TEXT,
    action     TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    target     TEXT   NOT NULL,
    detail     TEXT   NOT NULL,
    -- How often the same happened.
    count      BIGINT NOT NULL
);
CREATE INDEX audit_by_deployment ON audit (deployment, id);

CREATE FUNCTION audit_is_not_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the audit log are never changed';
END
$$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_not_changed();

CREATE FUNCTION audit_goes_from_its_end() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM (SELECT deployment, max(id) AS newest FROM gone GROUP BY deployment) g
        WHERE EXISTS (SELECT 1 FROM audit a WHERE a.deployment = g.deployment AND a.id < g.newest)
    ) THEN
        RAISE EXCEPTION 'only the oldest entries of the audit log may go';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_goes_from_its_end AFTER DELETE ON audit REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION audit_goes_from_its_end();
