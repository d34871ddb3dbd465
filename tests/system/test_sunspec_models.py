# SPDX-License-Identifier: Apache-2.0
"""Every point of every SunSpec model that is listed, read by `headrace tap probe` from the simulator, and from pymodbus, which
shares nothing with it: named, scaled, and its symbols and unit as the definition file of the corpus says. A line a model says
how many points that were. A device of the corpus reads as what the corpus expects of it. Exit code 77 without the corpus.

Who says what is expected is test_sunspec_oracle's reader of the definitions, and here a master written in Python that fetches the
simulator's registers by itself."""
import json
import os
import pathlib
import random
import re
import socket
import struct
import sys
import unittest

import harness
import modbus_server
import test_tap_probe as probe
from test_sim_sunspec import Plant
from test_tap_probe import oracle

IMAGES = 3  # of each model, from pymodbus
BASE = 40000
HEAD = 2


class Master:
    """Reads holding registers over Modbus TCP, up to 125 at a time."""

    def __init__(self, address):
        host, port = re.fullmatch(r"tcp://(.*):(\d+)", address).groups()
        self.socket = socket.create_connection((host, int(port)), timeout=harness.DEADLINE_S)
        self.stream = self.socket.makefile("rb")

    def read(self, unit, address, count):
        out = []
        while len(out) < count:
            n = min(125, count - len(out))
            self.socket.sendall(struct.pack(">HHHBBHH", 1, 0, 6, unit, 3, address + len(out), n))
            head = self.stream.read(9)
            if head[7:] != bytes([3, 2 * n]):
                raise AssertionError(f"{n} registers at {address + len(out)} of unit {unit}: {head.hex()}")
            out += struct.unpack(f">{n}H", self.stream.read(2 * n))
        return out

    def models(self, unit):
        """[registers] of each model, walked by their lengths."""
        if self.read(unit, BASE, 2) != probe.SUNS:
            raise AssertionError("no SunSpec")
        at, out = BASE + 2, []
        while (head := self.read(unit, at, HEAD)) != probe.END:
            out.append(self.read(unit, at, HEAD + head[1]))
            at += len(out[-1])
        return out

    def close(self):
        self.stream.close()
        self.socket.close()


def by_model(block):
    """[(model, rows)] of what is printed of a unit."""
    parts = re.split(r"(?m)^  model (\d+)  .*\n", block)
    return [(int(model), [row[1:] for row in probe.rows(rows)]) for model, rows in zip(parts[1::2], parts[2::2])]


class EveryModel(probe.Corpus):
    # What the parent tests, it tests by itself.
    test_every_point_of_every_model_is_listed_as_its_definition_says = None

    def check(self, printed, images, who):
        """Model by model. Returns {model: points}."""
        self.assertEqual([model for model, _ in printed], [image[0] for image in images])
        counts = dict.fromkeys(oracle.MODELS, 0)
        for (model, rows), image in zip(printed, images, strict=True):
            wanted = list(self.expected(model, image))
            self.assertEqual(rows, wanted, f"{who}: model {model}, seed {oracle.SEED}")
            counts[model] += len(rows)
        return counts

    def by_simulator(self):
        plant = self.own(Plant(self.folder, "--models", "--speed", 0, "--seed", oracle.SEED))
        master = self.own(Master(plant.address))
        unit = 5  # behind the meter, the battery and two inverters
        images = master.models(unit)
        self.assertEqual([image[0] for image in images], oracle.MODELS)
        out = harness.run(harness.program("headrace"), "tap", "probe", plant.address, "--all", "--unit", str(unit),
                          "--timeout", "20000").stdout
        return self.check(by_model(out), images, "simulator")

    def by_pymodbus(self):
        chance = random.Random(oracle.SEED)
        images = {}
        for model, words in oracle.images(chance):
            images.setdefault(model, []).append(words)
        units = {1 + i: [chance.choice(images[model]) for model in oracle.MODELS] for i in range(IMAGES)}
        registers = {unit: probe.at(BASE, probe.SUNS + sum(words, []) + probe.END) for unit, words in units.items()}
        server = self.serve(registers)
        blocks = probe.blocks(self.probe(server, "--all", "--unit", f"1-{IMAGES}", "--timeout", "20000"))
        counts = [self.check(by_model(block), units[unit], "pymodbus") for unit, block in enumerate(blocks, 1)]
        return {model: sum(count[model] for count in counts) for model in oracle.MODELS}

    def serve(self, registers):
        if modbus_server.installed(probe.ORACLES):
            return self.own(modbus_server.Pymodbus(registers, self.folder, probe.ORACLES))
        print("pymodbus is not there; a server of our own is in its place")
        return self.own(modbus_server.Server(registers))

    def test_every_point_of_every_listed_model_is_read_scaled_and_named_as_defined(self):
        simulator, pymodbus = self.by_simulator(), self.by_pymodbus()
        print(f"points read as defined, seed {oracle.SEED}\n{'model':>6} {'simulator':>10} {f'pymodbus x{IMAGES}':>12}")
        for model in oracle.MODELS:
            self.assertGreater(min(simulator[model], pymodbus[model]), 0, model)
            print(f"{model:>6} {simulator[model]:>10} {pymodbus[model]:>12}")
        print(f"{len(oracle.MODELS):>6} {sum(simulator.values()):>10} {sum(pymodbus.values()):>12}", flush=True)

    def test_the_device_of_the_corpus_reads_as_it_expects(self):
        device = json.loads((oracle.CORPUS / "pysunspec2/inverter_123.json").read_text(encoding="utf-8"))
        known = [model for model in device["models"] if model["ID"] in oracle.MODELS]
        words = [self.registers_of(model) for model in known]
        server = self.serve({1: probe.at(BASE, probe.SUNS + sum(words, []) + probe.END)})
        printed = by_model(self.probe(server, "--all", "--timeout", "20000"))
        n_values = 0
        for model, (number, rows) in zip(known, printed, strict=True):
            shown = {name: value for name, _, value in rows}
            self.assertEqual(number, model["ID"])
            for name, value in model.items():
                if name in shown:
                    self.assertEqual(shown[name], "-" if value is None else str(value), name)
                    n_values += 1
        print(f"{n_values} values of {len(known)} models of the corpus' device", flush=True)

    @staticmethod
    def registers_of(model):
        words = []
        for point in oracle.definition(model["ID"])["points"]:
            value = model.get(point["name"])
            if point["type"] == "string":
                words += probe.text(value or "", point["size"])
            else:
                whole = oracle.NONE[point["type"]] if value is None else value
                words += [whole >> 16 * i & 0xFFFF for i in reversed(range(point["size"]))]
        return words


if __name__ == "__main__":
    if not oracle.CORPUS.is_dir():
        print(f"no corpus at {oracle.CORPUS}")
        sys.exit(77)
    unittest.main(verbosity=2)
