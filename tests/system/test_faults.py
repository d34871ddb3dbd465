#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Faults between the ledger and Kafka: the aggregator killed at every named failpoint, a ledger restored from a backup, and
a Kafka that has forgotten the cursor, the records, or both, or compacts the cursor's topic under its publisher.

In each, what was acknowledged is in Kafka's read_committed view once and in order, and the ledger equals the topic.
HEADRACE_LONG=1 kills at 200 random failpoints instead of 2."""
import base64
import collections
import contextlib
import json
import shutil
import signal
import sqlite3
import sys
import unittest

import wire
from harness import Aggregator, Site, wait_for
from pipeline import LONG, BrokerTest, Topics, seeded, wait_published
from probe import Probe
from publishing import DEADLINE_S, TOPICS, Publisher, assert_exactly_once

# Each place of the way from a verified batch to the acknowledgement and to Kafka, and of the publisher's start.
INTAKE = ["after_verify", "batch_submitted", "before_commit", "ledger_begun", "ledger_written", "ledger_committed", "after_commit",
          "after_ack"]
PUBLISHING = ["publish_begun", "publish_put", "publish_before_commit", "kafka_cursor_put", "publish_after_commit",
              "publish_hinted"]
FEEDS = ["feed_gathered", "feed_stored"]  # once a second and less
STARTING = ["publish_sized", "kafka_initialized", "kafka_fenced", "kafka_read_back", "publish_recovered", "feed_loaded"]
RETENTION = ["retention_deleting", "retention_pruned"]
N_RANDOM = 200 if LONG else 2
RETRY_AFTER_S = 1
CURSOR = "headrace.cursor"


class Sender:
    """A device that sends one batch after the other and each until it is acknowledged."""

    def __init__(self, test, device):
        self.test, self.device = test, device
        self.key, self.stream = wire.Key(device.record_key), wire.Stream(device.device_id)
        self.acked = {}  # digest by seq
        self._new()

    def _new(self):
        records = [wire.ais_record(bytes([4, self.stream.seq % 64, *bytes(19)])), wire.event_record(1, str(self.stream.seq))]
        self.batch = self.stream.next(records)
        self.envelope = self.batch.envelope(self.key)

    def send(self, aggregator, n=None):
        """Until n more are acknowledged; without n until the aggregator is gone."""
        goal = len(self.acked) + n if n is not None else None
        with contextlib.closing(Probe(aggregator.coaps, self.device)) as probe:
            while aggregator.process.alive() and goal != len(self.acked):
                token = probe.send(self.envelope)
                wait_for("an answer or the end", lambda: probe.answers(token) or not aggregator.process.alive(), DEADLINE_S)
                for answer in probe.answers(token):
                    status = wire.Ack.of(bytes.fromhex(answer["payload"])).status
                    self.test.assertIn(status, (wire.OK, wire.DUPLICATE))
                    self.acked[self.batch.seq] = self.batch.digest.hex()
                    self._new()

    def is_refused(self, aggregator, code="5.03", status=wire.UNAVAILABLE):
        """The batch is answered so, and not taken."""
        with contextlib.closing(Probe(aggregator.coaps, self.device)) as probe:
            answer = probe.answer(probe.send(self.envelope), DEADLINE_S)
        self.test.assertEqual((answer.code, answer.ack.status), (code, status), answer)


class Faults(BrokerTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.site = Site(self.folder)

    def make_aggregator(self, ledger=None):
        sinks = self.broker.sinks() + "  transaction_max_batches: 4\n"
        return self.own(Aggregator(self.site, sinks=sinks, limits={"retry_after": f"{RETRY_AFTER_S}s"}, ledger=ledger))

    def assert_ledger_equals_topic(self, aggregator, senders, first_leaf=0):
        """And both hold what was acknowledged, and nothing else; the ledger from that leaf on."""
        (log,), = aggregator.query("SELECT origin FROM log_head")
        topics = Topics(self, self.broker, log)
        n_records = topics.assert_exactly_once()
        rows = aggregator.query("SELECT leaf, device, seq, lower(hex(digest)) FROM batch")
        in_topic = {(leaf, b.device, b.batch_seq, b.digest) for leaf, b in topics.raw.items()}
        rows += [row for row in in_topic if row[0] < first_leaf]
        self.assertEqual(sorted(set(rows) ^ in_topic)[:5], [], "in the ledger or in Kafka, not in both")
        acked = {(s.device.device_id, seq, digest) for s in senders for seq, digest in s.acked.items()}
        self.assertEqual({row[1:] for row in in_topic}, acked)
        print(f"{self.id().split('.')[-1]}: {len(acked)} batches acknowledged, in the ledger and in Kafka; {n_records} "
              "records, each once and in order", flush=True)

    # ---- the aggregator dies ----

    def kill_at(self, aggregator, sender, plan):
        """Kills it at each of these places, while the sender sends; how often at which."""
        kills = collections.Counter()
        for failpoint in plan:
            aggregator.start(ready=False, env={"HEADRACE_FAILPOINT": failpoint})
            if wait_for("it to be ready, or to be killed", lambda: aggregator.http("/readyz")[0] == 200
                        or not aggregator.process.alive(), DEADLINE_S) and aggregator.process.alive():
                sender.send(aggregator)
            self.assertEqual(aggregator.process.wait(DEADLINE_S), -signal.SIGKILL, f"{failpoint} was not reached")
            kills[failpoint.split(":")[0]] += 1
        return kills

    def test_the_aggregator_is_killed_at_every_failpoint(self):
        aggregator = self.make_aggregator()
        sender = Sender(self, self.site.enrol("gateway"))
        plan = [f"{name}:1" for name in STARTING + FEEDS]
        plan += [f"{name}:{2 + self.random.randrange(3)}" for name in INTAKE + PUBLISHING]
        plan += [f"{self.random.choice(INTAKE + PUBLISHING)}:{1 + self.random.randrange(12)}" for _ in range(N_RANDOM)]
        self.random.shuffle(plan)
        kills = self.kill_at(aggregator, sender, plan)
        aggregator.start()
        sender.send(aggregator, 3)
        wait_published(aggregator, DEADLINE_S)
        self.assertEqual(set(kills), {*INTAKE, *PUBLISHING, *FEEDS, *STARTING})
        print(f"killed {kills.total()} times: {dict(kills)}", flush=True)
        self.assert_ledger_equals_topic(aggregator, [sender])

    def test_the_aggregator_is_killed_while_retention_deletes(self):
        """What is gone from the ledger is in Kafka, and what is not in Kafka is not gone."""
        ledger = f"ledger:\n  sqlite: {self.folder}/aggregator/ledger.db\n  retention: 1s\n"
        aggregator = self.make_aggregator(ledger)
        sender = Sender(self, self.site.enrol("gateway"))
        kills = self.kill_at(aggregator, sender, [f"{name}:{k}" for k in (1, 2) for name in RETENTION])
        aggregator.start()
        sender.send(aggregator, 3)
        wait_published(aggregator, DEADLINE_S)
        self.assertEqual(aggregator.stop(), 0)
        (first_leaf,), = aggregator.query("SELECT first_leaf FROM log_head")
        self.assertGreater(first_leaf, 0)
        self.assertEqual(aggregator.query("SELECT min(leaf) FROM batch"), [(first_leaf,)])
        print(f"killed {kills.total()} times: {dict(kills)}; leaves below {first_leaf} are deleted", flush=True)
        self.assert_ledger_equals_topic(aggregator, [sender], first_leaf)

    # ---- yesterday's backup ----

    def restore(self, aggregator, backup):
        """The ledger is what it was when the backup was made."""
        for path in aggregator.folder.glob("ledger.db*"):
            path.unlink()
        for path in backup.iterdir():
            shutil.copy(path, aggregator.folder / path.name)

    def back_up(self, aggregator, name):
        backup = self.folder / name
        backup.mkdir()
        with contextlib.closing(sqlite3.connect(aggregator.ledger)) as source, \
                contextlib.closing(sqlite3.connect(backup / "ledger.db")) as target:
            source.backup(target)
        return backup

    def assert_halted(self, aggregator):
        def halted():
            status, text = aggregator.http("/readyz")
            return status == 503 and "the ledger was rolled back" in text
        wait_for("the publisher to halt", halted, DEADLINE_S, lambda: aggregator.http("/readyz"))

    def test_a_ledger_restored_from_a_backup_publishes_and_takes_nothing(self):
        sender, other = Sender(self, self.site.enrol("gateway")), Sender(self, self.site.enrol("other"))
        aggregator = self.make_aggregator().start()
        sender.send(aggregator, 5)
        wait_published(aggregator, DEADLINE_S)
        aggregator.stop()
        yesterday = self.back_up(aggregator, "yesterday")
        aggregator.start()
        sender.send(aggregator, 7)
        wait_published(aggregator, DEADLINE_S)
        aggregator.stop()
        today = self.back_up(aggregator, "today")

        self.restore(aggregator, yesterday)  # Kafka has 12 leaves, the ledger 5
        aggregator.start(ready=False)
        self.assert_halted(aggregator)
        other.is_refused(aggregator)
        sender.is_refused(aggregator, "2.04", wire.GAP)  # what comes before it is not here
        self.assertEqual(aggregator.query("SELECT count(*) FROM batch"), [(5,)])
        aggregator.stop()

        # Kafka was away when the old ledger came back, and it has grown beyond what Kafka has, another way.
        self.restore(aggregator, yesterday)
        self.broker.kill()
        aggregator.start()
        astray = Sender(self, other.device)
        astray.send(aggregator, 10)
        self.broker.start()
        self.assert_halted(aggregator)
        astray.is_refused(aggregator)
        aggregator.stop()

        self.restore(aggregator, today)
        aggregator.start()
        for device in (sender, other):
            device.send(aggregator, 4)
        wait_published(aggregator, DEADLINE_S)
        self.assert_ledger_equals_topic(aggregator, [sender, other])

    # ---- what Kafka forgets ----

    def publish(self, origin, leaves):
        publisher = Publisher(self.folder, f"to-{leaves}", self.broker.address, leaves, origin)
        self.addCleanup(publisher.close)
        publisher.finish()
        return publisher

    def assert_published(self, origin, leaves, first_leaf=0):
        assert_exactly_once(self, self.broker.run("read", "--topics", TOPICS).splitlines(), origin, leaves, first_leaf)

    def test_records_and_cursor_that_kafka_has_forgotten(self):
        origin = "16" * 16
        self.publish(origin, 300)
        self.broker.run("forget", "--topics", CURSOR, "--whole")
        self.assertIn("kafka_cursor_missing", self.publish(origin, 400).log())
        self.assert_published(origin, 400)

        self.broker.run("forget", "--topics", TOPICS)  # as retention does
        self.assertIn("next leaf 400", self.publish(origin, 500).log())
        self.assert_published(origin, 500, 400)

        self.broker.run("forget", "--topics", TOPICS)
        self.broker.run("forget", "--topics", CURSOR, "--whole")
        self.assertIn("next leaf 0", self.publish(origin, 600).log())  # nothing of it is there: all of it again
        self.assert_published(origin, 600)

    def cursors(self, origin):
        """(offset, next leaf) of each cursor of this log that Kafka still has."""
        records = map(json.loads, self.broker.run("read", "--topics", CURSOR).splitlines())
        return [(r["offset"], json.loads(base64.b64decode(r["value"]))["next_leaf"]) for r in records
                if base64.b64decode(r["key"]).decode() == origin]

    def wait_compacted(self, origin, n_written):
        """Until most of the cursors that were written are gone."""
        left = wait_for("Kafka to compact the cursor's topic", lambda: (c := self.cursors(origin)) and
                        len(c) <= n_written // 2 and c, DEADLINE_S, lambda: f"{len(self.cursors(origin))} of {n_written}")
        self.assertEqual(left, sorted(left))
        return left

    def test_a_publisher_goes_on_behind_a_cursor_topic_that_kafka_compacts(self):
        """While the topic is compacted the aggregator is killed and ended; each start goes on at its last cursor."""
        sender = Sender(self, self.site.enrol("gateway"))
        aggregator = self.make_aggregator().start()
        self.broker.run("compact", "--topics", CURSOR)
        (origin,), = aggregator.query("SELECT origin FROM log_head")
        n_written = n_left = 0
        for failpoint in ("publish_before_commit:12", "publish_after_commit:12", None):
            if failpoint is not None:
                aggregator.stop()
                aggregator.start(env={"HEADRACE_FAILPOINT": failpoint})
                sender.send(aggregator)
                self.assertEqual(aggregator.process.wait(DEADLINE_S), -signal.SIGKILL, f"{failpoint} was not reached")
                n_written += 11
            else:
                sender.send(aggregator, 12)
                wait_published(aggregator, DEADLINE_S)
                self.assertEqual(aggregator.stop(), 0)
            left = self.wait_compacted(origin, n_written)
            aggregator.start()
            recovered = aggregator.process.wait_event("kafka_recovered")
            self.assertIn(f"next leaf {left[-1][1]} of ", json.dumps(recovered))
            self.assertEqual(aggregator.process.events("kafka_cursor_missing"), [])
            n_left = len(left)
        sender.send(aggregator, 3)
        wait_published(aggregator, DEADLINE_S)
        print(f"{n_left} of more than {n_written} cursors were left", flush=True)
        self.assert_ledger_equals_topic(aggregator, [sender])


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
