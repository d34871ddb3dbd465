-- SPDX-License-Identifier: Apache-2.0
-- Record keys are rotated: on request, and by their age, which counts from this migration for those that are known.

ALTER TABLE device ADD COLUMN wants_key INTEGER NOT NULL DEFAULT 0; -- 1: a new record key was asked for, and has not come
ALTER TABLE device_key ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0; -- when the key became known; 0: unknown
UPDATE device_key SET since_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
