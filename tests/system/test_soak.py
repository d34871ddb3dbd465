#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A fleet of collectors over a network that loses datagrams and cuts connections, an aggregator with its ledger on
PostgreSQL and a second one that takes over from it, and Apache Kafka, while SIGKILL takes any of them at random moments.

An oracle compares what was issued to the collectors, what they say was acknowledged, what the ledger holds and what a
read_committed consumer sees: all of it once, in order, nothing alien.

HEADRACE_LONG=1, as in the preset `nightly`: 200 collectors instead of 40, and ten minutes of strikes at least instead of
one round. HEADRACE_SOAK_COLLECTORS and HEADRACE_SOAK_S say otherwise."""
import collections
import os
import signal
import sys
import time
import unittest

from gateways import Feeder, Gateways, Oracle
from harness import Aggregator, Site, SystemTest, wait_for
from pipeline import AIS, LONG, Broker, Topics, seeded, wait_published
from postgres import Postgres
from proxies import TcpProxy, UdpProxy

COLLECTORS = int(os.environ.get("HEADRACE_SOAK_COLLECTORS", "200" if LONG else "40"))
STRIKES_S = int(os.environ.get("HEADRACE_SOAK_S", "600" if LONG else "0"))
RATE = 1.0  # messages a second and collector
PATIENCE_S = 300
EXIT_TAKEN_OVER = 5
ROUND = ["collectors", "aggregator", "collectors", "broker", "collectors", "postgres", "take_over", "wire"]


class Soak(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.strikes = collections.Counter()
        self.broker = self.own(Broker(self.folder))
        self.postgres = self.own(Postgres(self.folder))
        self.site = Site(self.folder)
        self.standby = self.make_aggregator("b").start()  # so that both have their ports
        self.active = self.make_aggregator("a").start()
        self.assertEqual(self.standby.process.wait(PATIENCE_S), EXIT_TAKEN_OVER)
        both = (self.active, self.standby)
        self.udp = [self.own(UdpProxy(aggregator.port, self.random)) for aggregator in both]
        self.tcp = [self.own(TcpProxy(aggregator.port)) for aggregator in both]
        self.feeder = self.own(Feeder(COLLECTORS, RATE * COLLECTORS, self.random))
        # Of two aggregators one is away, so it is found out soon; but 200 handshakes at once take their time.
        uplink = "{silence: 5s, open_timeout: 20s}" if COLLECTORS > 50 else "{silence: 2s, open_timeout: 5s}"
        self.gateways = self.own(Gateways(self.site, COLLECTORS, self.addresses, self.feeder,
                                          f"seal: {{max_age: 1s}}\nuplink: {uplink}\n"))

    def addresses(self, g):
        """Three of four over DTLS."""
        kind, proxies = ("coaps+tcp", self.tcp) if g % 4 == 3 else ("coaps", self.udp)
        return [f"{kind}://127.0.0.1:{proxy.port}" for proxy in proxies]

    def make_aggregator(self, name):
        return self.own(Aggregator(self.site, name=name, sinks=self.broker.sinks(), limits={"retry_after": "1s"},
                                   ledger=self.postgres.ledger(connect_timeout="2s", commit_timeout="120s")))

    def leaves(self):
        return int(self.postgres.query("SELECT size FROM log_head")[0][0])

    def wait_for_life(self):
        """Batches are committed again, and published."""
        self.supervise()
        more = self.leaves() + 3
        wait_for("the log to grow", lambda: self.leaves() >= more, PATIENCE_S, self.leaves)
        published = lambda: self.active.http("/metrics")[0] == 200 and \
            self.active.metric('headrace_publish_next_leaf{sink="kafka"}') >= more
        wait_for("what was committed to be published", published, PATIENCE_S, self.last_of_publishing)

    def last_of_publishing(self):
        lines = [line for line in self.active.process.lines if "kafka" in line]
        return self.leaves(), self.active.http("/readyz"), lines[-8:]

    def supervise(self):
        """Starts the active aggregator until it runs: it can't while its database is away."""
        def runs():
            if not self.active.process.alive():
                self.active.start(ready=False)
            return self.active.http("/readyz")[0] == 200
        wait_for("the aggregator to run", runs, PATIENCE_S, lambda: self.active.process.lines[-5:])

    # ---- strikes ----

    def collectors(self):
        some = self.random.sample(range(COLLECTORS), max(1, COLLECTORS // 20))
        self.gateways.kill(some)
        self.strikes["collectors killed"] += len(some)

    def aggregator(self):
        self.active.kill()
        self.strikes["aggregators killed"] += 1

    def broker_dies(self):
        self.broker.kill()
        time.sleep(self.random.random())
        self.broker.start()
        self.strikes["brokers killed"] += 1

    def postgres_dies(self):
        self.postgres.kill()
        if self.random.random() < 0.5:
            self.aggregator()
        time.sleep(self.random.random())
        self.postgres.start()
        self.strikes["databases killed"] += 1

    def take_over(self):
        """The active one stands still, wherever it is; another takes its place; then it wakes up, and must end."""
        self.active.process.signal(signal.SIGSTOP)
        self.standby.start()
        self.active.process.signal(signal.SIGCONT)
        self.assertEqual(self.active.process.wait(PATIENCE_S), EXIT_TAKEN_OVER, self.active.process.lines[-20:])
        self.active, self.standby = self.standby, self.active
        self.strikes["zombies woken"] += 1

    def wire(self):
        for proxy in self.udp:
            proxy.rebind()
        for proxy in self.tcp:
            proxy.cut_after(1 + self.random.randrange(4000))
        self.strikes["source ports changed"] += 1

    def strike(self, name):
        {"collectors": self.collectors, "aggregator": self.aggregator, "broker": self.broker_dies,
         "postgres": self.postgres_dies, "take_over": self.take_over, "wire": self.wire}[name]()

    def test_what_is_issued_and_acknowledged_is_delivered_once_whatever_is_killed(self):
        self.gateways.start()
        self.wait_for_life()
        for proxy in self.udp:
            proxy.loss, proxy.doubling, proxy.delay_s = 0.08, 0.04, 0.03
        started = time.monotonic()
        while not self.strikes or time.monotonic() - started < STRIKES_S:
            for name in self.random.sample(ROUND, len(ROUND)):
                time.sleep(self.random.random())  # whom it finds where is part of the chance
                self.strike(name)
                self.gateways.sample()
                self.wait_for_life()
        struck_s = time.monotonic() - started
        print(f"{COLLECTORS} collectors, {struck_s:.0f} s: {dict(self.strikes)}", flush=True)
        self.gateways.drain(2 * PATIENCE_S)
        wait_published(self.active, PATIENCE_S)
        self.compare()

    def compare(self):
        rows = self.postgres.query("SELECT leaf, device, stream, seq, encode(digest, 'hex') FROM batch")
        ledger = [(*(int(value) % 2**64 for value in row[:4]), row[4]) for row in rows]
        oracle = Oracle(self, self.gateways, Topics(self, self.broker), self.broker.tail(AIS))
        print(oracle.check(ledger), flush=True)
        wire = sum((collections.Counter(proxy.counts) for proxy in [*self.udp, *self.tcp]), collections.Counter())
        print(f"on the wire: {dict(wire)}", flush=True)
        for kind in ("lost", "doubled", "reordered", "rebinds", "cuts"):
            self.assertGreater(wire[kind], 0, kind)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
