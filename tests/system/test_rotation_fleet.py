#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`headrace rotate --all`: a registry of many devices, of which one is a real gateway and the others never answer. It stops
when too many fail, goes on where it stopped, and each is asked once. Prints how fast list, search and asking are, and the
memory that they take.

HEADRACE_LONG=1 has 10,000 devices in the registry instead of 300."""
import json
import re
import sqlite3
import subprocess
import sys
import time
import unittest

from harness import Aggregator, Site, SystemTest, free_port, program, wait_for
from pipeline import LONG, Collector, Fleet

N_DEVICES = 10000 if LONG else 300
FIRST_ID = 1000
DEADLINE_S = 300


class RotationFleet(SystemTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.aggregator = self.own(Aggregator(self.site, limits={"max_devices": 2 * N_DEVICES}))
        self.aggregator.start()
        self.aggregator.stop()
        self.seed()
        self.aggregator.start()
        self.port = free_port()
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
        self.collector = self.own(Collector(self.device, [self.aggregator.coaps_tcp], taps, more="seal: {max_age: 200ms}\n"))
        self.state_file = self.folder / "rotation.state"

    def seed(self):
        """Devices that were active once, straight into the ledger of an aggregator that does not run."""
        with sqlite3.connect(self.aggregator.ledger) as ledger:
            spki = ledger.execute("SELECT spki FROM device_key").fetchone()[0]
            ids = range(FIRST_ID, FIRST_ID + N_DEVICES)
            ledger.executemany("INSERT INTO device (device, name, tenant, state, revision, reason) VALUES (?, ?, 'sim', 1, 1, '')",
                               [(i, f"silent-{i}") for i in ids])
            ledger.executemany("INSERT INTO device_key (device, epoch, spki, from_stream, from_seq, to_stream, to_seq, revoked,"
                               " since_ms) VALUES (?, 1, ?, 0, 0, 4294967295, 4294967295, 0, 1)", [(i, spki) for i in ids])

    def rotate(self, *words, expect):
        """The summary of the tool, with what it said and how long it took."""
        begun = time.monotonic()
        done = subprocess.run([program("headrace"), "rotate", "--all", "--json", "--config", self.aggregator.config, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=1500, check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr[-3000:])
        told = json.loads(done.stdout)
        told["seconds"], told["said"] = time.monotonic() - begun, done.stderr
        return told

    def timed(self, *words):
        begun = time.monotonic()
        done = self.site.headrace(*words, "--config", self.aggregator.config)
        return time.monotonic() - begun, done.stdout

    def audited(self):
        rows = json.loads(self.timed("audit", "--json")[1])
        return sum(row["action"] == "rotation_asked" for row in rows)

    def memory_kb(self, pid):
        with open(f"/proc/{pid}/status") as status:
            found = re.search(r"VmHWM:\s+(\d+)", status.read())
        return int(found.group(1)) if found else 0

    def tool_kb(self, *words):
        """The most memory that the tool was seen with; getrusage has that of whoever forked it too."""
        most = 0
        with subprocess.Popen([program("headrace"), *words, "--config", self.aggregator.config], stdout=subprocess.DEVNULL) as tool:
            while tool.poll() is None:
                most = max(most, self.memory_kb(tool.pid))
        self.assertEqual(tool.returncode, 0, words)
        return most

    def test_a_fleet_is_rolled_gradually_stops_at_failures_and_goes_on(self):
        list_s, table = self.timed("device", "list")
        self.assertEqual(len(table.splitlines()), N_DEVICES + 2)
        by_name_s, table = self.timed("device", "list", "--name", f"silent-{FIRST_ID + N_DEVICES - 1}")
        self.assertEqual(len(table.splitlines()), 2)
        by_state_s, table = self.timed("device", "list", "--state", "enrolled")
        self.assertEqual(len(table.splitlines()), 2)
        self.assertEqual(self.timed("device", "list", "--state", "revoked", "--name", "silent")[1], "")
        # The aggregator picks them: the page has what was asked for and no more.
        found = self.aggregator.http("/devices/after/0?state=enrolled&name=gate%77ay")
        self.assertEqual([row["name"] for row in json.loads(found[1])["devices"]], ["gateway"])
        self.assertEqual(self.aggregator.http("/devices?state=gone")[0], 400)
        self.assertEqual(self.aggregator.http("/devices?name=%01")[0], 400)

        self.collector.start()
        fleet = self.own(Fleet(self.port, 7, 100, self.folder))
        shown = lambda: json.loads(self.timed("device", "show", str(self.device.device_id), "--json")[1])["devices"][0]
        wait_for("the gateway to be active", lambda: shown()["state"] == "active", DEADLINE_S)

        told = self.rotate("--dry-run", expect=0)
        self.assertEqual((told["devices"], told["to_do"], told["passed_over"]), (N_DEVICES + 1, N_DEVICES + 1, 0))
        self.assertEqual(self.audited(), 0)

        # Two may fail; the third stops it, and most were never asked.
        told = self.rotate("--state-file", self.state_file, "--rate", "60/min", "--max-failures", "2", "--timeout", "1s", expect=1)
        self.assertEqual(told["outcome"], "stopped")
        self.assertGreater(told["failed"], 2)
        asked_first = self.audited()
        self.assertLess(asked_first, N_DEVICES)
        self.assertIn("goes on here", told["said"])

        # The real one has its new key, when it is given the time; nothing is asked a second time.
        told = self.rotate("--state-file", self.state_file, "--name", "gateway", "--timeout", "5m", expect=0)
        self.assertEqual((told["devices"], told["done"]), (1, 1))
        self.assertEqual(shown()["epoch"], 2)

        told = self.rotate("--state-file", self.state_file, "--rate", "60000/min", "--max-failures", "100%", "--timeout", "5s", expect=2)
        self.assertEqual((told["done"], told["failed"], told["to_do"], told["asked"]), (1, N_DEVICES, 0, 0))
        self.assertEqual(self.audited(), N_DEVICES + 1)
        self.assertEqual(shown()["epoch"], 2)
        fleet.stop()
        self.collector.process.stop()
        print(f"{N_DEVICES} devices: listed in {list_s:.3f} s, one found by name in {by_name_s:.3f} s, by state in {by_state_s:.3f} s; "
              f"{N_DEVICES - asked_first} asked and given up in {told['seconds']:.1f} s; aggregator {self.memory_kb(self.aggregator.process.pid)} KB, tool that lists "
              f"{self.tool_kb('device', 'list')} KB, that rolls {self.tool_kb('rotate', '--all', '--dry-run')} KB", flush=True)

    def test_a_wrong_use_is_told(self):
        for words in (("--rate", "0"), ("--rate", "5/day"), ("--max-failures", "x"), ("--max-failures", "101%"), ("--timeout", "soon")):
            done = self.site.headrace("rotate", "--all", "--config", self.aggregator.config, *words, expect=3)
            self.assertIn(words[0], done.stderr)
        self.site.headrace("rotate", "--config", self.aggregator.config, expect=3)
        self.state_file.write_text("something else\n")
        done = self.site.headrace("rotate", "--all", "--config", self.aggregator.config, "--state-file", self.state_file, expect=1)
        self.assertIn("no state of `headrace rotate`", done.stderr)
        self.state_file.write_text("headrace rotate 1\n1 as")  # cut by a power failure, and gone on with twice
        for _ in range(2):
            done = self.site.headrace("rotate", "--all", "--config", self.aggregator.config, "--state-file", self.state_file, "--name",
                                      "no such name", expect=None)
            self.assertNotIn("no state of", done.stderr)
            self.assertEqual(self.state_file.read_text(), "headrace rotate 1\n")
        nobody = f"http://127.0.0.1:{free_port()}"
        self.assertIn("no aggregator answers", self.site.headrace("rotate", "--all", "--admin", nobody, expect=1).stderr)
        self.assertIn("there is no such device", self.site.headrace("device", "rotate", "77", "--config", self.aggregator.config,
                                                                    expect=1).stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
