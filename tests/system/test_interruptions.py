#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The ceremony P1 to P9 of a gateway, `device claim` and `device provision`, with real processes and an interruption at
its messages: device, tool or aggregator killed with SIGKILL, or the message lost, before its receiver has it or behind
that; and the aggregator killed at its failpoints around each commit. The commands are then said again, once, and end with
0; there is one device row, one identity, the same key and number as before; it delivers, is active and locked.

Each cell of step and kind is run with some of its messages; with HEADRACE_LONG=1 each message of a ceremony is."""
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import queue
import subprocess
import unittest

import harness
import test_provision
from interruptions import BEFORE, BEHIND, KINDS, AdminRelay, Interruption, LineRelay, Point, TlsRelay
from harness import SERVER_NAME, program, wait_for

LONG = os.environ.get("HEADRACE_LONG") == "1"
STEPS = tuple(f"P{i}" for i in range(1, 10))
LANES, AGGREGATORS = 10, 6  # ceremonies side by side before one aggregator, and before one each that may be killed
POINTS_OF_CELL = 2         # of each phase, in the short form
# The commits of a ceremony, in their order, and the places around one.
COMMITS = ("P1", "P4", "P7", "P8", "P8")
AUDITED = (0, 1, 2, 3, 3, 4)  # entries behind so many of them: that a transport key opened its first session has none
FAILPOINTS = {BEFORE: ("before_commit", "ledger_changed"), BEHIND: ("after_commit", "after_ack")}
ENTRIES = ["claimed", "certified", "key_added", "activated"]


def steps_of(seen):
    """The step of each message, by the ceremony's order. The certificate's request is P4, its answer P5."""
    fixed = {"POST /claims": "P1", "prov hello": "P1", "prov csr": "P3", "prov proof": "P3", "prov part": "P6",
             "prov keep": "P6", "prov install": "P6", "prov record": "P7", "POST /record-keys": "P7"}
    is_locking = False
    for name, n in seen:
        is_locking = is_locking or name == "prov lock"
        if name == "POST /certificates":
            yield Point("P4", name, n, BEFORE)
            yield Point("P5", name, n, BEHIND)
            continue
        if is_locking and name.startswith("prov "):
            step = "P9"
        elif name.startswith(("handshake ", "data ")) or name == "prov deliver":
            step = "P8"
        elif name == "GET /claims":
            step = "P1" if n == 1 else "P8"
        else:
            step = "P2" if name == "prov begin" else fixed.get(name, "P6")
        yield Point(step, name, n, BEFORE)
        yield Point(step, name, n, BEHIND)


class Ceremony:
    """One gateway with a relay in each of its ways."""

    def __init__(self, test, site, aggregator, serial, point=None, kind=None):
        self.test, self.site, self.aggregator, self.serial = test, site, aggregator, serial
        self.gateway = test_provision.Gateway(test.folder, serial)
        self.gateway.start()
        self.tool = None
        self.delivers = point is not None and point.name.startswith(("handshake ", "data "))
        strikes = {"device": self.gateway.kill, "tool": lambda: self.tool.kill(), "aggregator": aggregator.kill}
        self.interruption = Interruption(point, kind, strikes)
        self.line = LineRelay(self.gateway.folder / "line.sock", self.gateway.say, self.interruption)
        self.admin = AdminRelay(aggregator.http_port, self.interruption)
        self.tls = TlsRelay(aggregator.port, self.interruption)

    def commands(self, is_relayed):
        admin = self.admin.url if is_relayed else f"http://127.0.0.1:{self.aggregator.http_port}"
        socket = self.line.path if is_relayed else self.gateway.socket
        yield "claim", "--serial", self.serial, "--name", self.serial.lower(), "--site", "lower lock", "--admin", admin
        yield ("provision", "--socket", socket, "--dir", self.site.ca, "--aggregator", f"coaps+tcp://127.0.0.1:{self.tls.port}",
               "--server-name", SERVER_NAME, "--wait", "120", "--admin", admin)

    def perform(self):
        """With the relays, as far as it comes. True: to its end."""
        for words in self.commands(True):
            self.interruption.may_pass.clear()
            self.tool = subprocess.Popen([program("headrace"), "device", *(str(word) for word in words)],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.interruption.may_pass.set()
            if wait_for("the tool to end", self.has_ended) != [0]:
                return False
        return True

    def has_ended(self):
        """[the tool's code] when it has. While it waits for the first batch, a device that lost its power gets it back."""
        if self.delivers and not self.gateway.process.alive():
            self.revive()
        code = self.tool.poll()
        return None if code is None else [code]

    def say_again(self):
        for words in self.commands(False):
            self.site.headrace("device", *words)

    def revive(self):
        if not self.gateway.process.alive():
            self.gateway.close()
            self.gateway.start()
        if not self.aggregator.process.alive():
            self.aggregator.start()

    def rows(self, sql, *arguments):
        return self.aggregator.query(sql, *arguments)

    def known(self):
        """What must not change any more: the device's keys, and what the registry has of it."""
        fields = self.gateway.fields()
        rows = self.rows("SELECT device, spki, certificate FROM enrolment WHERE serial = ?", self.serial)
        found = {"key": fields.get("key"), "record": fields.get("record"), "locked": fields["locked"] == "1" or None}
        if rows:
            found.update(device=rows[0][0], spki=rows[0][1] or None, certificate=rows[0][2] or None)
        return {name: value for name, value in found.items() if value is not None}

    def check_the_end(self, before):
        """`before`: what was known when it was interrupted."""
        test, after = self.test, self.known()
        test.assertEqual({name: after.get(name) for name in before}, before)
        rows = self.rows("SELECT device FROM enrolment WHERE serial = ?", self.serial)
        test.assertEqual(len(rows), 1)
        device = rows[0][0]
        fields = self.gateway.fields()
        test.assertEqual((fields["state"], fields["locked"], fields["device"], fields["epoch"]), ("enrolled", "1", str(device), "1"))
        test.assertEqual(hashlib.sha256(after["spki"]).hexdigest(), fields["key"])
        test.assertIn(after["spki"], after["certificate"])
        test.assertEqual(self.rows("SELECT state, name FROM device WHERE device = ?", device), [(1, self.serial.lower())])
        (key,), = self.rows("SELECT spki FROM device_key WHERE device = ?", device)
        test.assertEqual(hashlib.sha256(key).hexdigest(), fields["record"])
        test.assertEqual([row[0] for row in self.rows("SELECT action FROM audit WHERE device = ? ORDER BY id", device)], ENTRIES)
        self.check_delivery(device)

    def check_commits(self, point):
        """What the killed aggregator had committed, by its audit entries."""
        entries = self.rows("SELECT action FROM audit JOIN enrolment USING (device) WHERE serial = ?", self.serial)
        self.test.assertEqual(len(entries), AUDITED[point.n - (point.phase == BEFORE)], point)

    def check_delivery(self, device):
        def batches():
            return [row[0] for row in self.rows("SELECT seq FROM batch WHERE device = ? ORDER BY seq", device)]
        n_before = len(batches())

        def delivered():
            self.gateway.feed()
            return len(batches()) > n_before
        wait_for("a batch of what was fed", delivered)
        seqs = batches()
        self.test.assertEqual(seqs, list(range(len(seqs))))
        self.test.assertEqual(self.rows("SELECT DISTINCT stream FROM batch WHERE device = ?", device), [(0,)])

    def close(self):
        self.gateway.close()
        for relay in (self.line, self.admin, self.tls):
            relay.close()


class InterruptionTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.shared = self.own(harness.Aggregator(self.site, "shared"))
        self.shared.start()
        self.victims = queue.Queue()
        for i in range(AGGREGATORS):
            self.victims.put(self.own(harness.Aggregator(self.site, f"victim{i}")))
        self.counts = collections.Counter()
        self.met = set()

    @contextlib.contextmanager
    def aggregator_for(self, kind):
        """One that may be killed, or the one that many share."""
        if kind != "aggregator":
            yield self.shared
            return
        victim = self.victims.get()
        try:
            if victim.process is None:
                victim.start()
            yield victim
        finally:
            self.victims.put(victim)

    def points(self):
        """Those of a whole ceremony. How often the registry is asked, and what goes on behind the first
        acknowledgement, is no fixed number."""
        ceremony = Ceremony(self, self.site, self.shared, "GW-0")
        with contextlib.closing(ceremony):
            self.assertTrue(ceremony.perform())
            ceremony.check_the_end({})
        limits = {"GET /claims": 2, "data to aggregator": 3, "data to device": 3}
        return list(steps_of((name, n) for name, n in ceremony.interruption.seen if n <= limits.get(name, n)))

    def interrupt(self, number, point, kind):
        with self.aggregator_for(kind) as aggregator:
            is_failpoint = point.name in (*FAILPOINTS[BEFORE], *FAILPOINTS[BEHIND])
            if is_failpoint:
                aggregator.stop()
                aggregator.start(env={"HEADRACE_FAILPOINT": f"{point.name}:{point.n}"})
            ceremony = Ceremony(self, self.site, aggregator, f"GW-{number}", point, kind)
            with contextlib.closing(ceremony):
                is_done = ceremony.perform()
                if is_failpoint:
                    wait_for(f"{point} to be reached", lambda: not aggregator.process.alive())
                else:
                    wait_for(f"{point} to be reached", lambda: ceremony.interruption.is_met)
                self.assertFalse(is_done and kind == "tool" and point.step != "P8", point)
                ceremony.revive()
                if is_failpoint:
                    ceremony.check_commits(point)
                before = ceremony.known()
                ceremony.say_again()
                ceremony.check_the_end(before)
        self.counts[point.step, kind] += 1

    def test_each_step_interrupted_in_each_way_ends_in_one_identity(self):
        points = self.points()
        cells = collections.defaultdict(list)
        for point in points:
            for kind in KINDS:
                cells[point.step, kind].append(point)
        plan = [(point, kind) for (step, kind), of_cell in cells.items() for point in self.chosen(step, kind, of_cell)]
        plan += [(Point(step, name, n, phase), "aggregator") for n, step in enumerate(COMMITS, start=1)
                 for phase, names in FAILPOINTS.items() for name in names]
        plan.sort(key=lambda cell: cell[1] != "message")  # whoever lost an answer waits for it
        with concurrent.futures.ThreadPoolExecutor(LANES) as lanes, concurrent.futures.ThreadPoolExecutor(AGGREGATORS) as own:
            runs = {(own if kind == "aggregator" else lanes).submit(self.interrupt, number, point, kind): (point, kind)
                    for number, (point, kind) in enumerate(plan, start=1)}
            failed = [f"{kind} {point}: {error!r}" for run, (point, kind) in runs.items() if (error := run.exception())]
        self.print_table(len(points) * len(KINDS))
        self.assertEqual(failed, [], "\n".join(failed))
        self.assertEqual(set(self.counts), {(step, kind) for step in STEPS for kind in KINDS})

    def chosen(self, step, kind, of_cell):
        """All of a cell, or some of each phase, which differ from kind to kind."""
        if LONG:
            return of_cell
        out = []
        for phase in (BEFORE, BEHIND):
            some = [point for point in of_cell if point.phase == phase]
            first = (STEPS.index(step) + KINDS.index(kind)) * 5
            out += {some[(first + i * max(1, len(some) // POINTS_OF_CELL)) % len(some)] for i in range(POINTS_OF_CELL)} if some else []
        return out

    def print_table(self, n_messages):
        print(f"\n{'':6}" + "".join(f"{kind:>12}" for kind in KINDS))
        for step in STEPS:
            print(f"{step:6}" + "".join(f"{self.counts[step, kind]:12}" for kind in KINDS))
        print(f"{self.counts.total()} interruptions in {len(self.counts)} cells; a ceremony has {n_messages} at its messages", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
