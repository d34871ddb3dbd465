-- SPDX-License-Identifier: Apache-2.0
-- The ledger. Unsigned 64-bit numbers are stored as the signed number with the same bits. Everything lies in the schema
-- that the aggregator's configuration names (it is the search_path here), one schema for each log.

-- One row: the head of the log. Its row lock, held from the first statement of a commit to its end, is what makes commit
-- order the order of leaves; writer_epoch is what keeps a writer that was taken over from ever committing again.
CREATE TABLE log_head (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    origin         text NOT NULL,             -- identity of this log, made once
    size           bigint NOT NULL,           -- leaves 0 .. size - 1 are committed
    first_leaf     bigint NOT NULL DEFAULT 0, -- retention may delete batches below this one
    commits        bigint NOT NULL DEFAULT 0, -- transactions so far: tells a writer whether its last one was one of them
    writer_epoch   bigint NOT NULL,           -- of the one writer that may commit
    writer         text NOT NULL,             -- who that is: host, process and a random part
    writer_pid     integer NOT NULL,          -- its session at the server,
    writer_session timestamptz NOT NULL       -- and when that began
) WITH (fillfactor = 10);

-- Moves the head by n leaves for the writer of that epoch, which expects it at `expected`. An error of code HR001 says
-- that another writer took over, HR002 that the head is not where its writer left it; either undoes the transaction.
CREATE FUNCTION advance_head(epoch bigint, expected bigint, n bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    head log_head%ROWTYPE;
BEGIN
    UPDATE log_head SET size = size + n, commits = commits + 1 WHERE writer_epoch = epoch RETURNING * INTO head;
    IF NOT FOUND THEN
        SELECT * INTO head FROM log_head;
        RAISE EXCEPTION 'taken over by %', head.writer USING ERRCODE = 'HR001';
    END IF;
    IF head.size <> expected + n THEN
        RAISE EXCEPTION 'the log has % leaves where its writer left %', head.size - n, expected USING ERRCODE = 'HR002';
    END IF;
END $$;

-- What is committed, in the order in which it was.
CREATE TABLE batch (
    leaf        bigint PRIMARY KEY,
    device      bigint NOT NULL,
    stream      bigint NOT NULL,
    seq         bigint NOT NULL,
    received_ms bigint NOT NULL,
    digest      bytea NOT NULL,
    envelope    bytea NOT NULL, -- header, signature, payload, as they came
    UNIQUE (device, stream, seq)
);
-- Signed bits don't get smaller, so the server need not try.
ALTER TABLE batch ALTER COLUMN digest SET STORAGE PLAIN, ALTER COLUMN envelope SET STORAGE EXTERNAL;

-- A committed batch never changes, whoever asks; and only retention may delete it.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a committed batch never changes';
END $$;
CREATE FUNCTION refuse_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.leaf >= (SELECT first_leaf FROM log_head) THEN
        RAISE EXCEPTION 'a batch is deleted only below log_head.first_leaf';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER batch_is_constant BEFORE UPDATE ON batch FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batch_stays BEFORE DELETE ON batch FOR EACH ROW EXECUTE FUNCTION refuse_delete();
CREATE TRIGGER batch_is_not_emptied BEFORE TRUNCATE ON batch FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE stream_state (
    device          bigint NOT NULL,
    stream          bigint NOT NULL,
    cum_seq         bigint NOT NULL, -- 4294967295: none
    cum_digest      bytea NOT NULL,
    next_record_seq bigint NOT NULL,
    key_epoch       bigint NOT NULL,
    boot_id         bigint NOT NULL,
    lost_batches    bigint NOT NULL,
    lost_records    bigint NOT NULL,
    PRIMARY KEY (device, stream)
) WITH (fillfactor = 50);

CREATE TABLE device (
    device   bigint PRIMARY KEY,
    name     text NOT NULL,
    tenant   text NOT NULL,
    state    bigint NOT NULL, -- 0 enrolled, 1 active, 2 quarantined, 3 revoked, 4 retired
    revision bigint NOT NULL,
    reason   text NOT NULL
);

-- A record key is valid from (from_stream, from_seq) on and before (to_stream, to_seq).
CREATE TABLE device_key (
    device      bigint NOT NULL,
    epoch       bigint NOT NULL,
    spki        bytea NOT NULL,
    from_stream bigint NOT NULL,
    from_seq    bigint NOT NULL,
    to_stream   bigint NOT NULL,
    to_seq      bigint NOT NULL,
    revoked     bigint NOT NULL,
    PRIMARY KEY (device, epoch)
);

-- Signed contradictions: what came, and the digest that stood there. Ids only order them; nobody polls by them.
CREATE TABLE conflict (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device       bigint NOT NULL,
    stream       bigint NOT NULL,
    seq          bigint NOT NULL,
    kind         text NOT NULL, -- fork, equivocation
    received_ms  bigint NOT NULL,
    known_digest bytea NOT NULL,
    envelope     bytea NOT NULL
);

-- Holes that a stream was moved over, with the signed batch that said so.
CREATE TABLE loss (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device           bigint NOT NULL,
    stream           bigint NOT NULL,
    from_seq         bigint NOT NULL,
    to_seq           bigint NOT NULL,
    first_record_seq bigint NOT NULL,
    n_records        bigint NOT NULL,
    reason           bigint NOT NULL,
    last_digest      bytea NOT NULL,
    envelope         bytea NOT NULL
);

CREATE TABLE anchor (
    device    bigint NOT NULL,
    boot_id   bigint NOT NULL,
    leaf      bigint NOT NULL, -- the batch that holds it
    uptime_ms bigint NOT NULL,
    utc_ms    bigint NOT NULL,
    err_ms    bigint NOT NULL,
    source    bigint NOT NULL,
    PRIMARY KEY (device, boot_id, leaf)
);

-- How far publishing got; never trusted.
CREATE TABLE hint (
    sink      text PRIMARY KEY,
    next_leaf bigint NOT NULL
);
