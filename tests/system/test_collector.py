#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""headrace-collector as its operator meets it: configuration, ends, kills, and a real aggregator on the other side."""
import json
import os
import signal
import socket
import threading
import time
import unittest

from harness import ROOT, Aggregator, Site, SystemTest, free_port, program, run, wait_for
from pipeline import Collector

FIXTURE = "!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*23"


def sentence(number):
    """A type 1 position of vessel 200000000 + number: valid armor and checksum, made here by hand."""
    bits = f"{1:06b}{0:02b}{200000000 + number:030b}" + "0" * 130
    payload = "".join(chr(v + 48 if v < 40 else v + 56) for v in (int(bits[i:i + 6], 2) for i in range(0, 168, 6)))
    body = f"AIVDM,1,1,,A,{payload},0"
    checksum = 0
    for char in body:
        checksum ^= ord(char)
    return f"!{body}*{checksum:02X}\r\n"


class Configuration(SystemTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")

    def check(self, collector, expect):
        return run(program("headrace-collector"), "--check", "--config", collector.config, expect=expect)

    def test_a_right_configuration_has_no_mistakes(self):
        collector = Collector(self.device, ["coaps://127.0.0.1"], "  - {type: ais, source: stdin}\n")
        self.assertIn("no mistakes", self.check(collector, 0).stdout)

    def test_every_mistake_is_told_at_once_with_its_line_and_key(self):
        collector = Collector(self.device, ["http://127.0.0.1"],
                              "  - {type: ais, source: tcp-clint}\n  - {type: ais, source: file, path: /no/such}\n",
                              more="nmae: x\nseal: {max_age: soon}\n")
        lines = self.check(collector, 2).stderr.splitlines()
        told = {line.split(": ")[0].split(":", 2)[2] for line in lines}
        self.assertEqual(told, {"aggregators[0]", "nmae", "seal.max_age", "taps[0].source", "taps[1].path"})

    def plant(self, text, maps=()):
        """What --check says of a tap with that plant."""
        (self.folder / "plant.yaml").write_text(text)
        for name, of_map in dict(maps).items():
            (self.folder / name).write_text(of_map)
        collector = Collector(self.device, ["coaps://127.0.0.1"], f"  - {{type: modbus, plant: {self.folder}/plant.yaml}}\n")
        done = run(program("headrace-collector"), "--check", "--config", collector.config, expect=None)
        return [line.split("taps[0].plant: ", 1)[1].removeprefix(f"{self.folder}/") for line in done.stderr.splitlines()]

    def test_a_plants_mistakes_are_told_with_file_line_and_key(self):
        groups = "groups:\n- {name: a, points: [103.W]}\n"
        line = "lines:\n- transport: tcp\n  host: 192.0.2.1\n  devices:\n  - {name: x, unit: 1, groups: [a]}\n"
        self.assertEqual(self.plant(groups + line), [])
        told = self.plant(groups + line.replace("[a]", "[b]").replace("unit: 1", "unit: 300"))
        self.assertEqual(len(told), 1)
        self.assertRegex(told[0], r"^plant.yaml:7:lines\[0\].devices\[0\].unit: 300 ")
        for wrong, said in {line.replace("[a]", "[b]"): "device x: there is no group b",
                            line + "  - {name: y, unit: 1, groups: [a]}\n": "x and y are both unit 1",
                            line + "  - {name: x, unit: 2, groups: [a]}\n": "two devices are called x",
                            line.replace("[a]", "[a], open: 1m, open_max: 10s"): "less than open",
                            line.replace("tcp\n  host: 192.0.2.1", "rtu\n  path: /dev/null\n  baud: 5000"): "none of 4800",
                            line.replace("[a]", "[a], map: none.yaml"): "none.yaml"}.items():
            told = self.plant(groups + wrong)
            self.assertTrue(told and all(said in t for t in told), (wrong, told))
        mapped = line.replace("[a]", "[a], map: m.yaml")
        for row, said in {"{name: W, address: 65535, type: int32}": "m.yaml:2:registers[0].address: reaches beyond 65535",
                          "{name: W, address: 1, scale: 0.5}": "m.yaml:2:registers[0].scale: not a whole number",
                          "{name: W, address: 1, symbols: off}": 'm.yaml:2:registers[0].symbols: "off": not NUMBER=NAME',
                          "{name: W, address: 1, kind: accumulator, type: float32}": "m.yaml:2:registers[0].kind: a float32",
                          "{name: W, address: 1, typ: int32}": "m.yaml:2:registers[0].typ: "}.items():
            told = self.plant(groups + mapped, {"m.yaml": f"registers:\n- {row}\n"})
            self.assertTrue(len(told) == 1 and told[0].startswith(said), (row, told))

    def test_the_boards_plant_has_no_mistakes(self):
        example = ROOT / "boards/linux_gateway/plant.yaml"
        collector = Collector(self.device, ["coaps://127.0.0.1"], f"  - {{type: modbus, plant: {example}}}\n")
        self.assertIn("no mistakes", self.check(collector, 0).stdout)
        twice = f"  - {{type: modbus, plant: {example}}}\n" * 2
        told = self.check(Collector(self.device, ["coaps://127.0.0.1"], twice), 2).stderr
        self.assertIn("one tap of type modbus polls all lines", told)

    def test_a_private_key_that_others_may_read_is_refused(self):
        for key in self.device.record_key, self.device.key:
            collector = Collector(self.device, ["coaps://127.0.0.1"], "  - {type: ais, source: stdin}\n")
            os.chmod(key, 0o644)
            refusal = self.check(collector, 2).stderr
            self.assertIn(str(key), refusal)
            self.assertIn("chmod 600", refusal)
            os.chmod(key, 0o600)

    def test_the_boards_example_has_only_the_mistakes_of_this_machine(self):
        example = ROOT / "boards/linux_gateway/collector.yaml"
        done = run(program("headrace-collector"), "--check", "--config", example, expect=2)
        for line in done.stderr.splitlines():
            self.assertIn("/etc/headrace/", line)

    def test_wrong_usage_is_3(self):
        run(program("headrace-collector"), expect=3)
        run(program("headrace-collector"), "--what", expect=3)


class Ends(SystemTest):
    def setUp(self):
        super().setUp()
        self.device = Site(self.folder).enrol("gateway")
        self.port = free_port()

    def start(self):
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
        collector = Collector(self.device, [f"coaps+tcp://127.0.0.1:{free_port()}"], taps, more="shutdown_flush: 0\n")
        return self.own(collector.start())

    def send(self, n_sentences):
        def connect():
            try:
                return socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return None
        with wait_for("the tap to listen", connect) as feed:
            feed.sendall("".join(sentence(i) for i in range(n_sentences)).encode())

    def test_sigterm_seals_what_was_received_and_the_next_start_finds_it(self):
        collector = self.start()
        self.send(700)
        collector.wait_status("700 records", lambda s: s["stats"]["collector"]["records"] == 700)
        collector.process.signal(signal.SIGTERM)
        self.assertEqual(collector.process.wait(), 0)
        ended = json.loads(collector.status_path.read_text())
        self.assertEqual((ended["open_records"], ended["acked_batches"]), (0, 0))
        self.assertGreater(ended["next_record_seq"], 700)

        collector.start()
        opened = collector.process.wait_event("spool_opened")
        self.assertEqual((opened["clean"], opened["formatted"], opened["torn_entries"]), (1, 0, 0))
        collector.wait_status("the batches of before", lambda s: s["sealed_batches"] >= ended["sealed_batches"])

    def test_a_second_collector_on_the_same_spool_is_refused(self):
        collector = self.start()
        collector.process.wait_event("collector_started")
        second = self.own(Collector(self.device, ["coaps://127.0.0.1:9"], "  - {type: ais, source: stdin}\n").start())
        self.assertEqual(second.process.wait(), 1)
        refused = second.process.wait_event("spool_file_refused")
        self.assertIn("another process", refused["reason"])
        self.assertTrue(collector.process.alive())

    def test_an_unreachable_aggregator_is_said_once_and_records_are_kept(self):
        collector = self.start()
        self.send(100)
        collector.wait_status("several tries", lambda s: s["stats"]["uplink"]["sessions_failed"] >= 3)
        collector.process.wait_event("net_unreachable")
        self.assertEqual(len(collector.process.events("net_unreachable")), 1)
        status = collector.wait_status("100 records", lambda s: s["stats"]["collector"]["records"] == 100)
        self.assertEqual(status["stats"]["collector"]["records_dropped"], 0)


class Delivery(SystemTest):
    """Against a real aggregator; what its ledger holds is the proof."""

    def setUp(self):
        super().setUp()
        program("headrace-aggregator")
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.aggregator = self.own(Aggregator(self.site)).start()

    def batches(self):
        """(stream, batch_seq, first_record_seq, n_records) of each batch in commit order, from its signed header."""
        rows = self.aggregator.query("select substr(envelope, 1, 108) from batch order by leaf")
        number = lambda header, at, length: int.from_bytes(header[at:at + length], "big")
        return [(number(h, 12, 4), number(h, 18, 4), number(h, 22, 6), number(h, 28, 2)) for (h,) in rows]

    def committed(self):
        return sum(batch[3] for batch in self.batches())

    def deliver_recording(self, address):
        recording = self.folder / "recording.nmea"
        recording.write_text("".join(sentence(i) for i in range(3000)))
        collector = self.own(Collector(self.device, [address], f"  - {{type: ais, source: file, path: {recording}}}\n"))
        collector.start("--once")
        self.assertEqual(collector.process.wait(), 0)
        status = json.loads(collector.status_path.read_text())
        self.assertTrue(status["drained"])
        self.assertEqual(status["stats"]["ais"]["messages"], 3000)
        self.assertEqual(self.committed(), status["next_record_seq"])

    def test_a_recording_is_delivered_over_dtls(self):
        self.deliver_recording(self.aggregator.coaps)

    def test_a_recording_is_delivered_over_tcp(self):
        self.deliver_recording(self.aggregator.coaps_tcp)

    def test_kills_of_the_collector_leave_no_hole_and_no_double_in_the_ledger(self):
        port = free_port()
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {port}}}\n"
        collector = self.own(Collector(self.device, [self.aggregator.coaps_tcp], taps, more="seal: {max_age: 100ms}\n"))
        stop = threading.Event()

        def feed():
            number = 0
            while not stop.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=60) as tap:
                        while not stop.is_set():
                            tap.sendall("".join(sentence(number + i) for i in range(50)).encode())
                            number += 50
                            time.sleep(0.01)
                except OSError:
                    time.sleep(0.02)

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        for _ in range(20):
            before = self.committed()
            collector.start()
            wait_for("the ledger to grow", lambda: self.committed() > before)
            collector.process.kill()
        stop.set()
        feeder.join()
        collector.start()
        status = collector.wait_status("all to be acknowledged", lambda s: s["drained"] and s["next_record_seq"] > 0)
        next_record = 0
        for place, (stream, seq, first_record, n_records) in enumerate(self.batches()):
            self.assertEqual((stream, seq, first_record), (0, place, next_record))
            next_record += n_records
        self.assertGreaterEqual(next_record, status["next_record_seq"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
