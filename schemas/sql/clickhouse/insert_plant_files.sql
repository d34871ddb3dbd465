-- SPDX-License-Identifier: Apache-2.0
-- What the file sink wrote of plants, into the table of 0002_plant.sql; as insert_files.sql.
--
--   clickhouse-client --param_dir=/var/lib/headrace/avro --queries-file insert_plant_files.sql

INSERT INTO plant_telemetry
SELECT * FROM file({dir:String} || '/plant.telemetry/*.avro', Avro)
SETTINGS input_format_avro_allow_missing_fields = 1;
