# SPDX-License-Identifier: Apache-2.0
"""`headrace tap probe` before real Modbus TCP servers: what it prints of every point of every model, and what it says of units
that are absent, late, or damage what they say. The first part needs the corpus' model definitions."""
import os
import pathlib
import random
import re
import sys
import unittest
from decimal import Decimal

import harness
import modbus_server

sys.path.insert(0, str(harness.ROOT / "tests/unit"))
import test_sunspec_oracle as oracle  # noqa: E402

ORACLES = pathlib.Path(os.environ.get("HEADRACE_ORACLES", harness.BIN.parent / "oracles/modbus"))
SUNS = [0x5375, 0x6E53]
END = [0xFFFF, 0]


def at(base, words):
    return {base + i: word for i, word in enumerate(words)}


def text(value, registers):
    raw = value.encode().ljust(registers * 2, b"\0")
    return [int.from_bytes(raw[i:i + 2], "big") for i in range(0, len(raw), 2)]


def common(length):
    """Model 1 of a simulated device: maker, model, no options, version, serial, address, and a pad where the length says so."""
    words = text("Headrace", 16) + text("Test 1", 16) + text("", 8) + text("1.0", 8) + text("77", 16) + [1] + [0x8000]
    return [1, length, *words[:length]]


def inverter():
    """Model 103: 12.34 A, -1500 W, 100 kWh, MPPT, a ground fault; the rest is not implemented."""
    words = [0xFFFF] * 50
    words[0], words[4] = 1234, 0xFFFE  # A, A_SF
    words[12], words[13] = 0x10000 - 150, 1  # W, W_SF
    words[22:25] = [0x0001, 0x86A0, 0]  # WH, WH_SF
    words[36] = 4  # St
    words[38:40] = [0, 1]  # Evt1
    return [103, 50, *words]


def rows(out):
    """The points: [register, name, unit, value]."""
    return [re.split(r"\s{2,}", line.strip()) for line in out.splitlines() if line.startswith("    ")]


def blocks(out):
    """What is said of each unit."""
    return [block for block in re.split(r"(?m)^(?=unit )", out) if block]


class Probe(harness.SystemTest):
    def probe(self, server, *more, expect=0):
        done = harness.run(harness.program("headrace"), "tap", "probe", f"tcp://127.0.0.1:{server.port}", *more, expect=expect)
        return done.stdout


class Corpus(Probe):
    def expected(self, model, words):
        for name, unit, form, value, *symbols in oracle.Reader(oracle.definition(model), words).lines():
            point = name.split(".")[-1]
            if form == "integer":
                coefficient, scale = value.split("e")
                shown = " ".join([format(Decimal(coefficient).scaleb(int(scale)), "f"), *symbols])
            else:
                shown = {"none": "-", "out_of_range": "out of range"}.get(form)
                shown = shown or (bytes.fromhex(value).decode() if form == "text" else value)
            if name not in ("ID", "L") and not point.endswith("_SF"):
                yield [name, unit or "-", shown]

    def test_every_point_of_every_model_is_listed_as_its_definition_says(self):
        chance = random.Random(oracle.SEED)
        images = {}
        for model, words in oracle.images(chance):
            if model not in images or chance.random() < 0.1:
                images[model] = words
        self.assertEqual(sorted(images), sorted(oracle.MODELS))
        words = SUNS + [word for image in images.values() for word in image] + END
        registers = {1: at(40000, words), 2: at(0, SUNS + common(66) + inverter() + END), 3: at(100, [1, 2, 3])}
        if modbus_server.installed(ORACLES):
            server = self.own(modbus_server.Pymodbus(registers, self.folder, ORACLES))
        else:
            print("pymodbus is not there; a server of our own is in its place")
            server = self.own(modbus_server.Server(registers))
        out = self.probe(server, "--all", "--unit", "1-3", "--timeout", "20000")
        first, second, third = blocks(out)
        wanted = [row for model, image in images.items() for row in self.expected(model, image)]
        self.assertEqual([row[1:] for row in rows(first)], wanted, f"seed {oracle.SEED}")
        self.assertIn("unit 1  33 models\n", first)
        self.assertIn("unit 2  2 models\n", second)
        self.assertIn("model 103  inverter_three_phase  52 registers at 70\n", second)
        self.assertEqual(third, "unit 3  no SunSpec\n")
        print(f"{len(wanted)} points of {len(images)} models, seed {oracle.SEED}")


class Faults(Probe):
    def test_what_is_wrong_with_a_unit_is_named_and_disturbs_no_other(self):
        good = at(40000, SUNS + common(65) + inverter() + [64001, 3, 1, 2, 3] + END)
        endless = at(50000, SUNS + common(66))
        faults = {2: "silent", 3: "late", 4: "wrong_unit", 5: "truncated", 6: "garbage", 7: "gateway", 8: "illegal_address"}
        server = self.own(modbus_server.Server({**{unit: good for unit in range(1, 9)}, 9: endless}, faults))
        out = self.probe(server, "--unit", "1", "--unit", "2-9", "--unit", "1", "--timeout", "3000")
        said = blocks(out)
        self.assertEqual(said[1:8], ["unit 2  no answer: silent\n", "unit 3  no answer: silent\n", "unit 4  no answer: wrong_unit\n",
                                     "unit 5  no answer: truncated\n", "unit 6  no answer: broken\n",
                                     "unit 7  no answer: exception 11: the unit did not answer\n", "unit 8  no SunSpec\n"])
        self.assertIn("unit 9  1 models, and the list breaks off: exception 2: illegal address\n", said[8])
        self.assertEqual(said[0], said[9])
        self.assertIn("model 103  inverter_three_phase  52 registers at 40069\n", said[0])  # behind a model 1 of length 65
        self.assertIn("model 64001  unknown  5 registers at 40121\n", said[0])
        shown = {row[1]: row for row in rows(said[0])}
        self.assertEqual(shown["Mn"], ["40004", "Mn", "-", "Headrace"])
        self.assertEqual(shown["A"], ["40071", "A", "A", "12.34"])
        self.assertEqual(shown["W"], ["40083", "W", "W", "-1500"])
        self.assertEqual(shown["WH"], ["40093", "WH", "Wh", "100000"])
        self.assertEqual(shown["St"][3], "4 MPPT")
        self.assertEqual(shown["Evt1"][3], "1 GROUND_FAULT")
        self.assertNotIn("AphA", shown)  # not implemented
        self.assertNotIn("A_SF", shown)

    def test_nothing_found_is_1_and_wrong_use_3(self):
        server = self.own(modbus_server.Server({}))
        self.assertEqual(self.probe(server, expect=1), "unit 1  no SunSpec\n")
        headrace = harness.program("headrace")
        closed = harness.free_port()
        refused = harness.run(headrace, "tap", "probe", f"tcp://127.0.0.1:{closed}", expect=1)
        self.assertIn("Connection refused", refused.stderr)
        for wrong in (["tap"], ["tap", "probe"], ["tap", "probe", "http://x"], ["tap", "probe", "tcp://"],
                      ["tap", "probe", "tcp://x:y"], ["tap", "probe", "tcp://[::1"], ["tap", "probe", "tcp://x", "--unit", "256"],
                      ["tap", "probe", "tcp://x", "--unit", "9-3"], ["tap", "probe", "tcp://x", "--timeout", "0"]):
            harness.run(headrace, *wrong, expect=3)


if __name__ == "__main__":
    if sys.argv[1:] == ["Corpus"] and not oracle.CORPUS.is_dir():
        print(f"no corpus at {oracle.CORPUS}")
        sys.exit(77)
    unittest.main(verbosity=2)
