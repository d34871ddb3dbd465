#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A full AIS line, 38,400 baud without a pause, loses no byte while batches are signed and sent, DTLS sessions begin, and the
record key is changed.

Time is the board's own: QEMU counts instructions (--icount, about what the core of the board does in a second), and the
line brings a byte each 260 microseconds of it, into a receiver that loses what it has no room for. So the outcome does
not depend on the machine that runs the test. The core of qemu_mps2_an385 can't sign all that a full line brings; there
the line pauses each time it has brought 11 seconds.

HEADRACE_LONG=1 brings 33 seconds of a full line, in place of 17 or 22."""
import sys
import unittest

import nmea_oracle
from boards import BOARD, Board, coaps, enrol_board, wait_progress
from harness import Aggregator, Site, SystemTest
from pipeline import LONG
from test_board import fleet

BAUD = 38400
PER_BLAST, BLASTS = {"qemu_mps2_an385": (800, 3 if LONG else 2), "qemu_lm3s6965": (2400 if LONG else 1200, 1)}[BOARD]


class Line(SystemTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site)).start()

    def counts(self):
        return self.running.status()

    def wait_serial(self, n_bytes):
        seen = {}

        def taken():
            seen.update(self.counts()["device"])
            return seen["serial_bytes"] + seen.get("serial_dropped", 0) >= n_bytes
        wait_progress(f"{n_bytes} bytes of the line", taken, lambda: seen.get("serial_bytes"))

    def test_no_byte_is_lost_through_signatures_sending_two_handshakes_and_another_key(self):
        device = enrol_board(self.site, "board", [coaps(self.aggregator.port)], more=["--unlocked"])
        self.running = self.own(Board(device.folder, device.memory)).start("--icount", "--line", BAUD)
        lines = fleet(PER_BLAST * BLASTS).splitlines(keepends=True)
        fed = 0
        for blast in range(BLASTS):
            data = b"".join(lines[blast * len(lines) // BLASTS:(blast + 1) * len(lines) // BLASTS])
            before_ms = self.counts()["status"]["uptime_ms"]
            self.running.feed(data)
            self.wait_serial(fed + len(data) // 2)
            if blast == 0:  # in the middle of it: a new session, with its handshake
                self.aggregator.kill()
                self.aggregator.start()
                self.wait_serial(len(data) * 3 // 4)
                self.assertEqual(self.running.ask("rotate"), ["rotate asked"])
            fed += len(data)
            self.wait_serial(fed)
            took_ms = self.counts()["status"]["uptime_ms"] - before_ms
            print(f"{len(data)} bytes in {took_ms} ms of the board, {len(data) * 10000 / BAUD:.0f} ms of a full line", flush=True)
            self.running.wait_drained()
        self.running.wait_said("key_switched")
        counts = self.counts()
        print({key: counts["device"][key] for key in ("serial_bytes", "serial_dropped", "longest_turn_ms")}, counts["uplink"],
              flush=True)
        self.assertEqual((counts["device"]["serial_bytes"], counts["device"]["serial_dropped"]), (fed, 0))
        self.assertEqual(counts["ais"]["messages"], len(nmea_oracle.Log(b"".join(lines)).messages))
        self.assertGreaterEqual(counts["uplink"]["sessions_opened"], 2)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
