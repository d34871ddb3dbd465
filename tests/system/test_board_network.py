#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A microcontroller board in a bad network: lost, doubled, delayed and overtaking datagrams, a source port that changes,
an aggregator that is killed, and an outage longer than its small spool. Nothing is lost but what the Loss names, and
nothing is doubled.

HEADRACE_LONG=1 overflows all of the board's spool, instead of one that was made smaller."""
import sys
import unittest

import nmea_oracle
from boards import BOARD, Board, Feeder, coaps, enrol_board, wait_progress
from harness import Aggregator, Site, SystemTest
from pipeline import AIS, EVENTS, LONG, Broker, Topics, seeded, wait_published
from proxies import UdpProxy
from test_board import assert_all_arrived, fleet
from test_outage import merged

OPENED = "headrace_coap_sessions_opened_total"
LEAVES = "headrace_ledger_leaves"
SPOOL_SECTORS = {"qemu_mps2_an385": 256, "qemu_lm3s6965": 64}[BOARD] if LONG else 16
SPOOL_BYTES = SPOOL_SECTORS * 4096
RESTARTS = 20 if LONG else 3
REBINDS = 10
STATS_INTERVAL_MS = 60 * 1000  # firmware/app/device_bare.c


class NetworkTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks())).start()

    def power_on(self, port, data, bytes_per_s=None, more=()):
        """A board that is sent to `port`; with a speed it begins to be fed the data."""
        self.device = enrol_board(self.site, "board", [coaps(port)], more=["--seal-max-age", "300ms", *more])
        self.board = self.own(Board(self.device.folder, self.device.memory)).start()
        self.sent = nmea_oracle.Log(data).messages
        if bytes_per_s:
            self.feeder = self.own(Feeder(self.board, data.splitlines(keepends=True), bytes_per_s))

    def wait_leaves(self, more):
        goal = self.aggregator.metric(LEAVES) + more
        wait_progress(f"{more} further batches", lambda: self.aggregator.metric(LEAVES) >= goal,
                      lambda: (self.aggregator.metric(LEAVES), self.board.lines[-1:]))

    def finish(self):
        """Lets everything arrive: every message is published once, in order."""
        self.feeder.finish()
        self.board.wait_messages(len(self.sent))
        spool = self.board.wait_drained()
        status = self.board.status()
        self.board.close()
        wait_published(self.aggregator)
        n_records = Topics(self, self.broker).assert_exactly_once()
        assert_all_arrived(self, n_records, spool)
        events = sorted((e["record_seq"], e["payload"]) for e in self.broker.tail(AIS))
        self.assertEqual([payload for _, payload in events], [message[3] for message in self.sent])
        print(f"{BOARD}: {len(events)} messages, each once and in order in Kafka", flush=True)
        return status


class BadNetwork(NetworkTest):
    def test_a_new_source_port_needs_no_new_handshake(self):
        proxy = self.own(UdpProxy(self.aggregator.port, self.random))
        proxy.delay_s = 0.01
        self.power_on(proxy.port, fleet(900), 6000)
        self.wait_leaves(2)
        for _ in range(REBINDS):
            proxy.rebind()
            self.wait_leaves(1)
        self.finish()
        self.assertEqual(proxy.counts["rebinds"], REBINDS)
        # One handshake, unless the machine was so slow that the session was given up as silent.
        self.assertLess(self.aggregator.metric(OPENED), 1 + REBINDS)

    def test_one_datagram_in_five_is_lost_some_come_twice_and_some_overtake(self):
        proxy = self.own(UdpProxy(self.aggregator.port, self.random))
        proxy.loss, proxy.doubling, proxy.delay_s = 0.2, 0.1, 0.05
        self.power_on(proxy.port, fleet(500), 6000)
        self.finish()
        for kind in ("lost", "doubled"):
            self.assertGreater(proxy.counts[kind], 0, kind)
        print(f"{BOARD}: {dict(proxy.counts)}, {self.aggregator.metric(OPENED):.0f} handshakes", flush=True)

    def test_an_aggregator_that_is_killed_and_comes_back_is_found_again(self):
        self.power_on(self.aggregator.port, fleet(1500), 3000)
        for _ in range(RESTARTS):
            self.wait_leaves(2)
            self.aggregator.kill()
            self.aggregator.start()
        wait_progress("its first Stats", lambda: self.board.status()["status"]["uptime_ms"] > STATS_INTERVAL_MS + 1000,
                      lambda: self.board.status()["status"]["uptime_ms"])
        status = self.finish()
        self.assertGreaterEqual(status["uplink"]["sessions_opened"], 2)
        print(f"{BOARD}: {RESTARTS} kills of the aggregator, {status['uplink']['sessions_opened']} sessions", flush=True)
        self.check_stats(status["device"])

    def check_stats(self, device):
        """What the board counts is signed and published too."""
        told = {event["counter_name"]: event["counter_value"] for event in self.broker.tail(EVENTS)
                if event["counter_source"] == "device"}
        self.assertEqual(told["serial_dropped"], 0)
        self.assertTrue(0 < told["serial_bytes"] <= device["serial_bytes"], told)
        for peak, whole in (("pool_peak_bytes", "pool_bytes"), ("stack_peak_bytes", "stack_bytes")):
            self.assertTrue(0 < told[peak] <= told[whole], told)


