#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An outage longer than the spool: the oldest batches go, and a signed Loss says exactly which.

The records before the outage, those that still fitted, and those after it are in Kafka once; what the Loss names is
what is missing, to the record."""
import contextlib
import json
import socket
import subprocess
import sys
import unittest

import nmea_oracle
from harness import Aggregator, Site, SystemTest, free_port, program, wait_for
from pipeline import AIS, EVENTS, Broker, Collector, Topics, wait_published

BEFORE, DURING, AFTER = 2000, 40000, 1000


class Gap(SystemTest):
    """A collector with a small spool, its aggregator, and messages for it."""

    def clock(self):
        """What a program that is started in this context takes for the time."""
        return contextlib.nullcontext()

    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))
        with self.clock():
            site = Site(self.folder)
            self.device = site.enrol("gateway")
            self.aggregator = self.own(Aggregator(site, sinks=self.broker.sinks())).start()
            self.port = free_port()
            taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
            self.collector = self.own(Collector(self.device, [self.aggregator.coaps_tcp], taps, spool_size="512KiB",
                                                sector="64KiB", more="seal: {max_age: 500ms}\n")).start()
        done = subprocess.run([program("headrace"), "sim", "ais", "--rate", "0", "--vessels", "500", "--count",
                               str(BEFORE + DURING + AFTER), "--to", "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True)
        self.lines = done.stdout.splitlines(keepends=True)
        self.sent = [payload for _, _, _, payload, _ in nmea_oracle.Log(done.stdout).messages]
        self.assertEqual(len(self.sent), BEFORE + DURING + AFTER)
        self.n_sentences = self.n_messages = 0

    def send(self, n_messages):
        """Sends so many further messages and waits until the collector has sealed them."""
        self.n_messages += n_messages
        begin = self.n_sentences
        while len(nmea_oracle.Log(b"".join(self.lines[begin:self.n_sentences])).messages) < n_messages:
            self.n_sentences += max(1, n_messages - len(
                nmea_oracle.Log(b"".join(self.lines[begin:self.n_sentences])).messages))

        def connect():
            try:
                return socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return None
        with wait_for("the tap to listen", connect) as feed:
            feed.sendall(b"".join(self.lines[begin:self.n_sentences]))
        self.collector.wait_status("the messages sealed", lambda s: s["stats"]["ais"]["messages"] == self.n_messages
                                   and s["open_records"] == 0)

    def finish(self):
        self.collector.wait_status("everything to be acknowledged", lambda s: s["drained"])
        self.collector.process.stop()
        wait_published(self.aggregator)

    def assert_what_is_missing_is_what_losses_name(self):
        """First record and number of what one outage has taken."""
        losses = self.losses()
        self.assertEqual({loss["loss_reason"] for loss in losses}, {"overflow"})
        holes = merged([(loss["loss_from_seq"], loss["loss_to_seq"], loss["loss_first_record_seq"], loss["loss_records"])
                        for loss in losses])
        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once({self.device.device_id: holes})
        self.assertEqual(len(holes), 1, "one outage, one hole")
        from_seq, to_seq, first_record, n_lost = holes[0]
        self.assertEqual({*range(max(b.batch_seq for b in topics.batches) + 1)} - {b.batch_seq for b in topics.batches},
                         {*range(from_seq, to_seq + 1)})
        self.assertEqual(n_records + n_lost, json.loads(self.collector.status_path.read_text())["next_record_seq"])
        self.compare_with_what_was_sent(first_record, n_lost)
        print(f"{n_records} records once each; the Loss names batches {from_seq} to {to_seq}, {n_lost} records from "
              f"{first_record}: exactly what is missing", flush=True)
        return first_record, n_lost

    def compare_with_what_was_sent(self, first_record, n_lost):
        events = sorted((e["record_seq"], e["payload"]) for e in self.broker.tail(AIS))
        before = [payload for seq, payload in events if seq < first_record]
        after = [payload for seq, payload in events if seq >= first_record + n_lost]
        self.assertEqual(len(before) + len(after), len(events))
        self.assertEqual(before, self.sent[:len(before)])
        self.assertEqual(after, self.sent[len(self.sent) - len(after):])
        self.assertGreaterEqual(len(before), BEFORE)
        self.assertGreaterEqual(len(after), AFTER)

    def losses(self):
        return [event for event in self.broker.tail(EVENTS) if event["kind"] == "loss"]


class Outage(Gap):
    def test_what_overflow_takes_is_named_by_a_loss_and_the_rest_is_published_once(self):
        self.send(BEFORE)
        self.collector.wait_status("the first part to be acknowledged", lambda s: s["drained"])
        self.aggregator.kill()
        self.send(DURING)
        self.assertGreater(self.collector.status()["stats"]["collector"]["losses"], 0)
        self.aggregator.start()
        self.send(AFTER)
        self.finish()
        self.assert_what_is_missing_is_what_losses_name()


def merged(ranges):
    """The holes that Losses (from_seq, to_seq, first_record, n_records) make together. While the spool overflows, each
    further Loss says the grown hole again."""
    out = []
    for from_seq, to_seq, first, n_records in sorted(ranges):
        end = first + n_records
        if out and from_seq <= out[-1][1] + 1:
            begin_seq, last_to, begin, n_last = out[-1]
            out[-1] = (begin_seq, max(to_seq, last_to), begin, max(end, begin + n_last) - begin)
        else:
            out.append((from_seq, to_seq, first, n_records))
    return out


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
