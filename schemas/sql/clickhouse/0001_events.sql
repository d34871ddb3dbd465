-- SPDX-License-Identifier: Apache-2.0
-- What Headrace publishes, as tables of ClickHouse. It is a sink's target, never a ledger.
-- Columns are the fields of schemas/avro/NAME.avsc, which says what they mean.
--
-- Every way into these tables may bring a row more than once (a file read again, a Kafka block after a restart), and a
-- replay with a newer normalizer brings corrected events with the same event_id and a higher revision. Both end in
-- ReplacingMergeTree: of rows with one sorting key the highest revision stays, and of equal ones a single one. It
-- replaces when parts are merged, some time; the views say FINAL and are right at once. Query the views.
--
-- So a sorting key, and a partition, may hold only what no revision can change: the place of the source record
-- (device_id, stream, batch_seq, record_index), event_id, which says the output too, and the time of receipt. What a
-- normalizer finds out (mmsi, occurred_at) may be corrected, and rows would stand beside their corrections. For the
-- same reason a projection or skip index on such a column must not be used together with FINAL.

-- Topic marine.ais.raw: one row for each AIS message, corrections beside what they correct until they are merged.
CREATE TABLE IF NOT EXISTS marine_ais_raw
(
    event_id            UUID,
    trace_id            String,
    occurred_at         DateTime64(6, 'UTC'),
    tenant_id           LowCardinality(String),
    schema_version      Int64,
    producer            LowCardinality(String),
    time_quality        LowCardinality(String),
    time_error_ms       Nullable(Int64),
    received_at         DateTime64(6, 'UTC'),
    device_id           LowCardinality(String),
    stream              Int64,
    batch_seq           Int64,
    record_index        Int64,
    record_seq          Int64,
    leaf                Int64,
    boot_id             Int64,
    uptime_ms           Int64,
    revision            Int64,
    channel             LowCardinality(Nullable(String)),
    talker              LowCardinality(String),
    own_ship            Bool,
    source_time         Nullable(DateTime64(6, 'UTC')),
    station             LowCardinality(Nullable(String)),
    payload             String,
    fill_bits           Int64,
    decode_status       LowCardinality(String),
    invalid_fields      Int64,
    message_type        Nullable(Int64),
    repeat_indicator    Nullable(Int64),
    mmsi                Nullable(Int64),
    nav_status          Nullable(Int64),
    rot_indicator       Nullable(Int64),
    rot_deg_min         Nullable(Float64),
    sog_kn              Nullable(Float64),
    position_accurate   Nullable(Bool),
    longitude_deg       Nullable(Float64),
    latitude_deg        Nullable(Float64),
    cog_deg             Nullable(Float64),
    heading_deg         Nullable(Int64),
    utc_second          Nullable(Int64),
    time_stamp_mode     Nullable(Int64),
    maneuver            Nullable(Int64),
    raim                Nullable(Bool),
    comm_state_selector Nullable(Int64),
    comm_state          Nullable(Int64),
    assigned_mode       Nullable(Bool),
    position_latency    Nullable(Bool),
    altitude_m          Nullable(Int64),
    altitude_barometric Nullable(Bool),
    station_time        Nullable(DateTime64(6, 'UTC')),
    long_range_control  Nullable(Bool),
    epfd                Nullable(Int64),
    ais_version         Nullable(Int64),
    imo_number          Nullable(Int64),
    callsign            Nullable(String),
    vessel_name         Nullable(String),
    ship_type           Nullable(Int64),
    to_bow_m            Nullable(Int64),
    to_stern_m          Nullable(Int64),
    to_port_m           Nullable(Int64),
    to_starboard_m      Nullable(Int64),
    eta_month           Nullable(Int64),
    eta_day             Nullable(Int64),
    eta_hour            Nullable(Int64),
    eta_minute          Nullable(Int64),
    draught_m           Nullable(Float64),
    destination         Nullable(String),
    dte_ready           Nullable(Bool),
    carrier_sense_unit  Nullable(Bool),
    has_display         Nullable(Bool),
    has_dsc             Nullable(Bool),
    whole_band          Nullable(Bool),
    accepts_message_22  Nullable(Bool),
    aid_type            Nullable(Int64),
    aid_name            Nullable(String),
    off_position        Nullable(Bool),
    aid_status_bits     Nullable(Int64),
    virtual_aid         Nullable(Bool),
    part_number         Nullable(Int64),
    vendor_id           Nullable(String),
    unit_model          Nullable(Int64),
    unit_serial         Nullable(Int64),
    mothership_mmsi     Nullable(Int64)
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(received_at)
ORDER BY (device_id, stream, batch_seq, record_index, event_id);

CREATE VIEW IF NOT EXISTS marine_ais AS
SELECT * FROM marine_ais_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Topic headrace.device.events.
CREATE TABLE IF NOT EXISTS headrace_device_events
(
    event_id              UUID,
    trace_id              String,
    occurred_at           DateTime64(6, 'UTC'),
    tenant_id             LowCardinality(String),
    schema_version        Int64,
    producer              LowCardinality(String),
    time_quality          LowCardinality(String),
    time_error_ms         Nullable(Int64),
    received_at           DateTime64(6, 'UTC'),
    device_id             LowCardinality(String),
    stream                Int64,
    batch_seq             Int64,
    record_index          Int64,
    record_seq            Int64,
    leaf                  Int64,
    boot_id               Int64,
    uptime_ms             Int64,
    revision              Int64,
    kind                  LowCardinality(String),
    subject_boot_id       Nullable(Int64),
    boot_reason           LowCardinality(Nullable(String)),
    firmware_version      LowCardinality(Nullable(String)),
    previous_stream       Nullable(Int64),
    recovered_records     Nullable(Int64),
    loss_from_seq         Nullable(Int64),
    loss_to_seq           Nullable(Int64),
    loss_first_record_seq Nullable(Int64),
    loss_records          Nullable(Int64),
    loss_reason           LowCardinality(Nullable(String)),
    loss_last_digest      Nullable(String),
    counter_source        LowCardinality(Nullable(String)),
    counter_name          LowCardinality(Nullable(String)),
    counter_value         Nullable(Int64),
    event_code            Nullable(Int64),
    event_text            Nullable(String),
    anchor_uptime_ms      Nullable(Int64),
    anchor_utc            Nullable(DateTime64(6, 'UTC')),
    anchor_error_ms       Nullable(Int64),
    anchor_source         LowCardinality(Nullable(String)),
    key_from_epoch        Nullable(Int64),
    key_to_epoch          Nullable(Int64),
    key_switch_seq        Nullable(Int64),
    key_spki              Nullable(String),
    raw                   Nullable(String)
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(received_at)
ORDER BY (device_id, stream, batch_seq, record_index, event_id);

CREATE VIEW IF NOT EXISTS device_events AS
SELECT * FROM headrace_device_events FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Topics ingestion.*.raw.v1: the signed batches, the evidence behind the events. They are never revised.
CREATE TABLE IF NOT EXISTS ingestion_raw
(
    leaf         Int64,
    log          LowCardinality(String),
    device_id    LowCardinality(String),
    stream       Int64,
    key_epoch    Int64,
    batch_seq    Int64,
    batch_digest String,
    received_at  DateTime64(6, 'UTC'),
    traceparent  String,
    envelope     String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (device_id, stream, batch_seq, batch_digest);

CREATE VIEW IF NOT EXISTS ingestion AS
SELECT * FROM ingestion_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;
