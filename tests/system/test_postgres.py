#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The whole pipeline with its ledger on PostgreSQL: a collector under a simulated fleet, an aggregator or two, and Apache
Kafka, while SIGKILL takes the aggregator, the database server, or both, and while aggregators take over from each other.
In the end each sealed record is in Kafka once, in order, and nothing sealed is missing.

HEADRACE_LONG=1 does it five times as often."""
import collections
import json
import sys
import threading
import time
import unittest

from harness import Aggregator, Site, SystemTest, free_port, wait_for
from pipeline import LONG, Broker, Collector, Fleet, Topics, body_of, seeded, wait_published
from postgres import Postgres

ROUNDS = 20 if LONG else 4
TAKE_OVERS = 25 if LONG else 5
RATE = 300
LOSS_BODY = 10
PATIENCE_S = 240
EXIT_TAKEN_OVER = 5


class Pipeline(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.broker = self.own(Broker(self.folder))
        self.postgres = self.own(Postgres(self.folder))
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.port = free_port()

    def make_aggregator(self, name="aggregator"):
        return self.own(Aggregator(self.site, name=name, sinks=self.broker.sinks(), limits={"retry_after": "1s"},
                                   ledger=self.postgres.ledger(connect_timeout="2s", commit_timeout="120s")))

    def start_collector(self, aggregators):
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
        self.collector = self.own(Collector(self.device, [a.coaps_tcp for a in aggregators], taps, spool_size="32MiB",
                                            more="seal: {max_age: 200ms}\n")).start()
        self.fleet = self.own(Fleet(self.port, 7, RATE, self.folder))

    def leaves(self):
        return int(self.postgres.query("SELECT size FROM log_head")[0][0])

    def wait_for_more_leaves(self, n=3):
        before = self.leaves()
        wait_for("the log to grow", lambda: self.leaves() >= before + n, PATIENCE_S)

    def start_when_the_database_is_there(self, aggregator):
        """As a supervisor does: again while it can't start because the server is still away."""
        for _ in range(20):
            aggregator.start(ready=False)
            if wait_for("it to be ready or to end", lambda: aggregator.http("/readyz")[0] == 200
                        or not aggregator.process.alive(), PATIENCE_S) and aggregator.process.alive():
                return
        self.fail("the aggregator does not start:\n" + "\n".join(aggregator.process.lines[-20:]))

    def finish(self, aggregator):
        """Lets everything through and compares what was sealed with what is in Kafka and in the ledger."""
        sent = self.fleet.stop()
        self.collector.wait_status("the spool to drain", lambda s: s["drained"] and s["open_records"] == 0, PATIENCE_S)
        self.collector.process.stop()
        sealed = json.loads(self.collector.status_path.read_text())["next_record_seq"]
        wait_published(aggregator, PATIENCE_S)
        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once()
        self.assertEqual(n_records, sealed, "sealed, and not published")
        self.assertEqual([r for batch in topics.batches for r in batch.records() if body_of(r) == LOSS_BODY], [])
        self.assertEqual(self.leaves(), len(topics.batches))
        rows = self.postgres.query("SELECT count(*), count(DISTINCT leaf), min(leaf), max(leaf),"
                                   " count(DISTINCT (device, stream, seq)) FROM batch")
        n = len(topics.batches)
        self.assertEqual([int(value) for value in rows[0]], [n, n, 0, n - 1, n])
        self.assertGreater(len(sent), 0)
        print(f"{n_records} records in {n} batches, each exactly once; {len(sent)} messages were simulated", flush=True)

    def kill(self, aggregator, victims):
        """Both at once, or one of them; the aggregator is started again whenever it has ended."""
        threads = [threading.Thread(target=aggregator.kill)] if "aggregator" in victims else []
        threads += [threading.Thread(target=self.postgres.kill)] if "server" in victims else []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if "server" in victims:
            time.sleep(self.random.random() * 2)  # how long it is away is part of the chance
            self.postgres.start()
        if not aggregator.process.alive():
            self.start_when_the_database_is_there(aggregator)

    def test_each_sealed_record_is_published_once_whoever_is_killed(self):
        aggregator = self.make_aggregator().start()
        self.start_collector([aggregator])
        kills = collections.Counter()
        plan = ["aggregator", "server", "aggregator and server"] * ROUNDS
        self.random.shuffle(plan)
        for victims in plan:
            self.wait_for_more_leaves()
            time.sleep(self.random.random() * 0.3)
            self.kill(aggregator, victims)
            kills[victims] += 1
        self.wait_for_more_leaves()
        print(f"SIGKILLs {dict(kills)}", flush=True)
        self.finish(aggregator)

    def test_aggregators_take_over_from_each_other_and_each_record_is_published_once(self):
        active, standby = self.make_aggregator("a").start(), self.make_aggregator("b")
        standby.write_config()
        self.start_collector([active, standby])
        for _ in range(TAKE_OVERS):
            self.wait_for_more_leaves()
            time.sleep(self.random.random() * 0.3)
            standby.start()  # in the middle of the other's work
            self.assertEqual(active.process.wait(PATIENCE_S), EXIT_TAKEN_OVER, active.process.lines[-20:])
            active.process.wait_event("taken_over")
            active, standby = standby, active
        self.wait_for_more_leaves()
        print(f"{TAKE_OVERS} take-overs", flush=True)
        self.finish(active)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
