#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A microcontroller polls a Modbus line on one UART while AIS comes in on another: every sentence and every sample
arrives once, nothing of either line is lost, and what goes wrong on the bus stays there."""
import json
import re
import struct
import subprocess
import sys
import unittest

import nmea_oracle
from boards import BOARD, DEADLINE_S, Board, coaps, enrol_board, fields_of, wait_progress
from harness import Aggregator, Site, SystemTest, program, wait_for
from pipeline import AIS, Batch
from rtu_bus import Bus
from samples import Telemetry
from test_board import fleet
from test_sim_sunspec import Plant

def signed16(register):
    return struct.unpack(">h", struct.pack(">H", register))[0]


MESSAGES = 300
LINE_MESSAGES = 300
POLLS = 25  # of each good unit
# Good units have a time-out that no machine is too slow for: a late answer would be a sample less.
PATIENT = "timeout: 60s, retries: 0"
HASTY = "timeout: 400ms, retries: 0, failures: 1, pause: 3s, longest_pause: 1m"

PLAN = f"""
baud: 19200
maps:
  - name: counter
    interval: 200ms
    points:
      - {{name: serial number, address: 10, type: uint32, each: true, unit: n}}
      - {{name: temperature, address: 12, type: int16, scale: -1, unit: degC, each: true}}
      - {{name: energy, address: 100, type: acc32, unit: Wh, each: true}}
      - {{name: mode, address: 7, type: enum16, table: input, model: 103, each: true}}
  - name: inverter
    model: 103
    interval: 300ms
    points:
      - {{name: W, address: 40084, type: int16, scale_from: W_SF, unit: W, each: true}}
      - {{name: W_SF, address: 40085, type: sunssf}}
      - {{name: A, address: 40072, type: uint16, unit: A, dead_band: 5, silence: 0}}
  - name: one
    interval: 500ms
    points:
      - {{name: value, address: 0, type: uint16}}
units:
  - {{name: meter, unit: 1, map: counter, {PATIENT}}}
  - {{name: inverter, unit: 2, map: inverter, {PATIENT}}}
  - {{name: absent, unit: 3, map: one, {HASTY}}}
  - {{name: truncated, unit: 4, map: one, {HASTY}}}
  - {{name: bad crc, unit: 5, map: one, {HASTY}}}
  - {{name: other unit, unit: 6, map: one, {HASTY}}}
  - {{name: illegal address, unit: 7, map: one, {PATIENT}}}
  - {{name: noisy, unit: 8, map: one, {PATIENT}}}
"""
SIMULATED = f"""
baud: 9600
maps:
  - name: inverter
    model: 103
    interval: 300ms
    points:
      - {{name: WH, address: 40094, type: acc32, scale_from: WH_SF, unit: Wh, each: true}}
      - {{name: WH_SF, address: 40096, type: sunssf}}
  - name: meter
    model: 203
    interval: 1s
    points:
      - {{name: PhV, address: 40077, type: int16, scale_from: V_SF, unit: V}}
      - {{name: V_SF, address: 40085, type: sunssf}}
units:
  - {{name: inverter 3, unit: 3, map: inverter, {PATIENT}}}
  - {{name: inverter 4, unit: 4, map: inverter, timeout: 1s, retries: 0, failures: 1, pause: 2s, longest_pause: 4s}}
  - {{name: meter, unit: 1, map: meter, {PATIENT}}}
