#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Batches older than the configuration keeps them are deleted behind the publisher, and never before it.

While Kafka is away nothing goes, however old; when it is back all of it arrives, once, and then goes, but for the newest.
What the feed ledger says of it stays."""
import json
import sys
import unittest

from harness import Aggregator, Site, SystemTest, free_port, program, run, wait_for
from pipeline import AIS, Broker, Collector, Fleet, Topics, wait_published

DEADLINE_S = 300
KEPT = "retention: 2s"
SPARED = 16  # of what is delivered these are kept all the same: a sink may have to look back
ENOUGH = 50  # batches


class Retention(SystemTest):
    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks() + f"  transaction_max_batches: {SPARED}\n",
                                              ledger=f"ledger:\n  sqlite: {self.folder}/aggregator/ledger.db\n  {KEPT}\n"))
        self.port = free_port()
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
        self.collector = self.own(Collector(self.site.enrol("gateway"), [self.aggregator.coaps_tcp], taps,
                                            spool_size="16MiB", more="seal: {max_age: 100ms}\n"))

    def metric(self, name):
        return self.aggregator.metric(f"headrace_{name}")

    def wait_turns(self, n):
        before = self.metric("retention_turns_total")
        wait_for(f"retention to look {n} times", lambda: self.metric("retention_turns_total") >= before + n, DEADLINE_S)

    def feeds(self, *words):
        return run(program("headrace"), "feeds", *words, "--config", self.aggregator.config, "--json")

    def test_nothing_goes_before_it_is_published_and_entries_stay(self):
        self.broker.run("stop")
        self.aggregator.start(ready=False)
        wait_for("the aggregator to answer", lambda: self.aggregator.http("/metrics")[0] == 200, DEADLINE_S)
        self.collector.start()
        fleet = self.own(Fleet(self.port, 7, 100, self.folder))
        wait_for(f"{ENOUGH} batches", lambda: self.metric("ledger_leaves") >= ENOUGH, DEADLINE_S, self.collector.status)
        self.wait_turns(40)  # 4 s at least: all of these batches are older than what is kept by now
        self.assertEqual(self.metric("ledger_first_leaf"), 0)
        self.assertEqual(self.aggregator.query(f"SELECT min(leaf), count(*) >= {ENOUGH} FROM batch"), [(0, 1)])

        self.broker.start()
        wait_for("old batches to go", lambda: self.metric("ledger_first_leaf") >= ENOUGH, DEADLINE_S,
                 lambda: self.aggregator.process.lines[-5:])
        self.assertGreaterEqual(self.metric("publish_next_leaf{sink=\"kafka\"}"), self.metric("ledger_first_leaf"))
        fleet.stop()
        self.collector.wait_status("the spool to drain", lambda s: s["drained"] and s["open_records"] == 0, DEADLINE_S)
        self.assertEqual(self.collector.process.stop(), 0)  # so that nothing comes of its own accord
        wait_published(self.aggregator, DEADLINE_S)

        def only_the_newest_are_left():
            (count, first, newest), = self.aggregator.query("SELECT count(*), min(leaf), max(leaf) FROM batch")
            return count == SPARED and newest == self.metric("ledger_leaves") - 1

        wait_for("all but the newest to go", only_the_newest_are_left, DEADLINE_S,
                 lambda: self.aggregator.query("SELECT count(*), min(leaf), max(leaf) FROM batch"))
        (head,), = self.aggregator.query("SELECT first_leaf FROM log_head")
        self.assertEqual(head, self.metric("ledger_leaves") - SPARED)
        self.assertEqual(self.aggregator.query(
            "SELECT count(*) FROM feed_span, log_head WHERE feed_span.first_leaf + n_leaves <= log_head.first_leaf"), [(0,)])

        topics = Topics(self, self.broker)
        topics.assert_exactly_once()
        events = sum(p.topic == AIS for p in topics.published)
        entries = json.loads(self.feeds("list", "--feed", AIS, "--limit", "0").stdout)
        self.assertEqual(sum(e["events"] for e in entries), events)
        self.assertTrue(all(len(e["content"]) == 64 for e in entries))
        done = json.loads(self.feeds("replay", "--feed", AIS, "--from", "2020-01-01", "--to", "now").stdout)["replays"][0]
        self.assertEqual((done["state"], done["changed"]), ("completed", 0))
        self.assertIn("retention has deleted", done["reason"])

        # And everything goes on, also after a restart.
        self.assertEqual(self.aggregator.stop(), 0)
        self.aggregator.start()
        self.collector.start()
        again = self.own(Fleet(self.port, 8, 100, self.folder))
        leaves = self.metric("ledger_leaves")
        wait_for("more batches", lambda: self.metric("ledger_leaves") >= leaves + 10, DEADLINE_S)
        again.stop()
        wait_published(self.aggregator, DEADLINE_S)
        self.assertEqual(self.aggregator.query("SELECT count(*) FROM conflict"), [(0,)])
        print(f"{int(leaves)} batches with {events} AIS events published, then deleted", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
