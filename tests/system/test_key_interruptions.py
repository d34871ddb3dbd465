#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""R1 to R6, with real processes: a gateway that is asked for another record key by `device rotate --wait`, and an
interruption at each message between device and aggregator and between tool and aggregator, at each failpoint of the device,
and around each commit of the aggregator. The command is then said again, once, and ends with 0: the device has one key,
which is the registry's newest, each batch is there once and under the key of its place, and what is new is delivered.

test_rotation_sim.c walks every interruption of every way; here some of each kind are, all with HEADRACE_LONG=1."""
import base64
import collections
import concurrent.futures
import os
import signal
import socket
import subprocess
import unittest

import harness
import pipeline
from harness import program, wait_for
from interruptions import BEFORE, BEHIND, KINDS, AdminRelay, Interruption, Point, TlsRelay
from nmea_oracle import checksum

LONG = os.environ.get("HEADRACE_LONG") == "1"
LANES = 6
STRIDE = 1 if LONG else 3
ROTATING = 6
STEPS = ("asked", "R1", "R2", "R3", "R4", "R5", "R6")
SENTENCE = "AIVDM,1,1,,A,15M67FC000G?ufbE`FepT@3n00Sa,0"
RECORDS = 4  # of TLS with data, each way, from the command on; a change has not fewer
EPOCHS = 6   # of a device, before the next one takes its lane: an entry has room for a number of keys
OF_DEVICE = ("key_prepared", "key_placed", "key_in_use", "key_promoted", "key_replaced")
OF_AGGREGATOR = {BEFORE: ("before_commit", "ledger_changed"), BEHIND: ("after_commit", "after_ack")}
COMMITS = 4  # the request, the batch whose answer has the hint, the KeySwitch, the first batch under the new key


class Lane:
    """An aggregator and a gateway of its own, which changes its key again and again."""

    def __init__(self, test, site, number):
        self.test, self.site = test, site
        self.devices = [site.enrol(f"gateway{number}-{i}") for i in range(len(plan()) // LANES // 2)]
        self.aggregator = harness.Aggregator(site, f"aggregator{number}")
        self.aggregator.start()
        self.tls = TlsRelay(self.aggregator.port, passing())
        self.admin = AdminRelay(self.aggregator.http_port, passing())
        self.port = harness.free_port()
        self.collector = self.tool = self.met_at = None
        self.change_device()

    def change_device(self):
        if self.collector is not None:
            self.collector.close()
        self.device = self.devices.pop()
        self.id = self.device.device_id
        self.collector = pipeline.Collector(
            self.device, [f"coaps+tcp://127.0.0.1:{self.tls.port}"],
            f"  - {{type: ais, source: udp, host: 127.0.0.1, port: {self.port}}}\n",
            "seal: {max_age: 50ms}\nstats_interval: 1h\nshutdown_flush: 0s\n")
        self.collector.start()
        self.deliver()

    # ---- what is ----

    def state(self):
        try:
            text = (self.device.folder / "record.key.state").read_text()
        except FileNotFoundError:
            text = "epoch 1\nphase single\n"
        return dict(line.split(" ", 1) for line in text.splitlines())

    def batches(self):
        return [row[0] for row in self.aggregator.query("SELECT seq FROM batch WHERE device = ? ORDER BY seq", self.id)]

    def audited(self, action):
        return self.aggregator.query("SELECT count(*) FROM audit WHERE device = ? AND action = ?", self.id, action)[0][0]

    def is_asked(self):
        (wants_key, state), = self.aggregator.query("SELECT wants_key, state FROM device WHERE device = ?", self.id)
        return wants_key or state == ROTATING

    def step(self):
        """The last step that is durable."""
        state = self.state()
        if int(state["epoch"]) > self.epoch:
            return "R6"
        if self.audited("key_in_use") >= self.epoch:
            return "R5"
        if self.audited("key_switched") >= self.epoch:
            return "R4"
        return {"single": "asked", "prepared": "R1", "placed": "R2"}.get(state["phase"], "R3")

    # ---- what is done ----

    def feed(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as feeder:
            feeder.sendto(f"!{SENTENCE}*{checksum(SENTENCE.encode()):02X}\r\n".encode(), ("127.0.0.1", self.port))

    def deliver(self):
        n_before = len(self.batches())

        def delivered():
            self.feed()
            return len(self.batches()) > n_before
        wait_for("a batch of what was fed", delivered)

    def words(self, admin):
        return [program("headrace"), "device", "rotate", str(self.id), "--wait", "--timeout", "2m", "--admin", admin]

    def strike(self, kind):
        self.met_at = self.step()
        {"device": lambda: self.collector.process.kill(), "tool": lambda: self.tool.kill(), "aggregator": self.aggregator.kill,
         "message": lambda: None}[kind]()

    def revive(self):
        if not self.collector.process.alive():
            self.collector.start()
        if not self.aggregator.process.alive():
            self.aggregator.start()

    def restart_at(self, failpoint, kind):
        """The device or the aggregator anew, to be killed there."""
        if kind == "device":
            self.collector.process.kill()
            self.collector.start(env={"HEADRACE_FAILPOINT": failpoint})
            self.quiet()
        else:
            self.quiet()
            self.aggregator.stop()
            self.aggregator.start(env={"HEADRACE_FAILPOINT": failpoint})

    def quiet(self):
        """Nothing is to be committed but what the command makes; a restarted device says that it was."""
        wait_for("the spool to drain", lambda: (s := self.collector.status()) and s["drained"] and s["open_records"] == 0)

    def change(self, is_over, doomed=None):
        """Says the command and feeds the device until it is over: until the tool has ended and is_over(). Before the
        request stands nothing is fed, and then one record after the other, so that few messages pass that are none of the
        change's."""
        n_fed_at = -1
        said = open(self.aggregator.folder / "tool", "w+", encoding="utf-8")
        with said, subprocess.Popen(self.words(self.admin.url), stdout=said, stderr=subprocess.STDOUT) as tool:
            self.tool = tool
            self.tls.interruption.may_pass.set()

            def look():
                nonlocal n_fed_at
                is_ended = tool.poll() is not None
                if doomed is not None and not doomed.alive():
                    self.met_at = self.met_at or self.step()
                if self.kill_at is not None and self.kill_at == self.step():
                    self.kill_at = None
                    self.strike("device")
                n_batches = len(self.batches())
                if is_ended or (self.is_asked() and n_batches != n_fed_at):
                    n_fed_at = n_batches
                    self.feed()
                if not is_ended and not self.collector.process.alive():
                    self.collector.start()
                return is_ended and is_over()
            wait_for("the interruption, and the tool to end", look, seen=lambda: (self.step(), self.tls.interruption.seen))
            return tool.returncode

    def interrupt(self, point, kind):
        """Gives behind which step it came."""
        if int(self.state()["epoch"]) > EPOCHS:
            self.change_device()
        self.epoch, self.met_at = int(self.state()["epoch"]), None
        is_failpoint = not point.name.startswith(("data ", "GET ", "POST ", "step "))
        self.kill_at = point.name.removeprefix("step ") if point.name.startswith("step ") else None
        is_message = not is_failpoint and self.kill_at is None
        victim = self.collector if kind == "device" else self.aggregator
        if is_failpoint:
            self.restart_at(f"{point.name}:{point.n}", kind)
        doomed = victim.process
        interruption = Interruption(point if is_message else None, kind, {kind: lambda: self.strike(kind)})
        self.tls.interruption = self.admin.interruption = interruption
        if is_failpoint:
            self.change(lambda: not doomed.alive(), doomed)
            self.test.assertEqual(doomed.returncode(), -signal.SIGKILL)
        else:
            self.change(lambda: interruption.is_met if is_message else self.met_at is not None)
        met_at = self.met_at
        self.revive()
        self.tls.interruption = self.admin.interruption = passing()
        self.test.assertEqual(self.change(lambda: True), 0, (self.aggregator.folder / "tool").read_text())
        self.check_the_end()
        return met_at

    def check_the_end(self):
        test = self.test
        wait_for("one key", lambda: self.state()["phase"] == "single", seen=self.state)
        epoch = int(self.state()["epoch"])
        # Where the first command was through, the second was another.
        test.assertIn(epoch, (self.epoch + 1, self.epoch + 2))
        keys = self.aggregator.query("SELECT epoch, spki FROM device_key WHERE device = ? ORDER BY epoch", self.id)
        test.assertEqual([row[0] for row in keys], list(range(1, epoch + 1)))
        public = harness.run("openssl", "pkey", "-in", self.device.record_key, "-pubout").stdout
        test.assertEqual(base64.b64decode("".join(public.splitlines()[1:-1])), keys[-1][1])
        test.assertEqual(self.aggregator.query("SELECT state FROM device WHERE device = ?", self.id), [(1,)])
        test.assertEqual((self.audited("key_switched"), self.audited("key_in_use")), (epoch - 1, epoch - 1))
        self.deliver()
        seqs = self.batches()
        test.assertEqual(seqs, list(range(len(seqs))))
        test.assertEqual(self.aggregator.query("SELECT DISTINCT stream FROM batch WHERE device = ?", self.id), [(0,)])

    def close(self):
        self.collector.close()
        self.tls.close()
        self.admin.close()
        self.aggregator.close()


