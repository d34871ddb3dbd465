-- SPDX-License-Identifier: Apache-2.0
-- Which of what is there may be believed: devices that are revoked from a place on, and ranges of committed batches that
-- are suspect since; and which trust bundle a device has.

ALTER TABLE device ADD COLUMN cut INTEGER NOT NULL DEFAULT 0; -- of state 3. 1: what stands before the place is still taken; 2: nothing more is; 0: revoked at once
ALTER TABLE device ADD COLUMN cut_stream INTEGER NOT NULL DEFAULT 0; -- the first place that is not believed
ALTER TABLE device ADD COLUMN cut_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN bundle INTEGER NOT NULL DEFAULT 0; -- newest version of the trust bundle that it is known to have; 0: unknown

-- Batches from (from_stream, from_seq) on and before (to_stream, to_seq) are suspect. They stay.
ALTER TABLE audit ADD COLUMN is_suspect INTEGER NOT NULL DEFAULT 0; -- 1: the entry marks this range
ALTER TABLE audit ADD COLUMN from_stream INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN from_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN to_stream INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN to_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN leaf INTEGER NOT NULL DEFAULT 0; -- size of the log when the entry was committed
