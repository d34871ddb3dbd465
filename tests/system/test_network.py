#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bad networks between a real collector and a real aggregator: nothing is lost, nothing is doubled.

The fleet keeps sending while datagrams are lost, doubled, delayed, overtake each other and come from a new source port,
or while connections are stalled and cut in the middle of a record. In the end every message that was sent is in Kafka,
once, in the order of the device."""
import json
import sys
import unittest

from harness import Aggregator, Site, SystemTest, free_port, wait_for
from pipeline import AIS, LONG, Broker, Collector, Fleet, Topics, seeded, wait_published
from proxies import TcpProxy, UdpProxy

OPENED = "headrace_coap_sessions_opened_total"
LEAVES = "headrace_ledger_leaves"
CUTS = 100 if LONG else 20


class NetworkTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks())).start()

    def start_collector(self, address, more, rate):
        port = free_port()
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {port}}}\n"
        self.collector = self.own(Collector(self.device, [address], taps, more, spool_size="32MiB"))
        self.collector.start()
        self.fleet = self.own(Fleet(port, 11, rate, self.folder))

    def wait_leaves(self, more):
        self.aggregator.wait_metric(LEAVES, self.aggregator.metric(LEAVES) + more)

    def finish(self):
        """Lets everything arrive; every message sent must be published once and in order."""
        sent = self.fleet.stop()
        self.collector.wait_status("every message", lambda s: s["stats"]["ais"]["messages"] == len(sent))
        self.collector.wait_status("the spool to drain", lambda s: s["drained"] and s["open_records"] == 0, 600)
        self.collector.process.stop()
        wait_published(self.aggregator)
        n_records = Topics(self, self.broker).assert_exactly_once()
        self.assertEqual(json.loads(self.collector.status_path.read_text())["next_record_seq"], n_records)
        events = sorted((e["record_seq"], e["payload"]) for e in self.broker.tail(AIS))
        self.assertEqual([payload for _, payload in events], sent)
        print(f"{len(sent)} messages sent, each once and in order in Kafka, in {n_records} records", flush=True)


class Dtls(NetworkTest):
    def setUp(self):
        super().setUp()
        self.proxy = self.own(UdpProxy(self.aggregator.port, self.random))

    def test_a_new_source_port_needs_no_new_handshake(self):
        """The aggregator knows the session by its connection id, wherever its datagrams come from."""
        self.proxy.delay_s = 0.01
        # A machine that stands still for a while is no reason to give the session up.
        self.start_collector(f"coaps://127.0.0.1:{self.proxy.port}", "seal: {max_age: 300ms}\nuplink: {silence: 120s}\n", 300)
        self.wait_leaves(3)
        for _ in range(10):
            self.proxy.rebind()
            self.wait_leaves(2)
        self.finish()
        self.assertEqual(self.proxy.counts["rebinds"], 10)
        self.assertEqual(self.aggregator.metric(OPENED), 1)
        print(f"{dict(self.proxy.counts)}, one handshake", flush=True)

    def test_loss_doubling_reordering_and_an_outage(self):
        """Envelopes of up to 15 parts, of which 36 in 100 find no answer, and a backlog besides: all of it arrives while
        the network stays as bad as it is."""
        self.start_collector(f"coaps://127.0.0.1:{self.proxy.port}", "seal: {max_age: 2s}\n", 300)
        self.wait_leaves(2)
        self.proxy.loss, self.proxy.doubling, self.proxy.delay_s = 0.2, 0.1, 0.06
        for _ in range(40 if LONG else 12):
            self.wait_leaves(1)
            self.proxy.rebind()
        self.proxy.down = True
        self.collector.wait_status("a backlog", lambda s: s["sealed_batches"] > s["acked_batches"] + 6)
        self.proxy.down = False
        self.wait_leaves(8)
        self.finish()
        print(f"{dict(self.proxy.counts)}, {self.aggregator.metric(OPENED):.0f} handshakes, "
              f"{self.aggregator.metric('headrace_coap_duplicate_requests_total'):.0f} retransmitted requests", flush=True)
        for kind in ("lost", "doubled", "reordered", "rebinds"):
            self.assertGreater(self.proxy.counts[kind], 0, kind)


class Tcp(NetworkTest):
    def sessions_ended(self):
        uplink = self.collector.wait_status("a status", bool)["stats"]["uplink"]
        return uplink["sessions_lost"] + uplink["sessions_failed"]

    def stall(self, proxy):
        """A session carries something, and from then on nothing: the collector gives it up. On a slow machine that may
        happen before the stall, so any session that ends in it will do."""
        self.wait_leaves(1)
        proxy.stalled = True
        before = self.sessions_ended()
        wait_for("the collector to give the stalled session up", lambda: self.sessions_ended() > before,
                 seen=self.collector.status)
        proxy.stalled = False

    def test_connections_are_stalled_and_cut_in_the_middle_of_records(self):
        proxy = self.own(TcpProxy(self.aggregator.port))
        self.start_collector(f"coaps+tcp://127.0.0.1:{proxy.port}",
                             "seal: {max_age: 100ms}\nuplink: {silence: 1s, open_timeout: 3s}\n", 300)
        self.wait_leaves(3)
        for number in range(CUTS):
            # Every fourth cut may fall into the handshake, which takes some 4,000 bytes.
            proxy.cut_after((1 if number % 4 == 0 else 4000) + self.random.randrange(8000))
            wait_for("the cut", lambda: not proxy.cut_is_due())
            if number % 8 == 7:
                self.stall(proxy)
        self.wait_leaves(3)
        self.finish()
        print(f"{dict(proxy.counts)}, {self.aggregator.metric(OPENED):.0f} handshakes", flush=True)
        self.assertGreaterEqual(proxy.counts["cuts"], CUTS)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
