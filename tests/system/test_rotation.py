#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway changes its record key: with an offline backlog and under load, killed at each step of its own, while the
aggregator is killed too; then once more on request of the registry. Every record is in Kafka once, and every raw batch
verifies with the key of its epoch."""
import collections
import json
import os
import signal
import sys
import unittest

from harness import Aggregator, Site, SystemTest, free_port, wait_for
from lives import keys_of, verify_by_epoch
from pipeline import Broker, Collector, Fleet, Topics, wait_published

RATE = 100
DEADLINE_S = 300
# In the order in which a change passes them; the device is killed at each, and begins again from what is durable.
OFFLINE_STEPS = ["key_prepared", "key_placed", "key_in_use"]
ONLINE_STEPS = ["key_promoted", "key_replaced"]


class Rotation(SystemTest):
    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.id = str(self.device.device_id)
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks()))
        self.port = free_port()
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
        self.collector = self.own(Collector(self.device, [self.aggregator.coaps_tcp], taps, spool_size="32MiB",
                                            more="seal: {max_age: 200ms}\n"))
        self.state_path = self.device.folder / "record.key.state"
        self.kills = collections.Counter()

    def start_collector(self, failpoint=None):
        os.environ.pop("HEADRACE_FAILPOINT", None)
        if failpoint:
            os.environ["HEADRACE_FAILPOINT"] = f"{failpoint}:1"
        self.collector.start()
        os.environ.pop("HEADRACE_FAILPOINT", None)

    def wait_killed(self, failpoint):
        code = self.collector.process.wait(DEADLINE_S)
        self.assertEqual(code, -signal.SIGKILL, f"before {failpoint}: {self.collector.process.lines[-5:]}")
        self.kills[failpoint] += 1

    def state(self):
        return dict(line.split(" ", 1) for line in self.state_path.read_text().splitlines())

    def wait_sealed(self, more):
        first = self.collector.wait_status("the collector", lambda s: True, DEADLINE_S)["sealed_batches"]
        self.collector.wait_status("more batches", lambda s: s["sealed_batches"] >= first + more, DEADLINE_S)

    def headrace(self, *words, expect=0):
        return self.site.headrace(*words, "--config", self.aggregator.config, expect=expect)

    def shown(self):
        return json.loads(self.headrace("device", "show", self.id, "--json").stdout)

    def change_offline(self):
        """A backlog by the first key, the command, and a kill at each step that needs no aggregator."""
        self.start_collector(OFFLINE_STEPS[0])
        self.wait_sealed(5)
        self.collector.process.signal(signal.SIGUSR1)
        for step, following in zip(OFFLINE_STEPS, [*OFFLINE_STEPS[1:], ONLINE_STEPS[0]]):
            self.wait_killed(step)
            self.start_collector(following)
        self.wait_sealed(5)
        self.assertEqual(self.state()["phase"], "in_use")

    def change_online(self):
        """The backlog goes up, over a killed aggregator, until the old key can be destroyed."""
        old_key = self.device.record_key.read_bytes()
        self.aggregator.start()
        self.aggregator.kill()
        self.aggregator.start()
        self.wait_killed(ONLINE_STEPS[0])
        self.start_collector(ONLINE_STEPS[1])
        self.wait_killed(ONLINE_STEPS[1])
        self.assertNotEqual(self.device.record_key.read_bytes(), old_key)
        self.start_collector()
        wait_for("one key of epoch 2", lambda: self.state() == {"epoch": "2", "phase": "single", "place": "0 0"}, DEADLINE_S,
                 self.state)
        self.assertEqual(os.stat(self.state_path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.device.record_key).st_mode & 0o777, 0o600)

    def change_on_request(self):
        told = self.headrace("device", "rotate", self.id, "--dry-run").stdout
        self.assertIn("nothing was changed", told)
        self.assertFalse(self.shown()["devices"][0]["wants_key"])
        told = self.headrace("device", "rotate", self.id, "--wait", "--timeout", "5m").stdout
        print(told, flush=True)
        self.assertIn("the device delivers under it", told)
        wait_for("one key of epoch 3", lambda: self.state()["epoch"] == "3" and self.state()["phase"] == "single", DEADLINE_S,
                 self.state)
        row = self.shown()["devices"][0]
        self.assertEqual((row["epoch"], row["wants_key"]), (3, False))

    def test_a_gateway_changes_its_key_twice_and_every_record_comes_once(self):
        fleet = self.own(Fleet(self.port, 7, RATE, self.folder))
        self.change_offline()
        self.change_online()
        self.change_on_request()
        fleet.stop()
        self.collector.wait_status("the spool to drain", lambda s: s["drained"] and s["open_records"] == 0, DEADLINE_S)
        self.collector.process.stop()
        status = json.loads(self.collector.status_path.read_text())
        wait_published(self.aggregator, DEADLINE_S)
        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once()
        self.assertEqual(n_records, status["next_record_seq"])
        self.assertEqual(status["stream"], 0)
        counts = verify_by_epoch(self, topics, keys_of(self.aggregator, self.device.device_id))
        self.assertEqual(sorted(counts), [1, 2, 3])
        audit = [r["action"] for r in json.loads(self.headrace("audit", self.id, "--json").stdout)]
        self.assertEqual(audit, ["registered", "activated", "key_switched", "key_in_use", "rotation_asked", "key_switched",
                                 "key_in_use"])
        print(f"kills {dict(self.kills)}; {n_records} records once, in batches by epoch {counts}, which verify", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