def passing():
    interruption = Interruption()
    interruption.may_pass.set()
    return interruption


def plan():
    messages = [(f"data to {end}", n) for n in range(1, RECORDS + 1) for end in ("aggregator", "device")]
    out = [(Point(None, name, n, phase), kind) for name, n in messages for phase in (BEFORE, BEHIND) for kind in KINDS]
    out += [(Point(None, name, n, phase), kind) for name, n in (("POST /devices", 1), ("GET /devices", 1), ("GET /devices", 2))
            for phase in (BEFORE, BEHIND) for kind in KINDS]
    out = [cell for i, cell in enumerate(out) if (i + i // 4) % STRIDE == 0]
    out += [(Point(None, name, 1, BEFORE), "device") for name in OF_DEVICE]
    out.append((Point(None, "step R4", 1, BEHIND), "device"))  # before another record is there, which the new key would sign
    out += [(Point(None, name, n, phase), "aggregator") for n in range(1, COMMITS + 1) for phase, names in OF_AGGREGATOR.items()
            for name in names]
    return out


class KeyInterruptionTest(harness.SystemTest):
    def run_lane(self, lane, cells):
        for point, kind in cells:
            try:
                self.counts[lane.interrupt(point, kind), kind] += 1
            except BaseException as error:
                raise AssertionError(f"{kind} {point}: {error!r}") from error

    def test_a_record_key_is_changed_whatever_is_interrupted(self):
        site = harness.Site(self.folder)
        self.counts = collections.Counter()
        lanes = [self.own(Lane(self, site, number)) for number in range(LANES)]
        cells = plan()
        with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
            runs = [pool.submit(self.run_lane, lane, cells[i::LANES]) for i, lane in enumerate(lanes)]
            failed = [repr(error) for run in runs if (error := run.exception())]
        print(f"\n{'':8}" + "".join(f"{kind:>12}" for kind in KINDS))
        for step in STEPS:
            print(f"{step:8}" + "".join(f"{self.counts[step, kind]:12}" for kind in KINDS))
        print(f"{self.counts.total()} interruptions, by the step that was the last one; from R1 to R2 nobody but the device does "
              "anything, and no message passes", flush=True)
        self.assertEqual(failed, [], "\n".join(failed))
        self.assertEqual({step for step, kind in self.counts if kind == "device"} - {"asked"}, set(STEPS[1:]))
        self.assertEqual({kind for _, kind in self.counts}, set(KINDS))
        for lane in lanes:
            lane.aggregator.stop()
            site.headrace("ledger", "fsck", lane.aggregator.ledger)


if __name__ == "__main__":
    unittest.main(verbosity=2)
