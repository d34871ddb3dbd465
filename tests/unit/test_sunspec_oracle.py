#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every point of every model, read by us, by a reader of the definition files written here, and by pysunspec2 where pip can
bring it: names, units, values, scale, symbols. Registers are random, with not-implemented values and every scale factor, from a
seed that is printed. Exit code 77 without the corpus."""
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import unittest
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("HEADRACE_CORPUS", ROOT.parent / "shared/corpus")) / "sunspec"
BIN = pathlib.Path(os.environ["HEADRACE_BIN"])
SEED = int(os.environ.get("HEADRACE_SEED", random.SystemRandom().randrange(1 << 32)))
ROUNDS = 40
MODELS = [1, *range(101, 104), *range(111, 114), *range(120, 125), 160, *range(201, 205), *range(701, 716), 802]
NONE = {"int16": -1 << 15, "int32": -1 << 31, "uint16": 0xFFFF, "uint32": 0xFFFFFFFF, "uint64": (1 << 64) - 1, "acc32": 0,
        "acc64": 0, "enum16": 0xFFFF, "bitfield16": 0xFFFF, "bitfield32": 0xFFFFFFFF, "count": 0xFFFF, "sunssf": -1 << 15}
SIGNED = ("int16", "int32", "sunssf")


def definition(model):
    return json.loads((CORPUS / f"json/model_{model}.json").read_text(encoding="utf-8"))["group"]


def number(kind, words):
    return int.from_bytes(struct.pack(f">{len(words)}H", *words), "big", signed=kind in SIGNED)


class Reader:
    """The definition's points over registers, by name."""

    def __init__(self, group, words):
        self.words, self.at, self.said, self.root = words, 0, {}, {}
        self.read(group, "")

    def read(self, group, prefix):
        local = {}
        for point in group["points"]:
            words = self.words[self.at:self.at + point["size"]]
            if len(words) < point["size"]:
                self.at = len(self.words) + 1
                return
            self.at += point["size"]
            if point["type"] not in ("string", "float32", "pad"):
                local[point["name"]] = number(point["type"], words)
            if not prefix:
                self.root[point["name"]] = local.get(point["name"])
            if point["type"] != "pad":
                self.said[prefix + point["name"]] = [point, words, local]
        for inner in group.get("groups", []):
            count = inner.get("count", 1)
            times = self.root.get(count) if isinstance(count, str) else count or 1 << 16
            for index in range(1, (0 if times in (None, 0xFFFF) else times) + 1):
                if self.at >= len(self.words):
                    break
                self.read(inner, prefix + inner["name"] + (f"[{index}]" if count != 1 else "") + ".")

    def lines(self):
        for name, (point, words, local) in self.said.items():
            yield [name, (point.get("units") or "").strip(), *self.value(point, words, local)]

    def value(self, point, words, local):
        kind = point["type"]
        if kind == "string":
            text = struct.pack(f">{len(words)}H", *words).split(b"\0")[0]
            return ["text", text.hex()] if text else ["none", ""]
        if kind == "float32":
            real = struct.unpack(">f", struct.pack(">2H", *words))[0]
            return ["none", ""] if math.isnan(real) else ["out_of_range", ""] if math.isinf(real) else ["real", f"{real:.9g}"]
        whole = number(kind, words)
        scale = local.get(point["sf"], self.root.get(point["sf"], NONE["sunssf"])) if "sf" in point else 0
        scale = 0 if scale == NONE["sunssf"] else scale
        if whole == NONE[kind]:
            return ["none", ""]
        if whole > (1 << 63) - 1 or abs(scale) > 10:
            return ["out_of_range", ""]
        return ["integer", f"{whole}e{scale}", *self.symbols(point, whole)]

    def symbols(self, point, whole):
        known = {symbol["value"]: symbol["name"].strip() for symbol in point.get("symbols", [])}
        if point["type"].startswith("bitfield"):
            return [known[bit] for bit in range(32) if whole >> bit & 1 and bit in known]
        return [known[whole]] if whole in known else []


def some_words(chance, point, counts):
    """Registers for a point: a count that fits, any scale factor, text, or bits, often not implemented."""
    kind, size = point["type"], point["size"]
    if point["name"] in counts or kind == "count":
        return [chance.choice([0, 1, 2, 3])]
    if kind == "sunssf":
        return [chance.choice([*range(-10, 11), -32768, 11, -11]) & 0xFFFF]
    if kind == "string":
        text = bytes(chance.randrange(33, 127) for _ in range(chance.randrange(size * 2 + 1))).ljust(size * 2, b"\0")
        return list(struct.unpack(f">{size}H", text))
    if kind == "float32":
        special = [0x7FC00000, 0xFFC00000, 0x7F800001, 0x7F800000, 0, 0x80000000]
        bits = chance.choice(special) if chance.random() < 0.3 else chance.randrange(1 << 32)
        return [bits >> 16, bits & 0xFFFF]
    if kind in NONE and chance.random() < 0.2:
        return [NONE[kind] >> 16 * i & 0xFFFF for i in reversed(range(size))]
    if point.get("symbols") and chance.random() < 0.7:
        picked = chance.choice(point["symbols"])["value"]
        bits = 1 << picked | 1 if kind.startswith("bitfield") else picked
        return [bits >> 16 * i & 0xFFFF for i in reversed(range(size))]
    return [chance.randrange(1 << 16) for _ in range(size)]


def counts_in(group):
    for inner in group.get("groups", []):
        if isinstance(inner.get("count"), str):
            yield inner["count"]
        yield from counts_in(inner)


