#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The life of a device from factory state, of the kind that HEADRACE_KIND names: a board in QEMU, or a gateway.

The tool alone provisions it, it delivers, and its keys change under load: the record key with a backlog that it sealed by
the old key while the network was away, with power going at every step of its own, with an aggregator that is killed on the
way; then both keys at once behind another backlog, with power going at each step of the transport key; then the record key
because an operator waits for it, with the whole fleet, and by age. Every record is in Kafka once, and every raw batch
verifies by the key of its epoch."""
import collections
import contextlib
import json
import sqlite3
import sys
import unittest

import nmea_oracle
from boards import DEADLINE_S, Feeder, wait_progress
from harness import SERVER_NAME, Aggregator, Site, SystemTest, wait_for
from lives import assert_whole_within_boots, keys_of, living, verify_by_epoch
from pipeline import AIS, EVENTS, Broker, Topics, seeded, wait_published
from proxies import UdpProxy
from test_board import assert_all_arrived, fleet

LOG_MESSAGES = 60000
TAIL_MESSAGES = 100
BYTES_PER_S = 4000
BACKLOG = 8  # batches that lie there by the old key when the switch comes, and as many by the new one
# In the order in which a change passes them: the next key is durable (R1), its place is noted, the KeySwitch is sealed (R2),
# the new key signs (R3); a batch by it was committed (R5), and the old key is destroyed (R6). At each the power goes.
OFFLINE_STEPS = ["key_placed", "key_switch_sealed", "key_in_use"]
ONLINE_STEPS = ["key_taken", "key_promoted"]
# The next transport key is durable, its certificate is, a session was opened with it, it is the only one.
TRANSPORT_STEPS = ["transport_key_made", "transport_key_certified", "transport_key_used", "transport_key_promoted"]
AGE_MS = 30 * 24 * 3600 * 1000


class Life(SystemTest):
    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        ca = self.site.ca
        extra = (f"rotation: {{record_key_max_age: {AGE_MS}ms}}\n"
                 f"renewal: {{issuer_certificate: {ca / 'device-ca.crt'}, issuer_key: {ca / 'device-ca.key'}}}\n")
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks(), extra=extra)).start()
        self.network = self.own(UdpProxy(self.aggregator.port, seeded(self.id())))
        self.cuts = collections.Counter()

    def headrace(self, *words, expect=0):
        return self.site.headrace(*words, "--config", self.aggregator.config, expect=expect)

    def shown(self):
        return json.loads(self.headrace("device", "show", "1", "--json").stdout)["devices"][0]

    def transport_keys(self):
        """The states of its transport keys, oldest first."""
        rows = json.loads(self.headrace("device", "show", "1", "--json").stdout)["transport_keys"]
        return [row["key_state"] for row in rows]

    def provision(self):
        """From factory state to the first committed batch, by the tool alone."""
        self.device = living(self, "SN-0001")
        self.headrace("device", "claim", "--serial", "SN-0001", "--name", "north-pier")
        told = self.headrace("device", "provision", *self.device.words, "--dir", self.site.ca, "--aggregator",
                             self.device.uri(self.network.port), "--server-name", SERVER_NAME, "--wait", "170").stdout
        self.assertIn("P9", told)
        self.assertEqual(self.shown()["state"], "active")
        self.device.check_locked(self)

    # ---- what is waited for ----

    def backlog(self):
        state = self.device.state()
        return state["sealed_batches"] - state["acked_batches"]

    def wait_backlog(self, n_batches):
        seen = [0]

        def there():
            seen[0] = self.backlog()
            return seen[0] >= n_batches
        wait_progress(f"a backlog of {n_batches} batches", there, lambda: seen[0])
        return seen[0]

    def leaves(self):
        return self.aggregator.query("SELECT count(*) FROM batch")[0][0]

    def wait_leaves(self, more):
        goal = self.leaves() + more
        wait_progress(f"{more} further batches", lambda: self.leaves() >= goal, self.leaves)

    def wait_cut(self, step):
        self.device.wait_cut()
        self.cuts[step] += 1

    def wait_epoch(self, epoch):
        wait_for(f"key {epoch} to be the only one", lambda: (s := self.shown())["epoch"] >= epoch and s["state"] == "active",
                 DEADLINE_S, self.shown)

    # ---- changes of the key ----

    def change_behind_a_backlog(self):
        """The request is heard with the first ack behind an outage; then the network is away again, and the power goes."""
        self.network.down = True
        by_old_key = self.wait_backlog(BACKLOG)
        self.headrace("device", "rotate", "1")
        self.device.kill()
        self.network.down = False
        self.device.start("key_prepared")
        self.wait_cut("key_prepared")
        self.network.down = True
        self.committed = self.leaves()
        for step in OFFLINE_STEPS:
            self.device.start(step)
            self.wait_cut(step)
        self.device.start()
        backlog = self.wait_backlog(2 * BACKLOG)
        self.device.kill()
        self.assertEqual(list(keys_of(self.aggregator, 1)), [1])
        print(f"{self.device.name}: {by_old_key} batches by the first key waited when a key was asked for, {backlog} when "
              "both keys had sealed", flush=True)

    def deliver_the_backlog(self):
        """It goes up, over a killed aggregator, until the old key can be destroyed."""
        self.network.down = False
        self.device.start(ONLINE_STEPS[0])
        self.wait_leaves(1)
        self.aggregator.kill()
        self.device.kill()
        self.aggregator.start()
        self.device.start(ONLINE_STEPS[0])
        self.wait_cut(ONLINE_STEPS[0])
        self.device.start(ONLINE_STEPS[1])
        self.wait_cut(ONLINE_STEPS[1])
        self.device.start()
        self.wait_epoch(2)

    def change_both(self):
        """Both keys are asked for behind another backlog; the power goes at each step of the transport key, while the record
        key changes beside it."""
        self.network.down = True
        self.wait_backlog(BACKLOG)
        self.headrace("device", "rotate", "1")
        self.headrace("device", "rotate", "1", "--transport")
        self.device.kill()
        self.network.down = False
        for step in TRANSPORT_STEPS:
            self.device.start(step)
            self.wait_cut(step)
        self.device.start()
        self.wait_epoch(3)
        wait_for("a session with the second transport key", lambda: self.transport_keys() == ["superseded", "in use"], DEADLINE_S,
                 self.transport_keys)

    def change_on_request(self):
        told = self.headrace("device", "rotate", "1", "--wait", "--timeout", "160s").stdout
        self.assertIn("the device delivers under it", told)
        self.headrace("rotate", "--all", "--timeout", "160s")
        self.wait_epoch(5)
        self.device.check_health(self)

    def change_by_age(self):
        """Its key has grown old while everything was off."""
        self.device.kill()
        self.aggregator.kill()
        with contextlib.closing(sqlite3.connect(self.aggregator.ledger)) as ledger, ledger:
            ledger.execute("UPDATE device_key SET since_ms = since_ms - ?", (2 * AGE_MS,))
        self.aggregator.start()
        self.device.start()
        self.wait_epoch(6)

    # ---- the end ----

    def finish(self, sent):
        """Everything arrives; then what was promised must be true."""
        self.device.kill()
        self.device.start()
        tail = fleet(TAIL_MESSAGES, seed=99)
        wait_for("a line", self.device.listens, DEADLINE_S)
        self.device.line.sendall(tail)
        self.device.wait_messages(len(nmea_oracle.Log(tail).messages))
        seen = [None]

        def drained():
            seen[0] = self.device.state()
            return seen[0]["drained"] and seen[0]
        spool = wait_progress("the spool to drain", drained, lambda: seen[0] and seen[0]["acked_batches"])
        self.device.kill()
        wait_published(self.aggregator, DEADLINE_S)
        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once()
        assert_all_arrived(self, n_records, spool)
        self.assertEqual(spool["stream"], 0, "a number had been given twice: a new stream began")
        for name in ("forks", "equivocations", "bad_signatures"):
            self.assertEqual(self.aggregator.metric(f"headrace_{name}_total"), 0, name)
        messages = [message[3] for message in nmea_oracle.Log(sent + tail).messages]
        events = sorted((e["record_seq"], e["payload"]) for e in self.broker.tail(AIS))
        boots = sorted({e["record_seq"] for e in self.broker.tail(EVENTS) if e["kind"] == "boot"})
        assert_whole_within_boots(self, messages, events, boots)
        self.headrace("ledger", "fsck", "--offline")
        print(f"{self.device.name}: {len(messages)} messages went in, {len(events)} are in Kafka, the others went with the RAM "
              f"of {len(boots)} boots; {n_records} records once each", flush=True)
        return topics

    def test_a_device_lives_from_the_factory_through_every_change_of_its_keys(self):
        self.provision()
        feeder = self.own(Feeder(self.device, fleet(LOG_MESSAGES).splitlines(keepends=True), BYTES_PER_S))
        self.wait_leaves(3)
        self.change_behind_a_backlog()
        self.deliver_the_backlog()
        self.change_both()
        self.change_on_request()
        self.change_by_age()
        feeder.close()
        topics = self.finish(b"".join(feeder.lines[:feeder.sent]))
        keys = keys_of(self.aggregator, 1)
        counts = verify_by_epoch(self, topics, keys)
        self.assertGreater(counts[1], self.committed, "nothing of the first key came behind the switch")
        audit = [r["action"] for r in json.loads(self.headrace("audit", "1", "--json").stdout)]
        self.assertEqual((audit.count("key_switched"), audit.count("key_in_use")), (len(keys) - 1, len(keys) - 1), audit)
        self.assertEqual(audit.count("rotation_asked"), 4, audit)
        print(f"{self.device.name}: cuts {dict(self.cuts)}; {len(keys) - 1} changes of the record "
              f"key, transport keys {self.transport_keys()}; {counts[1] - self.committed} batches by "
              f"the first key were committed after the next one was made; batches by epoch {counts} verify", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