class Overflow(NetworkTest):
    def test_what_an_outage_takes_is_named_by_a_loss_and_the_rest_is_published_once(self):
        # About 30 bytes of spool a message; nearly half of what comes in the outage has to go.
        before, during, after = 300, int(1.8 * SPOOL_BYTES / 30), 300
        data = fleet(before + during + after)
        lines, self.at = data.splitlines(keepends=True), 0
        self.power_on(self.aggregator.port, data, more=["--spool-sectors", SPOOL_SECTORS])
        self.feed_messages(lines, before)
        self.board.wait_drained()
        self.aggregator.kill()
        self.feed_messages(lines, during)
        self.assertGreater(self.board.status()["collector"]["losses"], 0)
        self.aggregator.start()
        self.board.wait_drained()  # a full spool that takes more would lose what stands behind what has gone out: a second hole
        self.feed_messages(lines, after)
        spool = self.board.wait_drained()
        self.board.close()
        wait_published(self.aggregator)

        losses = [event for event in self.broker.tail(EVENTS) if event["kind"] == "loss"]
        self.assertEqual({loss["loss_reason"] for loss in losses}, {"overflow"})
        holes = merged([(loss["loss_from_seq"], loss["loss_to_seq"], loss["loss_first_record_seq"], loss["loss_records"])
                        for loss in losses])
        self.assertEqual(len(holes), 1, "one outage, one hole")
        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once({self.device.device_id: holes})
        from_seq, to_seq, first_record, n_lost = holes[0]
        numbers = {batch.batch_seq for batch in topics.batches}
        self.assertEqual({*range(max(numbers) + 1)} - numbers, {*range(from_seq, to_seq + 1)})
        assert_all_arrived(self, n_records + n_lost, spool)
        events = sorted((e["record_seq"], e["payload"]) for e in self.broker.tail(AIS))
        sent = [message[3] for message in self.sent]
        head = [payload for seq, payload in events if seq < first_record]
        tail = [payload for seq, payload in events if seq >= first_record + n_lost]
        self.assertEqual(len(head) + len(tail), len(events))
        self.assertEqual(head, sent[:len(head)])
        self.assertEqual(tail, sent[len(sent) - len(tail):])
        self.assertGreaterEqual(len(head), before)
        self.assertGreaterEqual(len(tail), after)
        print(f"{BOARD}: {n_records} records once each; the Loss names batches {from_seq} to {to_seq}, {n_lost} records from "
              f"{first_record}: exactly what is missing", flush=True)

    def feed_messages(self, lines, n_messages):
        """Feeds on until so many further messages have come, and waits until they are sealed."""
        begin = self.at
        while self.at < len(lines) and len(nmea_oracle.Log(b"".join(lines[begin:self.at])).messages) < n_messages:
            self.at += max(1, n_messages // 8)
        self.at = min(self.at, len(lines))
        goal = len(nmea_oracle.Log(b"".join(lines[:self.at])).messages)
        self.board.feed(b"".join(lines[begin:self.at]))
        self.board.wait_messages(goal)
        self.board.wait_sealed()


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
