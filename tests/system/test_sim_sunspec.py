# SPDX-License-Identifier: Apache-2.0
"""`headrace sim sunspec`: what a simulated plant says, over TCP and over RTU, to `headrace tap probe` and to a master written here;
and the faults that it shows on command."""
import os
import re
import select
import struct
import subprocess
import time
import unittest

import harness
from rtu_bus import crc

BASE = 40000


class Plant:
    """A running simulator."""

    def __init__(self, folder, *arguments):
        self.commands, give = os.pipe()
        self.give = os.fdopen(give, "w", buffering=1)
        self.out = folder / f"plant{give}.out"
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([harness.program("headrace"), "sim", "sunspec", *map(str, arguments)],
                                                          stdin=self.commands, stdout=out)
        n_lines = 2 if {"--rtu", "--pty"} & set(map(str, arguments)) else 1
        harness.wait_for("the plant to say where it is", lambda: len(self.said()) >= n_lines or self.process.poll() is not None)
        self.address = self.said()[0]
        self.path = self.said()[1].removeprefix("rtu ") if n_lines == 2 else None

    def said(self):
        return self.out.read_text().split("\n")[:-1]

    def command(self, line):
        n_said = len(self.said())
        self.give.write(line + "\n")
        harness.wait_for(f"an answer to {line}", lambda: len(self.said()) > n_said)
        return self.said()[-1]

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.give.close()
        os.close(self.commands)


