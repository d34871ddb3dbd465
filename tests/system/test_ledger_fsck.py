#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`headrace ledger fsck`, `export` and `rebuild` on the ledger of a real aggregator and the topics of a real Apache Kafka
broker: what is sound is said to be, each corruption is named with its place, and what was rebuilt goes on where the
first log ended."""
import collections
import contextlib
import json
import shutil
import sqlite3
import subprocess
import unittest

import harness
import wire
from pipeline import AIS, RAW, Broker, Topics, wait_published
from postgres import Postgres
from probe import Probe

RAW_AIS = RAW[0]


def loss_record(first, last):
    """Record{loss} over batches first to last."""
    n_records = last.first_record + len(last.records) - first.first_record
    body = b"".join(wire._field(number, 0, wire.varint(value)) for number, value in
                    [(1, first.seq), (2, last.seq), (3, first.first_record), (4, n_records), (5, 1)] if value)
    body += wire._field(6, 2, wire.varint(32) + last.digest)
    return wire._field(10, 2, wire.varint(len(body)) + body)


class Fsck(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.broker = self.own(Broker(self.folder))
        self.devices = [self.site.enrol(f"gw{i}") for i in range(3)]
        self.keys = [wire.Key(device.record_key) for device in self.devices]
        self.streams = [wire.Stream(device.device_id) for device in self.devices]
        self.aggregator = self.own(harness.Aggregator(self.site, sinks=self.broker.sinks())).start()
        self.lost = {}

    # ---- what is there ----

    def post(self, which, n, aggregator=None):
        with contextlib.closing(Probe((aggregator or self.aggregator).coaps, self.devices[which])) as probe:
            for _ in range(n):
                batch = self.streams[which].next([wire.ais_record(bytes([4 * i % 112] * 21), dt_ms=i) for i in range(1, 4)]
                                                 + [wire.event_record(5, "seen")])
                self.assertEqual(probe.post(batch.envelope(self.keys[which])).ack.status, wire.OK)

    def post_with_loss(self):
        """Two batches that never come, and the one that says so."""
        stream, key = self.streams[1], self.keys[1]
        first, last = (stream.next([wire.ais_record(bytes(21))]) for _ in range(2))
        carrier = stream.next([loss_record(first, last)], flags=wire.LOSS)
        with contextlib.closing(Probe(self.aggregator.coaps, self.devices[1])) as probe:
            answer = probe.post(carrier.envelope(key)).ack  # ok at once: the Loss moves the stream, then it is next
            self.assertEqual((answer.status, answer.cum_seq), (wire.OK, carrier.seq))
        self.lost[self.devices[1].device_id] = [(first.seq, last.seq, first.first_record, 2)]

    def post_fork(self):
        with contextlib.closing(Probe(self.aggregator.coaps, self.devices[2])) as probe:
            other = self.streams[2].peek([wire.event_record(1, "clone")], prev=bytes(32))
            self.assertEqual(probe.post(other.envelope(self.keys[2])).ack.status, wire.FORK)

    def fsck(self, *where, expect):
        done = self.site.headrace("ledger", "fsck", *where, "--json", expect=expect)
        report = json.loads(done.stdout)
        self.assertTrue(report["complete"], done.stderr)
        return report

    def assert_clean(self, *where):
        report = self.fsck(*where, expect=0)
        self.assertEqual((report["findings"], report["found"]), ([], {}))
        return report

    def kafka(self):
        return "--kafka", self.broker.address

    def assert_found(self, what, report, **expected):
        """Exactly so many findings of each kind."""
        print(f"{what}: expected {expected}, found {report['found']}", flush=True)
        self.assertEqual(report["found"], expected, json.dumps(report["findings"], indent=1))

    # ---- the ledger ----

    def damaged(self, name, *statements):
        """A copy of the ledger after what its triggers would refuse."""
        copy = self.folder / f"{name}.db"
        shutil.copy(self.aggregator.ledger, copy)
        with contextlib.closing(sqlite3.connect(copy)) as ledger:
            for trigger in ("batch_is_constant", "batch_stays"):
                ledger.execute(f"DROP TRIGGER {trigger}")
            for sql, *values in statements:
                self.assertGreater(ledger.execute(sql, values).rowcount, 0, sql)
            ledger.commit()
        return copy

    def envelope(self, leaf):
        return self.aggregator.query("SELECT envelope FROM batch WHERE leaf = ?", leaf)[0][0]

    def check_damaged_ledgers(self, leaf):
        """`leaf` is one of device 0 in the middle of its chain."""
        whole = self.envelope(leaf)
        flipped = whole[:-1] + bytes([whole[-1] ^ 1])
        path = self.damaged("flipped", ("UPDATE batch SET envelope = ? WHERE leaf = ?", flipped, leaf))
        report = self.fsck(path, *self.kafka(), expect=1)
        self.assert_found("a flipped byte in a record", report, signature=1)
        self.assertEqual(report["findings"][0]["leaf"], leaf)
        signed = whole[:120] + bytes([whole[120] ^ 1]) + whole[121:]
        path = self.damaged("unsigned", ("UPDATE batch SET envelope = ? WHERE leaf = ?", signed, leaf))
        report = self.fsck(path, expect=1)
        self.assert_found("a flipped byte in a signature", report, signature=1)
        path = self.damaged("removed", ("DELETE FROM batch WHERE leaf = ?", leaf))
        report = self.fsck(path, *self.kafka(), expect=1)
        self.assert_found("a leaf removed", report, leaf=1, chain=1)
        self.assertEqual({f["leaf"] for f in report["findings"] if f["kind"] == "leaf"}, {leaf})
        path = self.damaged("counted", ("UPDATE feed_entry SET n_events = n_events + 1 WHERE feed = ?1 AND partition ="
                                        " (SELECT max(partition) FROM feed_entry WHERE feed = ?1)", AIS))
        report = self.fsck(path, expect=1)
        self.assert_found("a changed feed count", report, feed=1)
        self.assertIn("n_events", report["findings"][0]["text"])
        path = self.damaged("moved", ("UPDATE stream_state SET cum_seq = cum_seq - 1 WHERE device = ?",
                                      self.devices[0].device_id))
        self.assert_found("a stream's head moved back", self.fsck(path, expect=1), head=2)
        path = self.damaged("unlost", ("DELETE FROM loss",))
        self.assert_found("a Loss removed", self.fsck(path, expect=1), chain=1, head=1)
        path = self.damaged("short", ("UPDATE log_head SET size = size - 1",))
        report = self.fsck(path, *self.kafka(), expect=1)
        self.assertEqual(report["found"].get("cursor"), 1, report)

    # ---- exports ----

    def export(self, name, *words, expect=0):
        path = self.folder / name
        done = self.site.headrace("ledger", "export", self.aggregator.ledger, "--out", path, *words, expect=expect)
        return path, done.stderr

    def rebuild(self, name, *exports, expect=0):
        target = self.folder / name
        done = self.site.headrace("ledger", "rebuild", *(w for e in exports for w in ("--from", e)), target, expect=expect)
        return target, done.stdout + done.stderr

    def inspected(self, ledger):
        return json.loads(self.site.headrace("ledger", "inspect", ledger, "--json").stdout)

    def audit_entries(self, ledger):
        with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=60)) as db:
            return db.execute("SELECT * FROM audit ORDER BY id").fetchall()

    def check_exports(self, leaves):
        whole, said = self.export("whole.export")
        self.assertIn(f"{leaves} batches", said)
        self.export("whole.export", expect=1)  # an existing file is not written over
        out = subprocess.run([harness.program("headrace"), "ledger", "export", self.aggregator.ledger],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
                             timeout=harness.DEADLINE_S).stdout
        self.assertEqual(out, whole.read_bytes(), "standard output")
        for cut in (len(out) * 9 // 10, 20):
            broken = self.folder / f"cut.{cut}.export"
            broken.write_bytes(out[:cut])
            self.site.headrace("ledger", "rebuild", "--check", "--from", broken, expect=1)
            self.export(broken.name, "--resume")
            self.assertEqual(broken.read_bytes(), out, f"resumed behind byte {cut}")
        for at in (len(out) // 2, len(out) - 1):
            spoiled = self.folder / f"spoiled.{at}.export"
            spoiled.write_bytes(out[:at] + bytes([out[at] ^ 4]) + out[at + 1:])
            _, said = self.rebuild(f"spoiled.{at}.db", spoiled, expect=1)
            self.assertIn("no export, or broken", said)
            self.assertFalse((self.folder / f"spoiled.{at}.db").exists(), "nothing is written before all is checked")
        head, _ = self.export("head.export", "--to-leaf", leaves // 2)
        tail, _ = self.export("tail.export", "--from-leaf", leaves // 2)
        self.rebuild("none.db", head, expect=1)
        self.rebuild("none.db", tail, head, expect=1)
        parts, _ = self.rebuild("parts.db", head, tail)
        self.assertEqual(self.inspected(parts), self.inspected(self.aggregator.ledger))
        self.assert_clean(parts)
        late, _ = self.rebuild("late.db", tail)
        report = self.assert_clean(late, *self.kafka())
        self.assertEqual((report["first_leaf"], report["pruned"]), (leaves // 2, leaves // 2))
        self.assertGreater(report["kafka"]["pruned"], 0)
        damaged = self.damaged("forged", ("UPDATE batch SET envelope = ? WHERE leaf = 1",
                                          self.envelope(1)[:-1] + bytes([self.envelope(1)[-1] ^ 1])))
        forged = self.folder / "forged.export"
        self.site.headrace("ledger", "export", damaged, "--out", forged)
        _, said = self.rebuild("forged.rebuilt.db", forged, expect=1)
        self.assertIn("leaf 1", said)
        rebuilt, said = self.rebuild("rebuilt.db", whole)
        self.assertIn(f"leaves 0 to {leaves}", said)
        self.rebuild("rebuilt.db", whole, expect=1)  # it is not empty
        self.assertEqual(self.inspected(rebuilt), self.inspected(self.aggregator.ledger))
        entries = self.audit_entries(self.aggregator.ledger)
        self.assertGreaterEqual(len(entries), 2)  # at least enrolled, and active
        self.assertEqual(self.audit_entries(rebuilt), entries)
        self.assert_clean(rebuilt, *self.kafka())
        return whole, rebuilt

    def check_postgres(self, export):
        postgres = self.own(Postgres(self.folder))
        other = self.own(harness.Aggregator(self.site, name="on_postgres", sinks=self.broker.sinks(),
                                            ledger=postgres.ledger()))
        other.write_config()
        self.site.headrace("ledger", "rebuild", "--from", export, "--config", other.config)
        self.site.headrace("ledger", "rebuild", "--from", export, "--config", other.config, expect=1)
        self.assert_clean("--config", other.config)
        back = self.folder / "back.export"
        self.site.headrace("ledger", "export", "--config", other.config, "--out", back)
        self.assertEqual(back.read_bytes(), export.read_bytes(), "what PostgreSQL holds is what SQLite held")
        postgres.psql('ALTER TABLE headrace.batch DISABLE TRIGGER ALL; UPDATE headrace.batch SET digest = sha256(digest) '
                      'WHERE leaf = 2')
        report = self.fsck("--config", other.config, "--offline", expect=1)
        self.assertEqual(report["found"].get("batch"), 1, report)

    def check_goes_on(self, rebuilt):
        """An aggregator on the rebuilt ledger, with the cursor that Kafka has."""
        before = self.aggregator.query("SELECT size FROM log_head")[0][0]
        shutil.move(rebuilt, self.aggregator.ledger)
        for leftover in self.folder.glob("aggregator/ledger.db-*"):
            leftover.unlink()
        self.aggregator.start()
        self.post(0, 3)
        self.post(1, 2)
        wait_published(self.aggregator)
        Topics(self, self.broker).assert_exactly_once(self.lost)
        self.assert_clean("--config", self.aggregator.config)
        self.assertEqual(self.aggregator.stop(), 0)
        self.assertEqual(self.assert_clean("--config", self.aggregator.config)["size"], before + 5)

    # ---- the topics ----

    def tamper(self, *commands):
        done = subprocess.run([harness.ROOT / "tools/dev/kafka", "tamper", "--data", self.broker.data], text=True,
                              input="".join(" ".join(map(str, c)) + "\n" for c in commands), stdout=subprocess.PIPE,
                              timeout=harness.DEADLINE_S, check=True)
        self.assertEqual(done.stdout.split(), ["ok"] * len(commands))

    def check_tampered_topics(self):
        origin = self.inspected(self.aggregator.ledger)["origin"]
        published = self.broker.read(AIS, RAW_AIS)
        event = next(p for p in published if p.topic == AIS and p.leaf == 2)
        raw = next(p for p in published if p.topic == RAW_AIS and p.leaf == 1)
        self.tamper(("copy", event.topic, event.partition, event.offset),
                    ("copy", raw.topic, raw.partition, raw.offset))
        report = self.fsck(self.aggregator.ledger, *self.kafka(), expect=1)
        self.assert_found("two records doubled", report, doubled=2)
        self.assertEqual(sorted((f["topic"], f["leaf"], f["partition"]) for f in report["findings"]),
                         sorted([(AIS, 2, event.partition), (RAW_AIS, 1, raw.partition)]))
        self.assertTrue(all(f["offset"] > p.offset for f, p in zip(
            sorted(report["findings"], key=lambda f: f["topic"] != AIS), (event, raw))), report["findings"])
        self.tamper(("put", AIS, 0, "by-hand"),
                    ("put", AIS, 0, "stranger", "log=" + "ab" * 16, "leaf=1", "record_index=0", "output_index=0"),
                    ("copy", event.topic, event.partition, event.offset, "leaf=99999"),
                    ("copy", event.topic, event.partition, event.offset, "record_index=77"),
                    ("copy", raw.topic, raw.partition, raw.offset, "leaf=2"),
                    ("put", RAW_AIS, 0, "no-batch", f"log={origin}", "leaf=1"))
        report = self.fsck(self.aggregator.ledger, *self.kafka(), expect=1)
        self.assert_found("six records of nobody besides", report, doubled=2, alien=6)
        self.assertTrue(all("offset" in f for f in report["findings"]))
        partitions = collections.Counter(p.partition for p in published if p.topic == RAW_AIS)
        partition, count = partitions.most_common(1)[0]
        gone = {p.leaf for p in published if p.topic == RAW_AIS and p.partition == partition}
        end = 1 + max(p.offset for p in published if p.topic == RAW_AIS and p.partition == partition)
        self.tamper(("delete", RAW_AIS, partition, end))
        report = self.fsck(self.aggregator.ledger, *self.kafka(), expect=1)
        missing = {f["leaf"] for f in report["findings"] if f["kind"] == "missing"}
        # The copy of leaf 1 was put behind the end of its partition: when that was deleted, it stands in for the first.
        self.assertEqual(missing, gone - {1} if raw.partition == partition else gone)
        print(f"{count} raw records deleted: {len(missing)} are missing", flush=True)

    def test_what_is_wrong_is_found_and_what_is_rebuilt_goes_on(self):
        self.post(0, 6)
        self.post(1, 2)
        self.post_with_loss()
        self.post(1, 2)
        self.post(2, 1)
        self.post_fork()
        wait_published(self.aggregator)
        self.assertEqual(self.assert_clean("--config", self.aggregator.config)["size"], 12)  # while it runs
        self.assertEqual(self.aggregator.stop(), 0)
        report = self.assert_clean(self.aggregator.ledger, *self.kafka())
        self.assertEqual((report["batches"], report["losses"], report["kafka"]["cursor"]), (12, 1, 12))
        self.assertGreater(report["feeds"][0]["compared"], 0)
        self.assertEqual(report["kafka"]["matched"], report["kafka"]["records"])
        self.assertIn("found     nothing", self.site.headrace("ledger", "fsck", self.aggregator.ledger).stdout)
        self.site.headrace("ledger", "fsck", self.folder / "none", expect=2)
        self.site.headrace("ledger", "fsck", expect=3)
        self.check_damaged_ledgers(leaf=3)
        export, rebuilt = self.check_exports(leaves=12)
        self.check_postgres(export)
        self.check_goes_on(rebuilt)
        self.check_tampered_topics()


if __name__ == "__main__":
    unittest.main()
