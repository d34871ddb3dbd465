-- SPDX-License-Identifier: Apache-2.0
-- What the file sink (`sinks.files.dir`) wrote, into the tables of 0001_events.sql. Run as often as you like: rows that
-- are there already collapse. A file whose hour is over never changes. The current one grows: a statement that meets a
-- block which is half written ends with an error, and is run again.
--
--   clickhouse-client --param_dir=/var/lib/headrace/avro --queries-file insert_files.sql
--
-- The server reads only below its `user_files_path`; clickhouse-local reads anywhere. Fields are taken by name, so files of
-- older schema versions, without the newer fields, get their defaults.

INSERT INTO marine_ais_raw
SELECT * FROM file({dir:String} || '/marine.ais.raw/*.avro', Avro)
SETTINGS input_format_avro_allow_missing_fields = 1;

INSERT INTO headrace_device_events
SELECT * FROM file({dir:String} || '/headrace.device.events/*.avro', Avro)
SETTINGS input_format_avro_allow_missing_fields = 1;

INSERT INTO ingestion_raw
SELECT * FROM file({dir:String} || '/ingestion.*.raw.v1/*.avro', Avro)
SETTINGS input_format_avro_allow_missing_fields = 1;
