-- SPDX-License-Identifier: Apache-2.0
-- What the ceremony of provisioning knows of a device, beside its row in device. Comments on columns stand in the
-- migration of the same number for SQLite.

CREATE TABLE enrolment (
    device       bigint PRIMARY KEY,
    serial       text NOT NULL UNIQUE,
    site         text NOT NULL,
    nonce        bytea NOT NULL,
    epoch        bigint NOT NULL,
    first_stream bigint NOT NULL,
    spki         bytea NOT NULL,
    certificate  bytea NOT NULL
);
