-- SPDX-License-Identifier: Apache-2.0
-- ClickHouse reads the topics by itself, with its Kafka engine, into the tables of 0001_events.sql:
--
--   BROKERS=broker-1:9092 REGISTRY=http://registry.example:8081 GROUP=clickhouse envsubst < kafka.sql | clickhouse-client -n
--
-- Only committed transactions come through: the engine's client is librdkafka, where read_committed is the default. The
-- engine may bring a block again after a restart; the tables collapse that. README.md says what of this was run.

CREATE TABLE IF NOT EXISTS marine_ais_raw_queue AS marine_ais_raw
ENGINE = Kafka
SETTINGS kafka_broker_list = '$BROKERS', kafka_topic_list = 'marine.ais.raw', kafka_group_name = '$GROUP',
         kafka_format = 'AvroConfluent', format_avro_schema_registry_url = '$REGISTRY',
         input_format_avro_allow_missing_fields = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS marine_ais_raw_feed TO marine_ais_raw AS
SELECT * FROM marine_ais_raw_queue;

CREATE TABLE IF NOT EXISTS headrace_device_events_queue AS headrace_device_events
ENGINE = Kafka
SETTINGS kafka_broker_list = '$BROKERS', kafka_topic_list = 'headrace.device.events', kafka_group_name = '$GROUP',
         kafka_format = 'AvroConfluent', format_avro_schema_registry_url = '$REGISTRY',
         input_format_avro_allow_missing_fields = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS headrace_device_events_feed TO headrace_device_events AS
SELECT * FROM headrace_device_events_queue;

CREATE TABLE IF NOT EXISTS plant_telemetry_queue AS plant_telemetry
ENGINE = Kafka
SETTINGS kafka_broker_list = '$BROKERS', kafka_topic_list = 'plant.telemetry', kafka_group_name = '$GROUP',
         kafka_format = 'AvroConfluent', format_avro_schema_registry_url = '$REGISTRY',
         input_format_avro_allow_missing_fields = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS plant_telemetry_feed TO plant_telemetry AS
SELECT * FROM plant_telemetry_queue;

-- A signed batch is the whole value; the rest stands in headers. The record's timestamp is the time of receipt.
CREATE TABLE IF NOT EXISTS ingestion_raw_queue (envelope String)
ENGINE = Kafka
SETTINGS kafka_broker_list = '$BROKERS', kafka_topic_list = 'ingestion.ais.raw.v1,ingestion.device.raw.v1,ingestion.plant.raw.v1',
         kafka_group_name = '$GROUP', kafka_format = 'RawBLOB';

CREATE MATERIALIZED VIEW IF NOT EXISTS ingestion_raw_feed TO ingestion_raw AS
SELECT toInt64(_headers.value[indexOf(_headers.name, 'leaf')]) AS leaf,
       _headers.value[indexOf(_headers.name, 'log')] AS log,
       _headers.value[indexOf(_headers.name, 'device')] AS device_id,
       toInt64(_headers.value[indexOf(_headers.name, 'stream')]) AS stream,
       toInt64(_headers.value[indexOf(_headers.name, 'key_epoch')]) AS key_epoch,
       toInt64(_headers.value[indexOf(_headers.name, 'batch_seq')]) AS batch_seq,
       _headers.value[indexOf(_headers.name, 'batch_digest')] AS batch_digest,
       assumeNotNull(_timestamp_ms) AS received_at,
       _headers.value[indexOf(_headers.name, 'traceparent')] AS traceparent,
       envelope
FROM ingestion_raw_queue;