"""
FAULTS = {3: "absent", 4: "truncated", 5: "bad_crc", 6: "other_unit", 7: "illegal_address", 8: "noise"}
# As the framer counts them.
COUNTED = ("answers", "exceptions", "silent", "truncated", "bad_crc", "wrong_unit", "noise_bytes", "breakers_opened")
GOOD, STALE, NOT_IMPLEMENTED, COMMS_ERROR = range(4)  # qualities
LONGEST_ANSWER = 256


class Meter:
    """Each answer is another one: its number is in its values."""

    def __init__(self):
        self.n = 0

    def __call__(self, address, count):
        self.n += 1
        values = {10: self.n >> 16, 11: self.n & 0xFFFF, 12: -self.n & 0xFFFF, 100: 0xFFFF, 101: self.n, 7: self.n % 9}
        return [values[address + i] for i in range(count)]


NAN, NO_SCALE = 0x8000, 0x8000


class Inverter:
    """Watts, now and then not implemented, whose scale factor changes every five polls, and amperes that hardly change."""

    def __init__(self):
        self.n = 0

    def __call__(self, address, count):
        if address == 40072:
            return [1000 + self.n % 3]
        self.n += 1
        return [NAN if self.n % 7 == 6 else self.n, (1, 0xFFFF, NO_SCALE)[self.n // 5 % 3]]


def watts(answers):
    """(value, scale, quality) of each: without a value the scale stays, and without a scale factor it is 0."""
    out, scale = [], 0
    for value, factor in answers:
        if value != NAN:
            scale = 0 if factor == NO_SCALE else signed16(factor)
        out.append((0, scale, NOT_IMPLEMENTED) if value == NAN else (signed16(value), scale, GOOD))
    return out


class BusTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site)).start()

    def enrol(self, plan, *more):
        path = self.folder / "plan.yaml"
        path.write_text(plan)
        return enrol_board(self.site, "board", [coaps(self.aggregator.port)],
                           more=["--seal-max-age", "500ms", "--plan", path, *more])

    def batches(self):
        return [Batch(row[0]) for row in self.aggregator.query("SELECT envelope FROM batch ORDER BY stream, seq")]

    def power_on(self, device, *options):
        return self.own(Board(device.folder, device.memory)).start(*options)

    def samples(self):
        return Telemetry(self.batches()).samples

    def of(self, device, point):
        """(value, quality) of a point's samples."""
        return [(s.value, s.quality) for s in Telemetry(self.batches()).of(device, point)]


class FullLine(BusTest):
    def test_a_full_ais_line_loses_no_byte_while_the_bus_is_polled(self):
        """Time is the board's own, and the line has a speed in it (test_board_line)."""
        device = self.enrol("".join(line for line in PLAN.splitlines(True) if not re.search("unit: [4-7],", line)))
        bus = self.own(Bus({1: Meter(), 2: Inverter(), 8: lambda address, count: [4711] * count}, {8: "noise"}))
        data = fleet(LINE_MESSAGES)
        board = self.power_on(device, "--icount", "--line", 38400, *bus.option)
        board.feed(data)
        board.wait_messages(len(nmea_oracle.Log(data).messages))
        wait_progress("samples beside it", lambda: len(bus.answers[1]) >= 10 and self.samples(), lambda: dict(bus.asked))
        status = board.status()
        board.close()
        self.assertEqual((status["device"]["serial_bytes"], status["device"]["serial_dropped"]), (len(data), 0))
        self.assertEqual((status["modbus"]["bus_dropped"], bus.bad_requests), (0, 0))
        got = [s.value for s in self.samples() if s.channel.point == "energy"]
        self.assertEqual(got, [r[0] << 16 | r[1] for a, r in bus.answers[1] if a == 100][:len(got)])
        print(f"{len(data)} B of a full line and {status['modbus']['answers']} answers of the bus in "
              f"{status['status']['uptime_ms']} ms of the board, longest turn {status['device']['longest_turn_ms']} ms", flush=True)


