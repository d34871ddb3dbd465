-- SPDX-License-Identifier: Apache-2.0
-- Which of what is there may be believed: devices that are revoked from a place on, and ranges of committed batches that
-- are suspect since; and which trust bundle a device has. Comments on columns
-- stand in the migration of the same number for SQLite.

ALTER TABLE device ADD COLUMN cut bigint NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN cut_stream bigint NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN cut_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN bundle bigint NOT NULL DEFAULT 0;

-- Batches from (from_stream, from_seq) on and before (to_stream, to_seq) are suspect. They stay.
ALTER TABLE audit ADD COLUMN is_suspect bigint NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN from_stream bigint NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN from_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN to_stream bigint NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN to_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN leaf bigint NOT NULL DEFAULT 0;
