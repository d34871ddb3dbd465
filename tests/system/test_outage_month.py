#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An outage of 30 days, by the clocks of a real collector and a real aggregator (tests/support/clock_shift.c): the spool
overflows, a signed Loss says exactly what is gone, the rest is in Kafka once, and each event has the time at which its
message came, however long ago, within the error that it states."""
import bisect
import contextlib
import os
import struct
import sys
import time
import unittest

from harness import program
from pipeline import AIS
from test_outage import AFTER, BEFORE, DURING, Gap

DAY_MS = 86400000
STEPS = 10  # of three days
ERROR_OF_MS = 5000  # a message is read a moment after it was sent


class Month(Gap):
    def setUp(self):
        self.shift_ms = 0
        self.told = []  # (number of messages sent by then, not before, not after)
        super().setUp()

    @contextlib.contextmanager
    def clock(self):
        self.shift_path = self.folder / "shift"
        self.shift(-30 * DAY_MS)
        before = dict(os.environ)
        os.environ.update({"LD_PRELOAD": program("libclock_shift.so"), "HEADRACE_CLOCK_SHIFT": str(self.shift_path),
                           "ASAN_OPTIONS": "verify_asan_link_order=0"})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def shift(self, by_ms):
        """The clocks of programs started in clock() go wrong by so much from now on."""
        self.shift_ms = by_ms
        if not self.shift_path.exists():
            self.shift_path.write_bytes(bytes(8))
        with open(self.shift_path, "r+b") as file:
            file.write(struct.pack("=q", by_ms))

    def now_ms(self):
        return time.time() * 1000 + self.shift_ms

    def send(self, n_messages):
        since = self.now_ms()
        super().send(n_messages)
        self.told.append((self.n_messages, since, self.now_ms()))

    def assert_times(self, first_lost):
        """Each event happened while its message was sent, within the error that it states. Days of which there are events,
        and the greatest error."""
        events = sorted(self.broker.tail(AIS), key=lambda e: e["record_seq"])
        ends = [end for end, _, _ in self.told]
        for i, event in enumerate(events):
            index = i if event["record_seq"] < first_lost else len(self.sent) - len(events) + i
            self.assertEqual(event["payload"], self.sent[index])
            _, since, until = self.told[bisect.bisect_right(ends, index)]
            self.assertIn(event["time_quality"], ("anchored", "extrapolated"))
            error = event["time_error_ms"] + ERROR_OF_MS
            self.assertTrue(since - error <= event["occurred_at"] / 1000 <= until + error, (event, since, until))
        days = {int((event["occurred_at"] / 1000 - self.told[0][1]) // DAY_MS) for event in events}
        return days, max(event["time_error_ms"] for event in events)

    def test_thirty_days_without_an_aggregator(self):
        self.send(BEFORE)
        self.collector.wait_status("the first part to be acknowledged", lambda s: s["drained"])
        self.aggregator.kill()
        for step in range(1, STEPS + 1):
            self.shift(-30 * DAY_MS + step * 30 * DAY_MS // STEPS)
            self.send(DURING // STEPS)
        self.assertEqual(self.shift_ms, 0)
        self.assertGreater(self.collector.status()["stats"]["collector"]["losses"], 0)
        self.aggregator.start()  # by the machine's own clock, which is now the collector's too
        self.send(len(self.sent) - self.n_messages)
        self.finish()
        first_lost, _ = self.assert_what_is_missing_is_what_losses_name()
        days, error_ms = self.assert_times(first_lost)
        self.assertGreaterEqual(max(days), 30)
        print(f"events of days {sorted(days)}, each with its time; the greatest error stated is {error_ms} ms", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
