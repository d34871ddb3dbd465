#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kafka is away for longer than the ledger has room. The aggregator goes on committing and acknowledging up to its
bound, then tells collectors to come again later (5.03 with Max-Age) and grows no further; /readyz says why. When Kafka
is back, all of it recovers by itself, and every record is published once."""
import json
import os
import socket
import subprocess
import sys
import unittest

import wire
from harness import Aggregator, Site, SystemTest, free_port, program, wait_for
from pipeline import EVENTS, Broker, Collector, Topics, wait_published
from probe import Probe

DEADLINE_S = 300
BOUND_BYTES = 1024 * 1024
FEEDS_BYTES = 1024 * 1024  # what the feed ledger had to store at once, when there was no room
WAL_BYTES = 24 * 1024 * 1024  # moved when it has 16 MB; one group may come on top
CHUNK, MAX_CHUNKS = 5000, 40
RETRY_AFTER_S = 3


class Backpressure(SystemTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.gateway, self.other = self.site.enrol("gateway"), self.site.enrol("other")

    def ledger(self, more):
        return f"ledger:\n  sqlite: {self.folder / 'aggregator' / 'ledger.db'}\n{more}"

    def start_pipeline(self):
        self.broker = self.own(Broker(self.folder))
        sinks = self.broker.sinks() + "  transaction_max_batches: 16\n"
        self.aggregator = self.own(Aggregator(
            self.site, sinks=sinks, limits={"retry_after": f"{RETRY_AFTER_S}s"},
            ledger=self.ledger(f"  max_bytes: {BOUND_BYTES}\n  min_free: 0\n"))).start()
        self.port = free_port()
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
        self.collector = self.own(Collector(self.gateway, [self.aggregator.coaps_tcp], taps,
                                            spool_size="32MiB", more="seal: {max_age: 300ms}\n")).start()
        self.n_sent = 0

    def send(self, n_messages):
        """Sends so many messages of a fleet, and waits until the collector has sealed them."""
        done = subprocess.run([program("headrace"), "sim", "ais", "--rate", "0", "--vessels", "500", "--seed",
                               str(self.n_sent + 1), "--count", str(n_messages), "--to", "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True)
        self.n_sent += n_messages

        def connect():
            try:
                return socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return None
        with wait_for("the tap to listen", connect, DEADLINE_S) as feed:
            feed.sendall(done.stdout)
        self.collector.wait_status("the messages sealed", lambda s: s["stats"]["ais"]["messages"] >= self.n_sent
                                   and s["open_records"] == 0, DEADLINE_S)

    def readiness(self):
        status, text = self.aggregator.http("/readyz")
        return status, json.loads(text) if text.startswith("{") else {}

    def is_full(self):
        return self.readiness()[1].get("ledger") == "full"

    def unavailable(self):
        return self.aggregator.metric('headrace_answers_total{status="unavailable"}')

    def sizes(self):
        """Bytes of the ledger's file and of its write-ahead log."""
        return [os.path.getsize(f"{self.aggregator.ledger}{suffix}") for suffix in ("", "-wal")]

    def memory_bytes(self):
        with open(f"/proc/{self.aggregator.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    def fill(self):
        """Sends until the ledger is full; what is sent is acknowledged until then."""
        for _ in range(MAX_CHUNKS):
            self.send(CHUNK)
            wait_for("the chunk to be acknowledged, or the ledger to be full",
                     lambda: self.is_full() or (self.collector.status() or {}).get("drained"), DEADLINE_S)
            if self.is_full():
                return
        self.fail(f"{MAX_CHUNKS * CHUNK} messages did not fill {BOUND_BYTES} bytes: {self.readiness()}")

    def test_kafka_away_for_longer_than_there_is_room(self):
        self.start_pipeline()
        self.send(500)
        self.collector.wait_status("the first to be acknowledged", lambda s: s["drained"], DEADLINE_S)
        wait_published(self.aggregator, DEADLINE_S)
        published = self.aggregator.metric('headrace_publish_next_leaf{sink="kafka"}')

        self.broker.kill()
        self.fill()
        metrics = self.aggregator.metrics()
        n_waiting = metrics["headrace_ledger_leaves"] - published
        self.assertGreater(n_waiting, 40, "committed and acknowledged without Kafka")
        self.assertEqual(metrics['headrace_publish_next_leaf{sink="kafka"}'], published)
        status, ready = self.readiness()
        self.assertEqual((status, ready["ledger"]), (503, "full"))
        self.assertIn("ledger.max_bytes is reached", ready["why"])
        self.assertRegex(ready["why"], r"\d+ batches wait for kafka")

        envelope = self.other_envelope()
        probe = self.own(Probe(self.aggregator.coaps, self.other))
        answer = probe.answer(probe.send(envelope), DEADLINE_S)
        self.assertEqual((answer.code, answer.ack.status, answer.max_age), ("5.03", wire.UNAVAILABLE, RETRY_AFTER_S))

        self.assert_nothing_grows()
        self.broker.start()
        wait_for("the aggregator to be ready again", lambda: self.readiness()[0] == 200, DEADLINE_S)
        self.collector.wait_status("the spool to drain", lambda s: s["drained"], DEADLINE_S)
        wait_for("the other device's batch to be committed",
                 lambda: probe.answer(probe.send(envelope), DEADLINE_S).ack.status in (wire.OK, wire.DUPLICATE), DEADLINE_S)
        self.collector.process.stop()
        wait_published(self.aggregator, DEADLINE_S)
        self.aggregator.process.wait_event("ledger_full")
        self.aggregator.process.wait_event("ledger_has_room")
        self.assertGreater(self.aggregator.metric("headrace_ledger_first_leaf"), 0)
        sealed = json.loads(self.collector.status_path.read_text())["next_record_seq"]
        n_records = Topics(self, self.broker).assert_exactly_once()
        self.assertEqual(n_records, sealed + 1, "the collector's records and that of the other device")
        self.assertLessEqual(self.sizes()[0], BOUND_BYTES + FEEDS_BYTES)
        print(f"{n_waiting:.0f} batches committed without Kafka, then 5.03; {n_records} records, each published once",
              flush=True)

    def other_envelope(self):
        batch = wire.Stream(self.other.device_id).next([wire.event_record(1, "while full")])
        return batch.envelope(wire.Key(self.other.record_key))

    def assert_nothing_grows(self):
        """More comes, and is refused; the ledger, its log and the process stay as they are."""
        leaves, memory = self.aggregator.metric("headrace_ledger_leaves"), self.memory_bytes()
        refused = self.unavailable()
        self.send(2 * CHUNK)
        wait_for("five more refusals", lambda: self.unavailable() >= refused + 5, DEADLINE_S)
        self.assertTrue(self.is_full())
        file_bytes, wal_bytes = self.sizes()
        self.assertLessEqual(file_bytes, BOUND_BYTES)
        self.assertLessEqual(wal_bytes, WAL_BYTES)
        # What was too large for the rest may be followed by something small that fits.
        self.assertLessEqual(self.aggregator.metric("headrace_ledger_leaves"), leaves + 40)
        self.assertLess(self.memory_bytes(), memory + 32 * 1024 * 1024)
        self.assertFalse(self.collector.status()["drained"])
        self.assertEqual(self.collector.status()["stats"]["collector"]["losses"], 0)

    def test_a_disk_with_too_little_left_takes_nothing_and_says_so(self):
        aggregator = self.own(Aggregator(self.site, limits={"retry_after": "4s"},
                                         ledger=self.ledger("  min_free: 1000000000GiB\n"))).start(ready=False)
        self.aggregator = aggregator
        wait_for("the aggregator to say that it is full", self.is_full, DEADLINE_S)
        status, ready = self.readiness()
        self.assertEqual(status, 503)
        self.assertIn("the disk has less than ledger.min_free left", ready["why"])
        probe = self.own(Probe(aggregator.coaps, self.other))
        answer = probe.answer(probe.send(self.other_envelope()), DEADLINE_S)
        self.assertEqual((answer.code, answer.ack.status, answer.max_age), ("5.03", wire.UNAVAILABLE, 4))

    def test_what_is_old_and_delivered_is_deleted_and_nothing_else(self):
        aggregator = self.own(Aggregator(self.site, ledger=self.ledger("  retention: 1s\n")))
        aggregator.sinks += "  transaction_max_batches: 1\n"
        aggregator.start()
        probe = self.own(Probe(aggregator.coaps, self.other))
        stream, key = wire.Stream(self.other.device_id), wire.Key(self.other.record_key)
        for number in range(8):
            answer = probe.answer(probe.send(stream.next([wire.event_record(1, str(number))]).envelope(key)), DEADLINE_S)
            self.assertEqual(answer.ack.status, wire.OK)
        # The newest is spared: a sink may have to look back over one transaction.
        wait_for("seven batches to be deleted", lambda: aggregator.metric("headrace_ledger_first_leaf") == 7, DEADLINE_S)
        self.assertEqual(aggregator.query("SELECT leaf FROM batch"), [(7,)])
        self.assertEqual(aggregator.metric("headrace_ledger_batches_pruned_total"), 7)
        self.assertEqual(aggregator.metric("headrace_ledger_leaves"), 8)
        tail = subprocess.run([program("headrace"), "tail", "--files", aggregator.files, "--topic", EVENTS],
                              stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(len(tail.stdout.splitlines()), 8)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