def fill(chance, group, counts, root):
    words = []
    for point in group["points"]:
        words += some_words(chance, point, counts)
        if point["name"] in counts:
            root[point["name"]] = words[-1]
    for inner in group.get("groups", []):
        count = inner.get("count", 1)
        for _ in range(root[count] if isinstance(count, str) else count or chance.randrange(4)):
            words += fill(chance, inner, counts, root)
    return words


def images(chance):
    """(model, registers): as long as the definition says, and cut anywhere or longer."""
    for model in MODELS:
        group = definition(model)
        for turn in range(ROUNDS):
            words = fill(chance, group, set(counts_in(group)), {})
            if turn % 4 == 1:
                words = words[:chance.randrange(2, len(words) + 1)]
            elif turn % 4 == 2:
                words = words + [chance.randrange(1 << 16) for _ in range(chance.randrange(1, 9))]
            words[:2] = [model, len(words) - 2]
            yield model, words


def has_count_0(model, words):
    group = definition(model)
    root = Reader(group, words).root
    return any(root[name] == 0 for name in counts_in(group))


def dump(asked):
    text = "".join(f"{model} {''.join(f'{word:04x}' for word in words)}\n" for model, words in asked)
    said = subprocess.run([BIN / "sunspec_dump"], input=text, stdout=subprocess.PIPE, text=True, check=True).stdout
    blocks = [[line.split("\t") for line in block.splitlines()] for block in said.split(".\n")]
    return blocks[:-1]


class Oracle(unittest.TestCase):
    def test_every_point_of_every_model_is_named_and_scaled_as_defined(self):
        asked = list(images(random.Random(SEED)))
        n_points = 0
        for (model, words), block in zip(asked, dump(asked), strict=True):
            wanted = list(Reader(definition(model), words).lines())
            self.assertEqual(block, wanted, f"model {model}, {len(words)} registers, seed {SEED}")
            n_points += len(wanted)
        print(f"{n_points} points of {len(asked)} images, {len(MODELS)} models, seed {SEED}")

    def test_the_corpus_device_says_what_is_expected(self):
        device = json.loads((CORPUS / "pysunspec2/inverter_123.json").read_text(encoding="utf-8"))
        expected = [model for model in device["models"] if model["ID"] in MODELS]
        self.assertTrue(expected)
        for model in expected:
            words = []
            for point in definition(model["ID"])["points"]:
                value = model.get(point["name"])
                if point["type"] == "string":
                    text = (value or "").encode().ljust(point["size"] * 2, b"\0")
                    words += struct.unpack(f">{point['size']}H", text)
                else:
                    words.append((NONE[point["type"]] if value is None else value) & 0xFFFF)
            said = {line[0]: line for line in dump([(model["ID"], words)])[0]}
            for name, value in model.items():
                if name == "Pad":
                    continue
                wanted = ["none", ""] if value is None else ["text", value.encode().hex()] if isinstance(value, str) else [
                    "integer", f"{value}e0"]
                self.assertEqual(said[name][2:4], wanted, name)

    def test_pysunspec2_reads_the_same(self):
        oracle = pathlib.Path(os.environ["HEADRACE_ORACLES"])
        if not (oracle / "sunspec2").is_dir():
            subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target",
                            str(oracle), "-r", str(pathlib.Path(__file__).with_name("requirements.txt"))], check=False,
                           stderr=subprocess.DEVNULL)
        sys.path.insert(0, str(oracle))
        try:
            import sunspec2.device as device
        except ImportError:
            print("pysunspec2 is not there; its half of the comparison was left out")
            return
        device.set_model_defs_path([str(CORPUS / "json")])
        chance = random.Random(SEED)
        # Whole models only: it puts the definition's length in the place of the device's. Of 160 it believes N, we the length.
        # A count of 0 it takes for "as many as the model is long".
        asked = [(model, words) for turn, (model, words) in enumerate(images(chance)) if turn % 4 in (0, 3)]
        asked = [(model, words) for model, words in asked if model != 160 and not has_count_0(model, words)]
        self.assertGreater(len(asked), 300)
        n_points = 0
        for (model, words), block in zip(asked, dump(asked), strict=True):
            theirs = device.Model(model, model_len=len(words) - 2, data=struct.pack(f">{len(words)}H", *words))
            for name, _, form, value, *_ in block:
                if form != "out_of_range" and name != "L":
                    self.compare(theirs, name, form, value, f"model {model} {name} seed {SEED}")
                    n_points += 1
        print(f"{n_points} values equal pysunspec2's, seed {SEED}")

    def compare(self, theirs, name, form, value, where):
        at = theirs
        *groups, point = name.split(".")
        for group in groups:
            inner, _, index = group.rstrip("]").partition("[")
            at = at.groups[inner][int(index) - 1] if index else at.groups[inner]
        said = at.points[point].cvalue
        if form == "none":
            self.assertIsNone(said, where)
            return
        self.assertIsNotNone(said, where)
        if form == "text":
            self.assertEqual(said.split("\0")[0].encode().hex(), value, where)
        elif form == "real":
            self.assertEqual(f"{said:.9g}", value, where)
        else:
            coefficient, scale = value.split("e")
            ours = float(Decimal(coefficient).scaleb(int(scale)))
            self.assertTrue(math.isclose(said, ours, rel_tol=1e-12, abs_tol=0), f"{where}: {said} and {ours}")

    def test_the_committed_table_is_made_of_the_definitions(self):
        tool = ROOT / "tools/sunspec/definitions"
        made = subprocess.run([sys.executable, tool, CORPUS / "json"], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual(made, (ROOT / "firmware/taps/sunspec/models.tsv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    if not CORPUS.is_dir():
        print(f"no corpus at {CORPUS}")
        sys.exit(77)
    unittest.main()
