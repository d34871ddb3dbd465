#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A running pipeline whose collector, aggregator and Kafka broker are killed with SIGKILL at random moments.

A simulated fleet sends over TCP; a second run of the same fleet, into a file, says what was sent. In the end each sealed
record is in Kafka once and in order, and what is missing of the simulator's messages went with the memory of a killed
collector: between the last record of one boot and the first of the next, nowhere else.

HEADRACE_LONG=1 kills each program 100 times instead of 20."""
import collections
import json
import sys
import threading
import time
import unittest

from harness import Aggregator, Site, SystemTest, free_port
from pipeline import AIS, EVENTS, LONG, Broker, Collector, Fleet, Topics, body_of, seeded, wait_published

KILLS = 100 if LONG else 20
RATE = 400
SEAL_AGE_S = 0.2
LOSS_BODY = 10
LOOK_AHEAD = 8


class Crashes(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks()))
        self.port = free_port()
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
        self.collector = self.own(Collector(self.device, [self.aggregator.coaps_tcp], taps, spool_size="32MiB",
                                            more=f"seal: {{max_age: {int(SEAL_AGE_S * 1000)}ms}}\n"))
        self.kills = collections.Counter()

    def kill_brokers(self):
        moments = [0.3 + self.random.random() * 2.5 for _ in range(KILLS)]
        for pause_s in moments:
            time.sleep(pause_s)
            self.broker.kill()
            self.kills["broker"] += 1
            time.sleep(0.2)
            self.broker.start()

    def wait_for_a_life(self):
        """However slow the machine: messages are sealed, and so is the Boot before them."""
        first = self.collector.wait_status("messages", lambda s: s["stats"]["ais"]["messages"] > 0)
        self.collector.wait_status("a seal behind them", lambda s: s["sealed_batches"] > first["sealed_batches"])

    def kill_programs(self, brokers):
        """Kills collector and aggregator, each KILLS times, spread over the time that the broker's kills take."""
        victims = ["collector", "aggregator"] * KILLS
        self.random.shuffle(victims)
        for victim in victims:
            time.sleep(0.1 + self.random.random() * (3.6 if brokers.is_alive() else 1))
            if victim == "collector":
                if self.kills["collector"] % 2 == 0:
                    self.wait_for_a_life()
                self.collector.process.kill()
                self.collector.start()
            else:
                self.aggregator.kill()
                self.aggregator.start(ready=False)
            self.kills[victim] += 1

    def test_each_sealed_record_is_published_once_whoever_is_killed(self):
        self.aggregator.start()
        self.collector.start()
        fleet = self.own(Fleet(self.port, 7, RATE, self.folder))
        started = time.monotonic()
        brokers = threading.Thread(target=self.kill_brokers, daemon=True)
        brokers.start()
        self.kill_programs(brokers)
        brokers.join()
        self.assertEqual(self.kills, {"collector": KILLS, "aggregator": KILLS, "broker": KILLS})
        print(f"SIGKILLs {dict(self.kills)} within {time.monotonic() - started:.0f} s", flush=True)

        sent = fleet.stop()
        self.collector.wait_status("the spool to drain", lambda s: s["drained"] and s["open_records"] == 0, 600)
        self.collector.process.stop()
        sealed = json.loads(self.collector.status_path.read_text())["next_record_seq"]
        wait_published(self.aggregator, 600)

        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once()
        self.assertEqual(sum(batch.n_records for batch in topics.batches), n_records)
        self.assertEqual(n_records, sealed, "sealed, and not published")
        losses = [r for batch in topics.batches for r in batch.records() if body_of(r) == LOSS_BODY]
        self.assertEqual(losses, [])
        self.compare_with_the_simulator(sent)
        print(f"{n_records} records in {len(topics.batches)} batches, each exactly once", flush=True)

    def compare_with_the_simulator(self, sent):
        events = [(e["record_seq"], e["payload"]) for e in self.broker.tail(AIS)]
        boots = sorted({e["record_seq"] for e in self.broker.tail(EVENTS) if e["kind"] == "boot"})
        events.sort()
        runs = split_at(events, boots)
        at = lost = again = 0
        for run in runs:
            begin = find_run(sent, run, max(0, at - RATE))
            self.assertIsNotNone(begin, f"published, but not sent: {run[:3]}")
            lost += max(0, begin - at)
            again += max(0, at - begin)
            self.assertEqual(sent[begin:begin + len(run)], run, "a message is missing within a boot")
            at = begin + len(run)
        lost += len(sent) - at
        print(f"the simulator sent {len(sent)} messages; {len(events)} are in Kafka, {lost} went with the memory of "
              f"{self.kills['collector']} killed collectors ({again} were sent again), all between two boots", flush=True)
        self.assertGreaterEqual(len(boots), KILLS // 2)
        self.assertGreater(len(events), KILLS)


def split_at(events, boots):
    """Payloads of the records between two Boot records, in order; boots without any are left out."""
    runs, run = [], []
    boots = iter(boots)
    boundary = next(boots, None)
    for seq, payload in events:
        while boundary is not None and seq > boundary:
            runs.append(run)
            run = []
            boundary = next(boots, None)
        run.append(payload)
    runs.append(run)
    return [r for r in runs if r]


def find_run(sent, run, at):
    """Where the run begins in what was sent: the first place from `at` at which some of its messages follow each
    other."""
    head = run[:LOOK_AHEAD]
    return next((i for i in range(at, len(sent)) if sent[i:i + len(head)] == head), None)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
