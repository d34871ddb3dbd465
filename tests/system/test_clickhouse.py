#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""schemas/sql/clickhouse: what Headrace published, in ClickHouse.

    test_clickhouse.py Columns            the DDL against schemas/avro, without an engine
    HEADRACE_LONG=1 test_clickhouse.py Engine    real rows in a real engine; exit code 77 without HEADRACE_LONG or the engine

HEADRACE_ORACLES names the folder that the engine is installed into; it is big (requirements-clickhouse.txt)."""
import base64
import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from harness import BIN, ROOT, install_python, run
from publishing import TOPICS, expected, probe

SQL = ROOT / "schemas/sql/clickhouse"
AVRO = ROOT / "schemas/avro"
TABLES = {"marine_ais_raw": "0001_events.sql", "headrace_device_events": "0001_events.sql", "ingestion_raw": "0001_events.sql",
          "plant_telemetry": "0002_plant.sql"}
FOLDER = pathlib.Path(os.environ.get("HEADRACE_ORACLES", ROOT / "build/oracles")) / "clickhouse"
LEAVES = 2000
ORIGIN = "c1" * 16
# A revision is another reading of the same bytes at the same place: only these stay as they were.
KEYS = {"device_id", "stream", "batch_seq", "record_index", "event_id", "batch_digest", "received_at"}


def statements(name):
    """The statements of one of our files."""
    lines = (line for line in (SQL / name).read_text().splitlines() if not line.startswith("--"))
    return [text.strip() for text in "\n".join(lines).split(";") if text.strip()]


def schema(table, version=None):
    path = AVRO / f"{table}.avsc" if version is None else AVRO / f"old/{table}.{version}.avsc"
    return json.loads(path.read_text())


def clickhouse_type(field):
    """What a field of Avro is in a table, without LowCardinality."""
    kind = field["type"]
    inner = kind[1] if isinstance(kind, list) else kind
    name = "DateTime64(6, 'UTC')" if isinstance(inner, dict) else \
        {"string": "String", "long": "Int64", "double": "Float64", "boolean": "Bool", "bytes": "String"}[inner]
    if field["name"] == "event_id":
        name = "UUID"
    return f"Nullable({name})" if isinstance(kind, list) else name


class Columns(unittest.TestCase):
    def test_each_table_has_the_fields_of_its_schema(self):
        for table, file in TABLES.items():
            with self.subTest(table):
                create = next(s for s in statements(file) if f"CREATE TABLE IF NOT EXISTS {table}\n" in s)
                columns = re.findall(r"^    (\w+) +(.+?),?$", create, re.M)
                plain = [(name, re.sub(r"^LowCardinality\((.*)\)$", r"\1", kind)) for name, kind in columns]
                self.assertEqual(plain, [(f["name"], clickhouse_type(f)) for f in schema(table)["fields"]])

    def test_sorting_and_partition_keys_hold_nothing_that_a_revision_changes(self):
        keys = re.findall(r"^(?:ORDER|PARTITION) BY (.*?);?$", "".join((SQL / file).read_text() for file in sorted(set(TABLES.values()))), re.M)
        self.assertEqual(len(keys), 2 * len(TABLES))
        for key in keys:
            self.assertLessEqual(set(re.findall(r"\w+", key)) - {"toYYYYMM"}, KEYS)


class Registry(http.server.BaseHTTPRequestHandler):
    """Answers as a Schema Registry does for the fixed ids of schemas/avro/ids.tsv."""

    def do_GET(self):
        ids = {}
        for line in (AVRO / "ids.tsv").read_text().splitlines():
            if line and not line.startswith("#"):
                name, version, number = line.split("\t")
                ids[number] = (name, int(version))
        name, version = ids[re.fullmatch(r"/schemas/ids/(\d+)(\?.*)?", self.path).group(1)]
        text = schema(name) if not (AVRO / f"old/{name}.{version}.avsc").exists() else schema(name, version)
        body = json.dumps({"schema": json.dumps(text)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Engine(unittest.TestCase):
    """The engine runs in this process, one for all tests; each has a database of its own."""

    @classmethod
    def setUpClass(cls):
        from chdb import session
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="headrace-clickhouse-"))
        cls.session = session.Session(str(cls.folder / "engine"))
        cls.files = cls.folder / "avro"
        process = probe("files", cls.files, LEAVES, ORIGIN)
        process.communicate(timeout=600)
        assert process.returncode == 0
        print(f"ClickHouse {cls.rows('SELECT version()')[0][0]}", flush=True)

    @classmethod
    def tearDownClass(cls):
        cls.session.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.do(f"CREATE DATABASE {self._testMethodName}")
        self.do(f"USE {self._testMethodName}")
        for statement in statements("0001_events.sql") + statements("0002_plant.sql"):
            self.do(statement)

    @classmethod
    def do(cls, sql, **parameters):
        return cls.session.query(sql, "JSONCompactEachRow", params=parameters or None)

    @classmethod
    def rows(cls, sql):
        return [json.loads(line) for line in str(cls.do(sql)).splitlines() if line]

    def insert_files(self):
        for statement in statements("insert_files.sql"):
            self.do(statement, dir=str(self.files))

    def places(self, table):
        return [tuple(map(int, row)) for row in self.rows(f"SELECT leaf, record_index FROM {table}")]

    def assert_each_once(self):
        places = self.places("marine_ais")
        self.assertEqual(len(places), len(expected(LEAVES)))
        self.assertEqual(set(places), expected(LEAVES))
        leaves = [int(row[0]) for row in self.rows("SELECT leaf FROM ingestion ORDER BY leaf")]
        self.assertEqual(leaves, list(range(LEAVES)))

    def revise(self, where, revision, speed):
        """Events as a replay publishes them: the same identity and place, another revision and content."""
        self.do(f"INSERT INTO marine_ais_raw SELECT * REPLACE (toInt64({revision}) AS revision, {speed} AS sog_kn, mmsi + 1 AS "
                f"mmsi, occurred_at + 40 * 86400 AS occurred_at) FROM (SELECT * FROM marine_ais_raw WHERE {where} AND "
                "revision = 0 LIMIT 1 BY event_id)")

    def test_files_read_twice_give_each_row_once_and_mean_what_tail_says(self):
        self.insert_files()
        self.assert_each_once()
        self.insert_files()
        self.assertEqual(len(self.places("marine_ais_raw")), 2 * len(expected(LEAVES)))
        self.assert_each_once()
        self.do("OPTIMIZE TABLE marine_ais_raw FINAL")
        self.assertEqual(len(self.places("marine_ais_raw")), len(expected(LEAVES)))
        said = [json.loads(line) for line in run(BIN / "headrace", "tail", "--files", self.files).stdout.splitlines()]
        names = ("event_id", "device_id", "mmsi", "leaf", "record_index", "payload", "time_quality", "longitude_deg", "own_ship",
                 "vessel_name", "revision")
        ours = {row[0]: row[1:] for row in self.rows(
            f"SELECT {', '.join(names)} FROM marine_ais SETTINGS output_format_json_quote_64bit_integers = 0")}
        self.assertEqual(ours, {event["event_id"]: [event[name] for name in names[1:]] for event in said})
        print(f"{len(ours)} events of {LEAVES} batches: each once, {len(names)} fields as `headrace tail` says them", flush=True)

    def test_the_highest_revision_counts_in_whatever_order_they_come(self):
        self.insert_files()
        self.revise("leaf % 3 = 0", 2, 22.5)
        self.revise("leaf % 3 = 0", 1, 11.5)
        self.revise("leaf % 3 = 1", 1, 11.5)
        self.insert_files()  # the first publishing, once more and last
        for merged in (False, True):
            if merged:
                self.do("OPTIMIZE TABLE marine_ais_raw FINAL")
            self.assert_each_once()
            found = {tuple(map(int, row[:2])): (float(row[2]), row[3]) for row in
                     self.rows("SELECT leaf % 3, revision, any(sog_kn), uniqExact(sog_kn) FROM marine_ais GROUP BY 1, 2")}
            self.assertEqual({key: value[0] for key, value in found.items()}, {(0, 2): 22.5, (1, 1): 11.5, (2, 0): 0})
        print("revisions 2, 1 and 0 stand alone, before merging and after", flush=True)

    def test_files_of_an_older_schema_get_the_newer_fields_defaults(self):
        old = self.folder / "old/marine.ais.raw"
        old.mkdir(parents=True)
        fields = ", ".join(field["name"] for field in schema("marine_ais_raw", 1)["fields"])
        self.assertNotIn("revision", fields.split(", "))
        self.do(f"INSERT INTO FUNCTION file('{old}/old.avro', Avro) SELECT {fields} FROM "
                f"file('{self.files}/marine.ais.raw/*.avro', Avro)")
        self.do(statements("insert_files.sql")[0], dir=str(old.parent))
        self.assertEqual(set(self.places("marine_ais")), expected(LEAVES))
        self.assertEqual([int(row[0]) for row in self.rows("SELECT DISTINCT revision FROM marine_ais")], [0])

    def test_what_kafka_holds_gives_the_same_rows(self):
        """kafka.sql whole but for the engine that consumes, which this build of ClickHouse can't start: the values of a real
        topic are put where it would put them."""
        self.insert_files()
        by_files = self.rows("SELECT event_id, mmsi, leaf FROM marine_ais ORDER BY event_id")
        raw_by_files = self.rows("SELECT * EXCEPT (envelope, received_at), hex(envelope) FROM ingestion ORDER BY leaf")
        for table in TABLES:
            self.do(f"TRUNCATE TABLE {table}")
        values, batches = self.folder / "values", self.folder / "batches.json"
        with values.open("wb") as framed, batches.open("w") as raw:
            for line in self.published():
                record = json.loads(line)
                if record["topic"] == "marine.ais.raw":
                    framed.write(base64.b64decode(record["value"]))
                    continue
                headers = {name: base64.b64decode(value).decode() for name, value in record["headers"].items()}
                raw.write(json.dumps({"envelope": record["value"], "_headers.name": list(headers), "_headers.value":
                                      list(headers.values()), "_timestamp_ms": record["timestamp"]}) + "\n")
        for statement in statements("kafka.sql"):
            if "ENGINE = Kafka" in statement:
                self.assertRegex(statement, r"kafka_format = '(AvroConfluent|RawBLOB)'")
                statement = re.sub(r"ENGINE = Kafka.*", "ENGINE = Null", statement, flags=re.S)
                statement = statement.replace("(envelope String)", "(envelope String, _headers Nested(name String, value String), "
                                              "_timestamp_ms Nullable(DateTime64(3)))")
            self.do(statement)
        with self.registry() as address:
            self.do(f"INSERT INTO marine_ais_raw_queue SELECT * FROM file('{values}', AvroConfluent) SETTINGS "
                    f"format_avro_schema_registry_url = '{address}', input_format_avro_allow_missing_fields = 1")
        self.do(f"INSERT INTO ingestion_raw_queue SELECT base64Decode(envelope), `_headers.name`, `_headers.value`, "
                f"fromUnixTimestamp64Milli(_timestamp_ms) FROM file('{batches}', JSONEachRow, 'envelope String, "
                "`_headers.name` Array(String), `_headers.value` Array(String), _timestamp_ms Int64')")
        self.assert_each_once()
        self.assertEqual(self.rows("SELECT event_id, mmsi, leaf FROM marine_ais ORDER BY event_id"), by_files)
        self.assertEqual(self.rows("SELECT * EXCEPT (envelope, received_at), hex(envelope) FROM ingestion ORDER BY leaf"),
                         raw_by_files)
        print(f"{len(by_files)} events and {LEAVES} batches out of Kafka: the same rows as out of files", flush=True)

    def published(self):
        """Lines of everything that a publisher put into a broker of our own."""
        kafka, data = ROOT / "tools/dev/kafka", self.folder / "kafka"
        address = subprocess.run([kafka, "start", "--data", data], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        try:
            process = probe("kafka", address, LEAVES, ORIGIN)
            process.communicate(timeout=600)
            self.assertEqual(process.returncode, 0)
            return subprocess.run([kafka, "read", "--data", data, "--topics", TOPICS], stdout=subprocess.PIPE, text=True,
                                  check=True).stdout.splitlines()
        finally:
            subprocess.run([kafka, "clean", "--data", data], check=False)

    @contextlib.contextmanager
    def registry(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def main():
    if not any(word.startswith("Columns") for word in sys.argv[1:]):
        why = "the engine takes 534 MB: HEADRACE_LONG=1 installs it" if os.environ.get("HEADRACE_LONG") != "1" else \
            install_python(FOLDER, "chdb", "requirements-clickhouse.txt")
        if why is not None:
            print(f"skipped: {why}")
            return 77
    return 0 if unittest.main(argv=sys.argv, verbosity=2, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
