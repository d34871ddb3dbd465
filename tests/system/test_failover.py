#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The ledger's PostgreSQL server dies and its standby is promoted. A synchronous standby has what was acknowledged, and the
aggregator goes on there without a restart, exactly once. An asynchronous one may lack some of it: then that is found, by
the running aggregator, by Kafka's cursor, or by the collector that was told so, and it is said. Also the places at which only an aggregator on PostgreSQL can be killed."""
import json
import signal
import sys
import unittest

from harness import Aggregator, Site, free_port, wait_for
from pipeline import EVENTS, BrokerTest, Collector, Fleet, Topics, wait_published
from postgres import Postgres
from test_faults import Sender

DEADLINE_S = 180
EXIT_UNKNOWN = 4
EVENT_BEHIND = 4  # of a collector that was told less than had been acknowledged
RATE = 200
PLACES = ["ledger_head_taken:1", "ledger_sent:3", "ledger_answered:3", "ledger_sent:1"]


class Failover(BrokerTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.primary = self.own(Postgres(self.folder, "primary"))

    # ---- servers ----

    def follow(self, primary, name, is_synchronous):
        """A standby that streams from the primary, which waits for it at each commit if it is synchronous."""
        standby = self.own(Postgres(self.folder, name, primary))
        if is_synchronous:
            primary.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.psql("SELECT pg_reload_conf()")
        state = "sync" if is_synchronous else "async"
        wait_for(f"an {state} standby", lambda: primary.psql("SELECT sync_state FROM pg_stat_replication").strip() == state,
                 DEADLINE_S)
        return standby

    def wait_replayed(self, primary, standby):
        """Until the standby shows everything that the primary has now."""
        (place,), = primary.query("SELECT pg_current_wal_flush_lsn()")
        wait_for("the standby to have replayed it", lambda: standby.query(
            f"SELECT pg_last_wal_replay_lsn() >= '{place}'::pg_lsn") == [["t"]], DEADLINE_S)

    def ledger(self, *servers):
        hosts = ",".join(server.socket for server in servers)
        return servers[0].ledger(connect_timeout="2s", commit_timeout="120s").replace(servers[0].socket, hosts)

    def leaves(self, server):
        return int(server.query("SELECT size FROM log_head")[0][0])

    def wait_for_leaves(self, server, n):
        wait_for(f"{n} leaves", lambda: self.leaves(server) >= n, DEADLINE_S, lambda: self.leaves(server))

    def make_aggregator(self, *servers, name="aggregator"):
        sinks = self.broker.sinks() + "  transaction_max_batches: 4\n"
        return self.own(Aggregator(self.site, name=name, sinks=sinks, limits={"retry_after": "1s"},
                                   ledger=self.ledger(*servers)))

    # ---- what must be true ----

    def published(self, server):
        (log,), = server.query("SELECT origin FROM log_head")
        return Topics(self, self.broker, log)

    def assert_ledger_equals_topic(self, server, topics):
        rows = server.query("SELECT leaf, device, seq, encode(digest, 'hex') FROM batch")
        in_ledger = {(int(leaf), int(device), int(seq), digest) for leaf, device, seq, digest in rows}
        in_topic = {(leaf, b.device, b.batch_seq, b.digest) for leaf, b in topics.raw.items()}
        self.assertEqual(sorted(in_ledger ^ in_topic)[:5], [], "in the ledger or in Kafka, not in both")

    def start_collector(self, aggregator):
        port = free_port()
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {port}}}\n"
        collector = self.own(Collector(self.site.enrol("gateway"), [aggregator.coaps_tcp], taps, spool_size="32MiB",
                                       more="seal: {max_age: 100ms}\n")).start()
        self.port = port
        return collector, self.own(Fleet(port, 7, RATE, self.folder))

    def drain(self, collector):
        """How many records it has sealed, when all of them are acknowledged."""
        collector.wait_status("the spool to drain", lambda s: s["drained"] and s["open_records"] == 0, DEADLINE_S)
        collector.process.stop()
        return json.loads(collector.status_path.read_text())["next_record_seq"]

    # ---- no standby ----

    def test_the_aggregator_is_killed_at_each_place_of_the_postgresql_ledger(self):
        aggregator = self.make_aggregator(self.primary)
        sender = Sender(self, self.site.enrol("gateway"))
        for failpoint in PLACES:
            aggregator.start(ready=False, env={"HEADRACE_FAILPOINT": failpoint})
            if wait_for("it to be ready, or to be killed", lambda: aggregator.http("/readyz")[0] == 200
                        or not aggregator.process.alive(), DEADLINE_S) and aggregator.process.alive():
                sender.send(aggregator)
            self.assertEqual(aggregator.process.wait(DEADLINE_S), -signal.SIGKILL, f"{failpoint} was not reached")
        aggregator.start()
        sender.send(aggregator, 3)
        wait_published(aggregator, DEADLINE_S)
        self.assert_everywhere(self.primary, sender)

    def assert_everywhere(self, server, *senders):
        """What was acknowledged is in the ledger and in Kafka, and nothing else is."""
        topics = self.published(server)
        n_records = topics.assert_exactly_once()
        self.assert_ledger_equals_topic(server, topics)
        acked = {(s.device.device_id, seq, digest) for s in senders for seq, digest in s.acked.items()}
        self.assertEqual({(b.device, b.batch_seq, b.digest) for b in topics.batches}, acked)
        print(f"{len(acked)} batches acknowledged, in the ledger and in Kafka; {n_records} records, each once and in order",
              flush=True)

    # ---- a synchronous standby ----

    def test_a_synchronous_standby_is_promoted_and_everything_goes_on_exactly_once(self):
        active, standby = self.primary, self.follow(self.primary, "standby", is_synchronous=True)
        aggregator = self.make_aggregator(active, standby).start()
        collector, fleet = self.start_collector(aggregator)
        self.wait_for_leaves(active, 20)
        active.kill()  # in the middle of it
        standby.promote()
        had = self.leaves(standby)
        self.wait_for_leaves(standby, had + 20)
        fleet.stop()
        sealed = self.drain(collector)
        wait_published(aggregator, DEADLINE_S)
        self.assertEqual((aggregator.starts, aggregator.process.alive()), (1, True), "it needs no restart")
        topics = self.published(standby)
        self.assertEqual(topics.assert_exactly_once(), sealed, "sealed, and not published")
        self.assert_ledger_equals_topic(standby, topics)
        print(f"{sealed} records, each once and in order; {had} of {self.leaves(standby)} leaves were there when the standby "
              "was promoted", flush=True)

    # ---- an asynchronous one ----

    def lose(self, standby, acknowledge_more):
        """Fails over to the standby, which has not heard of what was committed while it was away. How many leaves it has,
        and how many there were."""
        self.wait_replayed(self.primary, standby)
        standby.stop()
        acknowledge_more()
        acknowledged = self.leaves(self.primary)
        self.primary.kill()
        standby.start()
        standby.promote()
        had = self.leaves(standby)
        self.assertGreater(acknowledged, had)
        return had, acknowledged

    def assert_it_misses_its_commits(self, aggregator, had, acknowledged):
        """The running aggregator finds on the promoted server less than it had committed, and ends."""
        self.assertEqual(aggregator.process.wait(DEADLINE_S), EXIT_UNKNOWN, aggregator.process.lines[-10:])
        said = "\n".join(aggregator.process.lines)
        self.assertRegex(said, rf"the log has {had} leaves (and \d+ commits )?where this writer left {acknowledged}\b")

    def test_commits_that_an_asynchronous_standby_lacks_are_found_by_kafka_and_nothing_is_taken(self):
        sender, other = Sender(self, self.site.enrol("gateway")), Sender(self, self.site.enrol("other"))
        standby = self.follow(self.primary, "standby", is_synchronous=False)
        aggregator = self.make_aggregator(self.primary, standby).start()
        sender.send(aggregator, 5)

        def acknowledge_more():
            sender.send(aggregator, 7)
            wait_published(aggregator, DEADLINE_S)

        had, acknowledged = self.lose(standby, acknowledge_more)
        self.assertEqual((had, acknowledged), (5, 12))
        self.assert_it_misses_its_commits(aggregator, had, acknowledged)

        def halted():
            status, text = aggregator.http("/readyz")
            return status == 503 and "the ledger was rolled back" in text
        aggregator.start(ready=False)  # as its supervisor would
        wait_for("the publisher to halt", halted, DEADLINE_S, lambda: aggregator.http("/readyz"))
        other.is_refused(aggregator)
        self.assertEqual(self.leaves(standby), had)
        aggregator.stop()

        standby.stop()  # the first server's disk is whole: it has what the standby lacks
        self.primary.start()
        aggregator.start()
        for device in (sender, other):
            device.send(aggregator, 4)
        wait_published(aggregator, DEADLINE_S)
        self.assert_everywhere(self.primary, sender, other)
        print(f"{acknowledged - had} of {acknowledged} acknowledged batches were not on the standby, and were in Kafka: nothing "
              "was taken until they were back", flush=True)

    def test_commits_that_nobody_else_has_are_missed_by_the_collector(self):
        """Kafka was away too, so its cursor is not ahead of the standby: what is lost is lost, and said."""
        standby = self.follow(self.primary, "standby", is_synchronous=False)
        aggregator = self.make_aggregator(self.primary, standby).start()
        collector, fleet = self.start_collector(aggregator)
        self.wait_for_leaves(self.primary, 10)
        self.broker.kill()
        self.wait_for_leaves(self.primary, self.leaves(self.primary) + 5)

        def acknowledge_more():
            self.wait_for_leaves(self.primary, self.leaves(self.primary) + 10)
            fleet.stop()
            collector.wait_status("all to be acknowledged", lambda s: s["drained"] and s["open_records"] == 0, DEADLINE_S)

        had, acknowledged = self.lose(standby, acknowledge_more)
        self.assert_it_misses_its_commits(aggregator, had, acknowledged)
        self.broker.start()
        aggregator.start()
        later = self.own(Fleet(self.port, 8, RATE, self.folder))
        self.wait_for_leaves(standby, had + 10)
        later.stop()
        sealed = self.drain(collector)
        wait_published(aggregator, DEADLINE_S)
        topics = self.published(standby)
        n_records = topics.assert_exactly_once()
        self.assert_ledger_equals_topic(standby, topics)
        kept = [b for b in topics.batches if b.stream == 0]
        self.assertEqual({b.stream for b in topics.batches}, {0, 1})
        self.assertEqual(len(kept), had, "what the standby had, and nothing more of the first stream")
        self.assertEqual(n_records, sum(b.n_records for b in kept) + sealed, "all of the second stream")
        told = {(e["stream"], e["event_text"]) for e in self.broker.tail(EVENTS) if e["event_code"] == EVENT_BEHIND
                and e["device_id"] == f"{collector.device.device_id:016x}" and e["leaf"] >= had}
        self.assertEqual(told, {(1, "the aggregator lacks batches that it acknowledged")})
        print(f"{acknowledged - had} of {acknowledged} acknowledged batches were lost with the primary, and the collector said "
              f"so in a new stream; {n_records} records, each once and in order", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
