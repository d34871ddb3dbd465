-- SPDX-License-Identifier: Apache-2.0
-- Who changed what of a device, written in the transaction that changes it.

CREATE TABLE audit (
    id        INTEGER PRIMARY KEY,
    device    INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    action    TEXT NOT NULL,
    old_state INTEGER NOT NULL, -- as of device.state; -1: the device was not known before
    new_state INTEGER NOT NULL,
    revision  INTEGER NOT NULL, -- of the device, behind the change
    old_key   BLOB NOT NULL,    -- SHA-256 of the SPKI of the newest record key; zeros: none
    new_key   BLOB NOT NULL,
    reason    TEXT NOT NULL
) STRICT;
CREATE INDEX audit_device ON audit (device, id);

-- INSERT OR REPLACE deletes a row without the trigger for it. NEW.id is -1 when SQLite is to choose.
CREATE TRIGGER audit_grows_at_its_end BEFORE INSERT ON audit
WHEN NEW.id > 0 AND EXISTS (SELECT 1 FROM audit WHERE id >= NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'an audit entry is only added at the end');
END;
CREATE TRIGGER audit_is_constant BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an audit entry never changes');
END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an audit entry is never deleted');
END;