class Line:
    """An RTU master at the other end of a pseudo terminal."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)

    def close(self):
        os.close(self.fd)

    def ask(self, unit, address, count, n_bytes):
        """n_bytes of the answer."""
        request = struct.pack(">BBHH", unit, 3, address, count)
        os.write(self.fd, request + crc(request))
        answer, end = b"", time.monotonic() + harness.DEADLINE_S
        while len(answer) < n_bytes:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{len(answer)} bytes of {n_bytes} came: {answer.hex()}")
            answer += os.read(self.fd, n_bytes - len(answer))
        return answer

    def read(self, unit, address, count):
        answer = self.ask(unit, address, count, 5 + 2 * count)
        if answer[:3] != bytes([unit, 3, 2 * count]) or crc(answer[:-2]) != answer[-2:]:
            raise AssertionError(answer.hex())
        return list(struct.unpack(f">{count}H", answer[3:-2]))


class Simulator(harness.SystemTest):
    def plant(self, *arguments):
        return self.own(Plant(self.folder, *arguments))

    def probe(self, plant, *more, expect=0):
        return harness.run(harness.program("headrace"), "tap", "probe", plant.address, *more, "--timeout", "3000",
                           expect=expect).stdout

    def values(self, plant, unit):
        """{point: value as it is printed, without names}"""
        rows = [re.split(r"\s{2,}", line.strip()) for line in self.probe(plant, "--unit", str(unit)).splitlines()[1:]]
        return {row[1]: row[3] for row in rows if len(row) == 4}

    def test_a_plant_follows_the_sun(self):
        night, noon = self.plant("--hour", 0, "--speed", 0), self.plant("--hour", 12, "--speed", 0)
        self.assertEqual(self.values(night, 3)["W"], "0")
        self.assertEqual(self.values(night, 3)["St"], "2 SLEEPING")
        inverters = [self.values(noon, unit) for unit in (3, 4)]
        for inverter in inverters:
            self.assertTrue(3500 < int(inverter["W"]) <= 10000, inverter)
            self.assertEqual(inverter["St"], "4 MPPT")
            self.assertAlmostEqual(float(inverter["A"]) * float(inverter["PhVphA"]), int(inverter["W"]), delta=20)
        battery = self.values(noon, 2)
        self.assertAlmostEqual(float(battery["A"]) * float(battery["V"]), int(battery["W"]), delta=20)
        self.assertEqual(battery["ChaSt"], "4 CHARGING")
        self.assertLess(int(self.values(noon, 1)["W"]), 0)  # more is made than used: the meter gives to the grid

    def test_a_seed_is_a_sky(self):
        same = [self.probe(self.plant("--seed", seed, "--speed", 0, "--hour", 9), "--unit", "1-4") for seed in (5, 5, 6)]
        self.assertEqual(same[0], same[1])
        self.assertNotEqual(same[0], same[2])

    def test_energy_is_counted_while_time_goes_on(self):
        plant = self.plant("--hour", 11, "--speed", 3600)
        first = harness.wait_for("energy", lambda: int(self.values(plant, 3).get("WH", 0)))
        harness.wait_for("more energy", lambda: int(self.values(plant, 3)["WH"]) > first)

    def test_rtu_says_what_tcp_says(self):
        plant = self.plant("--rtu", "--speed", 0, "--hour", 12)
        line = self.own(Line(plant.path))
        self.assertEqual(line.read(3, BASE, 4), [0x5375, 0x6E53, 1, 66])
        words = line.read(3, BASE + 70, 52)
        self.assertEqual(words[:2], [103, 50])
        values = self.values(plant, 3)
        self.assertEqual(str(words[14]), values["W"])
        self.assertEqual(f"{words[2] / 100:.2f}", values["A"])
        self.assertEqual(line.read(3, BASE + 122, 2), [0xFFFF, 0])
        # Behind the last register, and a function that it does not have.
        self.assertEqual(line.ask(3, BASE + 123, 2, 5)[:3], bytes([3, 0x83, 2]))
        os.write(line.fd, b"\x00\xff\x13")  # noise before a request
        self.assertEqual(line.read(1, BASE + 70, 2), [203, 105])
        self.assertEqual(plant.command("1 bad_crc"), "ok")
        answer = line.ask(1, BASE, 2, 9)
        self.assertNotEqual(crc(answer[:-2]), answer[-2:])
        self.assertEqual(plant.command("1 wrong_unit"), "ok")
        answer = line.ask(1, BASE, 2, 9)
        self.assertEqual((answer[0], crc(answer[:-2])), (247, answer[-2:]))

    def test_a_probe_of_the_serial_line_sees_the_same(self):
        plant = self.plant("--pty", self.folder / "bus", "--speed", 0, "--hour", 12)
        self.assertEqual(plant.path, str(self.folder / "bus"))
        rtu = lambda more="", expect=0: harness.run(harness.program("headrace"), "tap", "probe", f"rtu://{plant.path}{more}", "--unit",
                                                    "1-4", "--timeout", "3000", expect=expect)
        self.assertEqual(rtu("?baud=115200&parity=even").stdout, self.probe(plant, "--unit", "1-4"))
        self.assertEqual(plant.command("1 bad_crc"), "ok")
        self.assertIn("unit 1  no answer: bad_crc", rtu().stdout)
        self.assertIn("no such baud rate", rtu("?baud=1", expect=1).stderr)
        rtu("?speed=9600", expect=3)

    def test_a_device_without_values_or_scales_or_with_a_short_common_model(self):
        plant = self.plant("--speed", 0, "--hour", 12, "--inverters", 4)
        whole = self.values(plant, 3)
        for unit, fault in {3: "not_implemented", 4: "no_scale", 5: "model_65"}.items():
            self.assertEqual(plant.command(f"{unit} {fault}"), "ok")
        self.assertFalse({"A", "W", "Hz"} & set(self.values(plant, 3)))
        self.assertAlmostEqual(int(self.values(plant, 4)["A"]), 100 * float(whole["A"]), delta=20)
        out = self.probe(plant, "--unit", "5")
        self.assertIn("model 1  common  67 registers at 40002", out)
        self.assertIn("model 103  inverter_three_phase  52 registers at 40069", out)

    def test_faults_come_and_go_on_command(self):
        plant = self.plant("--speed", 0, "--inverters", 6)
        faults = {1: "silent", 2: "late", 3: "wrong_unit", 4: "truncated", 5: "bad_crc", 6: "busy", 7: "illegal_address"}
        good = self.probe(plant, "--unit", "1-8")
        for unit, fault in faults.items():
            self.assertEqual(plant.command(f"{unit} {fault}"), "ok")
        said = re.split(r"(?m)^(?=unit )", self.probe(plant, "--unit", "1-8"))[1:]
        named = ["silent", "silent", "wrong_unit", "truncated", "broken", "exception 6: device busy"]
        self.assertEqual(said[:7], [f"unit {i + 1}  no answer: {name}\n" for i, name in enumerate(named)] + ["unit 7  no SunSpec\n"])
        self.assertTrue(good.endswith(said[7]))
        for unit in faults:
            self.assertEqual(plant.command(f"{unit} none"), "ok")
        self.assertEqual(self.probe(plant, "--unit", "1-8"), good)
        self.assertEqual(plant.command("99 silent"), "no such unit")
        self.assertEqual(plant.command("1 tired"), "no such fault")
        self.assertEqual(plant.command("silent"), "a command is UNIT FAULT")

    def test_wrong_use_is_3(self):
        for wrong in (["--inverters", "31"], ["--hour", "24"], ["--port", "65536"], ["--speed", "x"], ["--such"]):
            harness.run(harness.program("headrace"), "sim", "sunspec", *wrong, expect=3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
