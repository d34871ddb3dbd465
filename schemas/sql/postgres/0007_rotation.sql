-- SPDX-License-Identifier: Apache-2.0
-- Record keys are rotated. Comments on columns stand in the migration of the same number for SQLite.

ALTER TABLE device ADD COLUMN wants_key bigint NOT NULL DEFAULT 0;
ALTER TABLE device_key ADD COLUMN since_ms bigint NOT NULL DEFAULT 0;
UPDATE device_key SET since_ms = (extract(epoch FROM now()) * 1000)::bigint;
