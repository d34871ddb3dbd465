#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Schemas before and after a deploy: `headrace schemas check` against folders and a registry, its verdict beside that of
Avro's own library on hundreds of changed schemas, and an aggregator that runs with a registry: what it publishes is framed
with the registry's ids and decodes with the schema that the registry has for them.

The registry is a stand-in (registry_standin.py says why). Avro's library comes by pip into HEADRACE_ORACLES."""
import collections
import copy
import io
import json
import os
import pathlib
import re
import subprocess
import unittest

from harness import ROOT, Aggregator, Site, SystemTest, install_python, program, run, wait_for
from pipeline import AIS, EVENTS, Broker, Collector, seeded, wait_published
from registry_standin import Registry

AVRO = ROOT / "schemas/avro"
ORACLES = pathlib.Path(os.environ.get("HEADRACE_ORACLES", ROOT / "build/oracles")) / "avro"
N_CHANGED = 300


NO_AVRO = install_python(ORACLES, "avro", "requirements-avro.txt")
if NO_AVRO is None:
    import avro.compatibility
    import avro.io
    import avro.schema


def text_of(name):
    return (AVRO / f"{name}.avsc").read_text()


def reads(new, old):
    """Avro's opinion."""
    checker = avro.compatibility.ReaderWriterCompatibilityChecker()
    verdict = checker.get_compatibility(avro.schema.parse(new), avro.schema.parse(old))
    return verdict.compatibility == avro.compatibility.SchemaCompatibilityType.compatible


def check(*words, expect=0):
    return run(program("headrace"), "schemas", "check", *words, expect=expect)