class BusBesideAis(BusTest):
    def ais(self):
        done = subprocess.run([program("headrace"), "tail", "--files", self.aggregator.files, "--topic", AIS],
                              stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_every_sentence_and_every_sample_arrives_once_whatever_is_wrong_on_the_bus(self):
        device = self.enrol(PLAN)
        shown = self.site.headrace("device", "show", device.memory).stdout
        self.assertRegex(shown, r"polls +8 units  13 points  19200 baud")
        units = {1: Meter(), 2: Inverter(), **{unit: lambda address, count: [4711] * count for unit in FAULTS}}
        bus = self.own(Bus(units, FAULTS))
        data = fleet(MESSAGES)
        board = self.power_on(device, *bus.option)
        found = fields_of(board.wait_said(r"^plan "))
        self.assertEqual({k: found[k] for k in ("found", "units", "points", "baud")},
                         {"found": "yes", "units": "8", "points": "13", "baud": "19200"})
        board.feed(data)
        board.wait_messages(len(nmea_oracle.Log(data).messages))
        wait_progress("the bus to be polled", lambda: min(len(bus.answers[1]), len(bus.answers[2])) >= 3 * POLLS,
                      lambda: sum(bus.asked.values()))
        wait_progress("samples of all units to arrive", lambda: self.has_arrived(), lambda: len(self.batches()))
        sent_before = bus.sent_bytes
        status = self.wait_counted(board)
        board.close()
        self.check_counters(status, bus, sent_before, data)
        self.check_samples(bus)
        self.check_ais(data)

    @staticmethod
    def wait_counted(board):
        """Until each fault was met under its name; what the board counts then."""
        seen = [None]

        def counted():
            seen[0] = board.status()
            return all(seen[0]["modbus"][name] > 0 for name in COUNTED) and seen[0]
        return wait_progress(f"all of {COUNTED}", counted, lambda: seen[0] and seen[0]["modbus"]["requests"])

    def has_arrived(self):
        samples = self.samples()
        n = lambda device, point: sum((s.channel.device, s.channel.point) == (device, point) for s in samples)
        qualities = {s.channel.device: s.quality for s in samples}
        return n("meter", "energy") >= POLLS and n("inverter", "W") >= POLLS and n("noisy", "value") and all(
            qualities.get(name) == want for name, want in WANT_QUALITY.items())

    def test_a_simulated_plant_is_polled_and_a_fault_of_one_device_is_its_own(self):
        device = self.enrol(SIMULATED)
        plant = self.own(Plant(self.folder, "--rtu", "--count", "--hour", 12))
        board = self.power_on(device, "--bus", f"device:{plant.path}")
        arrives = lambda what, check: wait_progress(what, check, lambda: len(self.batches()))
        arrives("energy of both", lambda: min(len(self.of(name, "WH")) for name in ("inverter 3", "inverter 4")) >= 5)
        self.assertEqual(plant.command("4 bad_crc"), "ok")
        n_before = len(self.of("inverter 3", "WH"))
        arrives("what is wrong with one", lambda: (COMMS_ERROR in {q for _, q in self.of("inverter 4", "WH")}))
        arrives("more of the other", lambda: len(self.of("inverter 3", "WH")) >= n_before + 5)
        self.assertEqual(plant.command("4 none"), "ok")
        arrives("that it has come back", lambda: self.of("inverter 4", "WH")[-1][1] == GOOD)
        self.assertGreater(board.status()["modbus"]["bad_crc"], 0)
        board.close()
        # Its energy is how often it has answered before: none was missed, none came twice. An accumulator of 0 is none.
        energy = self.of("inverter 3", "WH")
        self.assertEqual(energy, [(0, NOT_IMPLEMENTED), *((n, GOOD) for n in range(1, len(energy)))])
        plant = Telemetry(self.batches())
        self.assertEqual({(c.device, c.point, c.scale, c.unit) for _, c in plant.channels},
                         {*((f"inverter {n}", "WH", 0, "Wh") for n in (3, 4)), ("meter", "PhV", -1, "V")})
        self.assertTrue(all(2250 < v < 2350 for v, _ in self.of("meter", "PhV")))
        print(f"{len(plant.samples)} samples of a simulated plant", flush=True)

    def test_a_board_says_what_plan_it_has_found_and_collects_without_one(self):
        device = self.enrol(PLAN)
        plan_at = (4 + 256) * 4096  # behind the spool: proto/SPEC.md 10.3
        memory = bytearray(device.memory.read_bytes())
        self.assertEqual(memory[plan_at:plan_at + 4], b"HRPL")
        self.assertEqual(memory[plan_at:plan_at + 4096], memory[plan_at + 4096:plan_at + 8192])
        for copy, found in ((0, "yes"), (1, "corrupt")):
            memory[plan_at + copy * 4096 + 40] ^= 1
            device.memory.write_bytes(memory)
            board = self.power_on(device)
            self.assertEqual(fields_of(board.wait_said(r"^plan "))["found"], found)
            board.close()
            memory = bytearray(device.memory.read_bytes())
        bare = enrol_board(self.site, "bare", [coaps(self.aggregator.port)])
        board = self.power_on(bare)
        self.assertEqual(fields_of(board.wait_said(r"^plan "))["found"], "not_found")
        data = fleet(20)
        board.feed(data)
        board.wait_messages(len(nmea_oracle.Log(data).messages))

    def test_mistakes_in_a_plan_are_told_before_anything_is_made(self):
        for plan, said in ((PLAN.replace("scale_from: W_SF", "scale_from: A"), r"plan.yaml:\d+:.*'W' takes its scale from 'A'"),
                           (PLAN.replace("map: inverter", "map: invertor"), r"plan.yaml:\d+:units: 'inverter' names the map"),
                           (PLAN.replace("unit: 5,", "unit: 1,"), r"'meter' and 'bad crc' have one number or one name"),
                           (PLAN.replace("baud: 19200", "baud: 19201"), r"plan.yaml:2:baud: none of 1200"),
                           (PLAN.replace("interval: 500ms", "interval: 50ms"), r"interval"),
                           (PLAN.replace("type: enum16", "type: enum8"), r"plan.yaml:\d+:.*type: .*enum16")):
            path = self.folder / "plan.yaml"
            path.write_text(plan)
            words = ["--ca", self.site.ca, "--registry", self.site.registry, "--out", self.folder / "none", "--name", "none",
                     "--plan", path]
            done = self.site.headrace("device", "enrol", *words, "--board", BOARD, expect=1)
            self.assertRegex(done.stderr, said)
            self.assertFalse((self.folder / "none").exists())
        path.write_text(PLAN)
        done = self.site.headrace("device", "enrol", *words, "--board", "qemu_lm3s6965", expect=1)
        self.assertIn("this board has no Modbus line", done.stderr)

    def check_counters(self, status, bus, sent_before, data):
        """Neither line has lost a byte, and the faults have the names that the framer gives them."""
        self.assertEqual((status["device"]["serial_bytes"], status["device"]["serial_dropped"]), (len(data), 0))
        modbus = status["modbus"]
        self.assertEqual((modbus["bus_dropped"], bus.bad_requests), (0, 0))
        self.assertGreaterEqual(modbus["bus_bytes"], sent_before - LONGEST_ANSWER, "more is missing than what is on its way")
        print(f"{BOARD}: {modbus['requests']} requests, {modbus['answers']} answers, {modbus['bus_bytes']} B of the bus beside "
              f"{len(data)} B of AIS; pool peak {status['device']['pool_peak_bytes']} B, stack peak "
              f"{status['device']['stack_peak_bytes']} of {status['device']['stack_bytes']} B, longest turn "
              f"{status['device']['longest_turn_ms']} ms", flush=True)

    def check_samples(self, bus):
        plant = Telemetry(self.batches())
        self.assertEqual({(c.device, c.point, c.model, c.unit, c.kind, c.width_bits) for _, c in plant.channels}, WANT_CHANNELS)
        of = lambda device, point: [(s.value, s.channel.scale, s.quality) for s in plant.of(device, point)]
        # What the board has read: a beginning of what was answered, each answer once and in order.
        want = {("meter", "serial number"): [(r[0] << 16 | r[1], 0, 0) for a, r in bus.answers[1] if a == 10],
                ("meter", "temperature"): [(signed16(r[2]), -1, 0) for a, r in bus.answers[1] if a == 10],
                ("meter", "energy"): [(r[0] << 16 | r[1], 0, 0) for a, r in bus.answers[1] if a == 100],
                ("meter", "mode"): [(r[0], 0, 0) for a, r in bus.answers[1] if a == 7],
                ("inverter", "W"): watts([r for a, r in bus.answers[2] if a == 40084])}
        for key, answers in want.items():
            got = of(*key)
            self.assertGreaterEqual(len(got), POLLS, key)
            self.assertEqual(got, answers[:len(got)], key)
        self.assertEqual({scale for _, scale, _ in of("inverter", "W")}, {-1, 0, 1}, "its scale factor has changed")
        self.assertEqual(len(of("inverter", "A")), 1, "the dead band")
        for name, quality in WANT_QUALITY.items():
            self.assertEqual({q for _, _, q in of(name, "value")} - {STALE}, {quality}, name)
        self.assertEqual(set(of("noisy", "value")), {(4711, 0, GOOD)})
        print(f"{len(plant.samples)} samples of {len({c.number for _, c in plant.channels})} channels, each once", flush=True)

    def check_ais(self, data):
        sent = [(m[0], *m[2:]) for m in nmea_oracle.Log(data).messages]
        wait_for("the events of all sentences", lambda: len(self.ais()) >= len(sent), DEADLINE_S)
        said = [(e["talker"] or "AI", e["channel"] or "", e["payload"], e["fill_bits"]) for e in
                sorted(self.ais(), key=lambda e: e["record_seq"])]
        self.assertEqual(said, sent)


WANT_QUALITY = {"absent": COMMS_ERROR, "truncated": COMMS_ERROR, "bad crc": COMMS_ERROR, "other unit": COMMS_ERROR,
                "illegal address": NOT_IMPLEMENTED}
MEASUREMENT, ACCUMULATOR, ENUMERATION = 1, 2, 3
WANT_CHANNELS = {("meter", "serial number", 0, "n", MEASUREMENT, 0), ("meter", "temperature", 0, "degC", MEASUREMENT, 0),
                 ("meter", "energy", 0, "Wh", ACCUMULATOR, 32), ("meter", "mode", 103, "", ENUMERATION, 0),
                 ("inverter", "W", 103, "W", MEASUREMENT, 0), ("inverter", "A", 103, "A", MEASUREMENT, 0),
                 *((name, "value", 0, "", MEASUREMENT, 0) for name in (*WANT_QUALITY, "noisy"))}

if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
