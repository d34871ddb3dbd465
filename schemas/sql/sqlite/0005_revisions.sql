-- SPDX-License-Identifier: Apache-2.0
-- What was last said of each observation (aggregator/core/recall.h): what one leaf said anew of one family and hour.
-- Written with the feed cursor, never changed; retention deletes it when no batch that is left could ask for it.
CREATE TABLE feed_facts (
    id     INTEGER PRIMARY KEY,
    sink   TEXT NOT NULL,
    family INTEGER NOT NULL,
    hour   INTEGER NOT NULL, -- since 1970, in which observations begin
    leaf   INTEGER NOT NULL,
    end_ms INTEGER NOT NULL, -- at which the last of them ends
    facts  BLOB NOT NULL,
    UNIQUE (family, hour, sink, leaf)
) STRICT;
CREATE INDEX feed_facts_end ON feed_facts (end_ms);
CREATE INDEX feed_facts_leaf ON feed_facts (leaf, sink); -- for an export