class Check(SystemTest):
    def folder_of(self, **schemas):
        folder = self.folder / "avro"
        folder.mkdir(exist_ok=True)
        for name, schema in schemas.items():
            (folder / f"{name}.avsc").write_text(schema if isinstance(schema, str) else json.dumps(schema))
        return folder

    def older(self, change):
        """The schema of prices as an older release might have had it."""
        schema = json.loads(text_of("iso_rt_lmp"))
        change({field["name"]: field for field in schema["fields"]}, schema)
        return schema

    def test_this_build_reads_its_own_older_versions(self):
        said = check().stdout
        self.assertEqual(said, f"{len(list((AVRO / 'old').glob('*.avsc')))} older versions, 0 breaks\n")
        self.assertIn("0 breaks", check("--against", AVRO).stdout)

    def test_a_break_is_told_with_field_and_rule(self):
        def change(fields, schema):
            fields["value"]["type"] = "string"
            fields["interval_start"]["type"]["logicalType"] = "timestamp-millis"
            schema["fields"] = [f for f in schema["fields"] if f["name"] != "feed"]

        folder = self.folder_of(iso_rt_lmp=self.older(change))
        path = folder / "iso_rt_lmp.avsc"
        said = check("--against", folder, expect=1).stdout.splitlines()
        self.assertEqual(said, [
            f"iso_rt_lmp.feed: READER_FIELD_MISSING_DEFAULT_VALUE: is new and has no default: what was written before has "
            f"no feed ({path})",
            f"iso_rt_lmp.interval_start: LOGICAL_TYPE_MISMATCH: is timestamp-micros now: the same number means something "
            f"else ({path})",
            f"iso_rt_lmp.value: TYPE_MISMATCH: can't read string, which was written ({path})",
            "1 older versions, 3 breaks"])

    def test_what_can_not_be_judged_is_no_yes(self):
        self.assertIn("is no Avro schema", check("--against", self.folder_of(iso_rt_lmp="{"), expect=2).stderr)
        self.assertIn("No such file", check("--against", self.folder / "nowhere", expect=2).stderr)
        (self.folder / "empty").mkdir()
        self.assertIn("has no *.avsc", check("--against", self.folder / "empty", expect=2).stderr)
        self.assertIn("schemas check:", check("--registry", "http://127.0.0.1:9", expect=2).stderr)

    def test_every_version_of_a_registry_is_read_or_told(self):
        registry = self.own(Registry())
        first = json.loads(text_of("marine_ais_raw"))
        first["fields"][0]["type"] = "long"
        said = check("--registry", registry.url).stdout
        self.assertRegex(said, r"^0 older versions, 0 breaks, \d+ topics that the registry doesn't know yet\n$")
        registry.put(f"{AIS}-value", (AVRO / "old/marine_ais_raw.1.avsc").read_text())
        registry.put(f"{AIS}-value", text_of("marine_ais_raw"))
        self.assertIn("2 older versions, 0 breaks", check("--registry", registry.url).stdout)
        longer = self.own(Registry())
        for text in (json.dumps(first), *registry.subjects[f"{AIS}-value"]):
            longer.put(f"{AIS}-value", text)
        said = check("--registry", longer.url, expect=1).stdout
        self.assertIn(f"marine_ais_raw.event_id: TYPE_MISMATCH: can't read long, which was written (version 1 of {AIS}-value)",
                      said)
        self.assertIn("3 older versions, 1 breaks", said)
        self.assertIn("1 older versions, 0 breaks", check("--registry", longer.url, "--newest").stdout)
        self.assertFalse([r for r in registry.requests if r[0] != "GET"], "a check changes nothing")

    def test_a_registry_that_fails_is_told(self):
        registry = self.own(Registry())
        for failing, wanted in (((503, {"message": "leader not known"}), "HTTP 503"), ((401, {}), "HTTP 401"),
                                ((200, b"hello"), "no list of versions"), ((200, b"[1,"), "no list of versions")):
            registry.failing = failing
            self.assertIn(wanted, check("--registry", registry.url, expect=2).stderr)

    @unittest.skipIf(NO_AVRO, NO_AVRO)
    def test_the_verdict_is_that_of_avro_itself(self):
        random = seeded(self.id())
        names = ("iso_rt_lmp", "marine_ais_raw", "iso_da_schedule", "ingestion_raw")
        older, folder = {}, self.folder_of()
        for number in range(N_CHANGED):
            name = random.choice(names)
            schema = json.loads(text_of(name))
            for _ in range(random.randint(0, 3)):
                change_field(random, schema)
            older[f"{name}.{number + 1}"] = schema
        self.folder_of(**older)
        # A logical type is no matter of Avro's; it is told beside, and judged in a test above.
        said = [line for line in check("--against", folder, expect=1).stdout.splitlines() if " LOGICAL_TYPE_" not in line]
        told = collections.Counter(re.findall(r"\(\S*/(\S+)\.avsc\)$", "\n".join(said), re.M))
        verdicts = collections.Counter()
        for name, schema in older.items():
            expected = reads(text_of(name.split(".")[0]), json.dumps(schema))
            self.assertEqual(told[name] == 0, expected, f"{name}: {folder}")
            verdicts[expected] += 1
        self.assertGreater(min(verdicts.values()), N_CHANGED // 10)
        print(f"of {N_CHANGED} changed schemas avro and headrace both read {verdicts[True]}", flush=True)


TYPES = ("null", "boolean", "int", "long", "float", "double", "string", "bytes", ["null", "int"], ["null", "string"],
         ["null", "double"], ["int", "float"], ["null", "long", "string"], {"type": "array", "items": "long"},
         {"type": "map", "values": "string"}, {"type": "fixed", "name": "f", "size": 4},
         {"type": "enum", "name": "e", "symbols": ["A", "B"]})


def change_field(random, schema):
    """One change, as somebody might have made it on the way from that schema to today's."""
    fields = schema["fields"]
    field = random.choice(fields)
    kind = random.randrange(5)
    if kind == 0:
        fields.remove(field)
    elif kind == 1:
        fields.append({"name": f"gone_{random.getrandbits(48):x}", "type": random.choice(TYPES[:13])})
    elif kind == 2:
        random.shuffle(fields)
    else:
        is_named = any(isinstance(f["type"], dict) and f["type"].get("name") for f in fields)
        field["type"] = copy.deepcopy(random.choice(TYPES[:15] if is_named else TYPES))
        field.pop("default", None)


class Running(SystemTest):
    """An aggregator whose schemas are in a registry."""

    def setUp(self):
        super().setUp()
        self.registry = self.own(Registry(first_id=1000001, checker=None if NO_AVRO else reads))
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")

    def make(self):
        return self.own(Aggregator(self.site, sinks=self.broker.sinks(),
                                   extra=f"schema_registry:\n  url: {self.registry.url}\n"))

    def send(self, aggregator):
        log = self.folder / "fleet.nmea"
        with open(log, "wb") as out:
            subprocess.run([program("headrace"), "sim", "ais", "--rate", "0", "--count", "300", "--to", "-"], stdout=out,
                           stderr=subprocess.DEVNULL, check=True)
        collector = self.own(Collector(self.device, [aggregator.coaps_tcp], f"  - {{type: ais, source: file, path: {log}}}\n"))
        collector.start("--once")
        self.assertEqual(collector.process.wait(), 0)
        wait_published(aggregator)

    def test_values_decode_with_the_schema_of_the_id_they_are_framed_with(self):
        self.registry.failing = (503, {"error_code": 50301, "message": "the leader is not known"})
        aggregator = self.make()
        aggregator.start(ready=False)
        aggregator.process.wait_event("schema_registry")
        self.registry.failing = None  # it is asked again until it is there
        wait_for("the aggregator to be ready", lambda: aggregator.http("/readyz")[0] == 200)
        self.send(aggregator)
        self.assertEqual(self.registry.compatibility[f"{AIS}-value"], "BACKWARD")
        published = [p for p in self.broker.read(AIS, EVENTS) if p.record_index >= 0]
        self.assertGreater(len(published), 300)
        decoded = collections.Counter()
        for record in published:
            self.assertEqual(record.value[0], 0)
            text = self.registry.text_of(int.from_bytes(record.value[1:5], "big"))
            self.assertIsNotNone(text, "the id is not of the registry")
            self.assertIn(text, self.registry.subjects[f"{record.topic}-value"])
            if NO_AVRO is None:
                event = decode(text, record.value[5:])
                self.assertEqual((event["leaf"], event["record_index"]), (record.leaf, record.record_index))
            decoded[record.topic] += 1
        self.assertGreaterEqual(decoded[AIS], 300)
        if NO_AVRO:
            self.skipTest(NO_AVRO)  # ids were compared; values could not be decoded by another hand
        tailed = run(program("headrace"), "tail", "--kafka", self.broker.address, "--topic", AIS, "--registry",
                     self.registry.url, "--limit", "10")
        self.assertEqual(len(tailed.stdout.splitlines()), 10)
        print(f"decoded with the registry's schemas: {dict(decoded)}", flush=True)


def decode(text, value):
    reader = avro.io.DatumReader(parsed(text))
    stream = io.BytesIO(value)
    event = reader.read(avro.io.BinaryDecoder(stream))
    if stream.read():
        raise AssertionError("bytes are left behind the value")
    return event


PARSED = {}


def parsed(text):
    if text not in PARSED:
        PARSED[text] = avro.schema.parse(text)
    return PARSED[text]


if __name__ == "__main__":
    unittest.main(verbosity=2)
