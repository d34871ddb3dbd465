# SPDX-License-Identifier: Apache-2.0
"""`headrace ledger inspect` beside a running aggregator, and `headrace verify` on what comes out of it and on batches
that a second, independent writing of the format made."""
import contextlib
import json
import unittest

import harness
import wire
from probe import Probe


class VerifyTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.device = self.site.enrol("gw1", device_id="0x1234")
        self.key = wire.Key(self.device.record_key)
        self.stream = wire.Stream(self.device.device_id)
        self.batch = self.stream.next([wire.ais_record(bytes(21), dt_ms=5), wire.event_record(7, "hello", dt_ms=9)])

    def verify(self, envelope, *more, expect, key=None):
        path = self.folder / "batch.bin"
        path.write_bytes(envelope)
        return self.site.headrace("verify", path, "--key", key or self.device.public_key, *more, expect=expect).stdout

    def test_a_genuine_batch_is_told_with_its_place(self):
        out = self.verify(self.batch.envelope(self.key), "--records", expect=0)
        for part in ("device       0000000000001234", "batch        0  first of its stream", self.batch.digest.hex(),
                     self.batch.prev.hex(), wire.merkle_root(self.batch.records).hex(), "numbers 0 to 1", "genuine",
                     "record 0  number 0  +5 ms  ais  channel A", "record 1  number 1  +9 ms  event 7  hello"):
            self.assertIn(part, out)
        one = self.verify(self.batch.envelope(self.key), "--record", 1, expect=0)
        self.assertIn("hello", one)
        self.assertNotIn("record 0", one)

    def test_what_is_not_genuine_is_told_and_its_records_are_not_shown(self):
        good = self.batch.envelope(self.key)
        forged = self.verify(self.batch.envelope(wire.Key(12345)), "--records", expect=1)
        self.assertIn("this key did not sign it", forged)
        self.assertNotIn("hello", forged)
        changed = self.verify(good[:-1] + bytes([good[-1] ^ 1]), "--records", expect=1)
        self.assertIn("the records were changed", changed)
        self.assertNotIn("hell", changed)
        self.assertIn("lengths or framing", self.verify(good[:-1], expect=1))
        self.assertIn("no batch of a format", self.verify(b"\x00" + good[1:], expect=1))
        other = self.site.enrol("gw2")
        self.assertIn("this key did not sign it", self.verify(good, expect=1, key=other.public_key))

    def test_wrong_use_is_told_by_its_own_exit_code(self):
        self.site.headrace("verify", expect=3)
        self.site.headrace("verify", self.folder / "none", "--key", self.device.public_key, expect=1)
        self.verify(self.batch.envelope(self.key), "--record", "x", expect=3)
        self.verify(self.batch.envelope(self.key), "--record", "2", expect=1)
        self.verify(self.batch.envelope(self.key), expect=1, key=self.device.record_key)
        self.site.headrace("ledger", expect=3)
        self.site.headrace("ledger", "inspect", expect=3)
        self.site.headrace("ledger", "inspect", "x", "--leaf", "y", expect=3)


class InspectTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.devices = [self.site.enrol("gw1"), self.site.enrol("gw2")]
        self.aggregator = self.own(harness.Aggregator(self.site)).start()

    def inspect(self, *more, expect=0):
        done = self.site.headrace("ledger", "inspect", self.aggregator.ledger, "--json", *more, expect=expect)
        return json.loads(done.stdout) if expect == 0 else done.stderr

    def commit(self, device, n):
        key, stream = wire.Key(device.record_key), wire.Stream(device.device_id)
        with contextlib.closing(Probe(self.aggregator.coaps, device)) as probe:
            batches = [stream.next([wire.ais_record(bytes(21))]) for _ in range(n)]
            for batch in batches:
                self.assertEqual(probe.post(batch.envelope(key)).ack.status, wire.OK)
            other = stream.peek([wire.event_record(1, "clone")], prev=bytes(32))
            if device is self.devices[1]:
                self.assertEqual(probe.post(other.envelope(key)).ack.status, wire.FORK)
        return batches

    def test_a_running_aggregator_is_looked_into(self):
        first = self.commit(self.devices[0], 3)
        second = self.commit(self.devices[1], 2)
        for _ in range(2):
            all_of_it = self.inspect()
            self.assertEqual(all_of_it["size"], 5)
            self.assertEqual([d["state"] for d in all_of_it["devices"]], ["active", "quarantined"])
            self.assertEqual([s["cum_digest"] for s in all_of_it["streams"]],
                             [first[-1].digest.hex(), second[-1].digest.hex()])
            self.assertEqual([(c["kind"], c["seq"]) for c in all_of_it["conflicts"]], [("fork", 2)])
            self.assertEqual(all_of_it["losses"], [])
            text = self.site.headrace("ledger", "inspect", self.aggregator.ledger).stdout
            for part in ("size   5 leaves", "quarantined: fork", "up to batch 2", "fork at stream 0 batch 2"):
                self.assertIn(part, text)
            self.aggregator.close()  # and once more when none runs
        one = self.inspect("--device", self.devices[0].device_id)
        self.assertEqual((len(one["devices"]), len(one["streams"]), one["conflicts"]), (1, 1, []))

    def test_a_leaf_comes_out_as_the_batch_that_was_signed(self):
        batches = self.commit(self.devices[0], 3)
        out = self.folder / "leaf.bin"
        leaf = self.inspect("--leaf", 1, "--envelope", out)
        self.assertEqual((leaf["seq"], leaf["digest"]), (1, batches[1].digest.hex()))
        self.assertEqual(out.read_bytes()[:108], batches[1].header)
        self.site.headrace("verify", out, "--key", self.devices[0].public_key)
        self.assertIn("no such leaf", self.inspect("--leaf", 3, expect=1))
        self.inspect("--leaf", 1, "--envelope", out, expect=1)  # an existing file is not written over

    def test_what_is_no_ledger_is_refused(self):
        text = self.folder / "text"
        text.write_text("nothing of that kind" * 100)
        done = self.site.headrace("ledger", "inspect", text, expect=1)
        self.assertIn("not a database", done.stderr)
        self.site.headrace("ledger", "inspect", self.folder / "none", expect=1)


if __name__ == "__main__":
    unittest.main()
