-- SPDX-License-Identifier: Apache-2.0
-- Transport keys are rotated: on request, and each certificate is known by its key. Devices that were there before
-- have none here until they get another: only those that have are judged by them.

ALTER TABLE device ADD COLUMN wants_transport INTEGER NOT NULL DEFAULT 0; -- 1: another transport key was asked for, and has not come

CREATE TABLE certificate (
    device      INTEGER NOT NULL,
    number      INTEGER NOT NULL, -- rising, in the order in which they were given
    key         BLOB NOT NULL,    -- SHA-256 of the SubjectPublicKeyInfo
    certificate BLOB NOT NULL,    -- DER; empty: it is not known
    issued_ms   INTEGER NOT NULL,
    used_ms     INTEGER NOT NULL, -- of its first session; 0: none
    ends_ms     INTEGER NOT NULL, -- from then on it opens no session; 0: no end
    barred      INTEGER NOT NULL, -- 1: of hardware that was replaced, it never does again
    PRIMARY KEY (device, number),
    UNIQUE (device, key)
) STRICT;
