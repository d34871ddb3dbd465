-- SPDX-License-Identifier: Apache-2.0
-- Topic plant.telemetry: one row for each sample. As the tables of 0001_events.sql, whose head says why.
CREATE TABLE IF NOT EXISTS plant_telemetry
(
    event_id       UUID,
    trace_id       String,
    occurred_at    DateTime64(6, 'UTC'),
    tenant_id      LowCardinality(String),
    schema_version Int64,
    producer       LowCardinality(String),
    time_quality   LowCardinality(String),
    time_error_ms  Nullable(Int64),
    received_at    DateTime64(6, 'UTC'),
    device_id      LowCardinality(String),
    stream         Int64,
    batch_seq      Int64,
    record_index   Int64,
    record_seq     Int64,
    leaf           Int64,
    boot_id        Int64,
    uptime_ms      Int64,
    revision       Int64,
    device         LowCardinality(String),
    model          Nullable(Int64),
    model_name     LowCardinality(Nullable(String)),
    point          LowCardinality(String),
    channel        Int64,
    kind           LowCardinality(String),
    value          Nullable(Float64),
    unit           LowCardinality(Nullable(String)),
    quality        LowCardinality(String),
    symbol         Nullable(String),
    delta          Nullable(Float64),
    delta_kind     LowCardinality(Nullable(String)),
    dead_band      Nullable(Float64),
    raw_value      Int64,
    scale          Int64,
    site           LowCardinality(Nullable(String))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(received_at)
ORDER BY (device_id, stream, batch_seq, record_index, event_id);

CREATE VIEW IF NOT EXISTS telemetry AS
SELECT * FROM plant_telemetry FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;
