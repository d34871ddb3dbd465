-- SPDX-License-Identifier: Apache-2.0
-- Who changed what of a device, written in the transaction that changes it. Comments on columns stand in the migration of
-- the same number for SQLite. Whoever inserts holds the row of log_head, so ids are in the order of commit.

CREATE TABLE audit (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device    bigint NOT NULL,
    at_ms     bigint NOT NULL,
    actor     text NOT NULL,
    action    text NOT NULL,
    old_state bigint NOT NULL,
    new_state bigint NOT NULL,
    revision  bigint NOT NULL,
    old_key   bytea NOT NULL,
    new_key   bytea NOT NULL,
    reason    text NOT NULL
);
CREATE INDEX audit_device ON audit (device, id);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an audit entry stays as it is';
END $$;
CREATE TRIGGER audit_is_constant BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
