-- SPDX-License-Identifier: Apache-2.0
-- What was last said of each observation (aggregator/core/recall.h): what one leaf said anew of one family and hour.
-- Written with the feed cursor, never changed; retention deletes it when no batch that is left could ask for it.
CREATE TABLE feed_facts (
    family bigint NOT NULL,
    hour   bigint NOT NULL, -- since 1970, in which observations begin
    sink   text NOT NULL,
    leaf   bigint NOT NULL,
    end_ms bigint NOT NULL, -- at which the last of them ends
    facts  bytea NOT NULL,
    PRIMARY KEY (family, hour, sink, leaf)
);
ALTER TABLE feed_facts ALTER COLUMN facts SET STORAGE EXTERNAL;
CREATE INDEX feed_facts_end ON feed_facts (end_ms);
CREATE INDEX feed_facts_leaf ON feed_facts (leaf, sink); -- for an export

-- Deletes facts that ended `keep` before the oldest batch was received, at most so many, by the writer of this name.
CREATE FUNCTION prune_facts(me text, keep bigint, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    oldest bigint;
    n bigint;
BEGIN
    PERFORM hold_head(me);
    SELECT received_ms INTO oldest FROM batch WHERE leaf = (SELECT first_leaf FROM log_head);
    DELETE FROM feed_facts WHERE ctid = ANY (ARRAY(SELECT ctid FROM feed_facts WHERE end_ms < oldest - keep
                                                   ORDER BY end_ms LIMIT most));
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
