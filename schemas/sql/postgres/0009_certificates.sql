-- SPDX-License-Identifier: Apache-2.0
-- Transport keys are rotated. Comments on columns stand in the migration of the same number for SQLite.

ALTER TABLE device ADD COLUMN wants_transport bigint NOT NULL DEFAULT 0;

CREATE TABLE certificate (
    device      bigint NOT NULL,
    number      bigint NOT NULL,
    key         bytea NOT NULL,
    certificate bytea NOT NULL,
    issued_ms   bigint NOT NULL,
    used_ms     bigint NOT NULL,
    ends_ms     bigint NOT NULL,
    barred      bigint NOT NULL,
    PRIMARY KEY (device, number),
    UNIQUE (device, key)
);
