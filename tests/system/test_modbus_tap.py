#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A plant over Modbus through the whole pipeline: `headrace sim sunspec`, a collector with a tap of type modbus, DTLS, an
aggregator and Apache Kafka. The simulated inverters count their answers (--count), so what was read and what arrived can
be held against each other sample by sample.

HEADRACE_LONG=1 polls ten times as often and for longer, so that the dictionary comes again within a boot."""
import collections
import json
import sys
import time
import unittest

from harness import Aggregator, Site, SystemTest, wait_for
from pipeline import LONG, TELEMETRY, Broker, Collector, Topics, seeded, wait_published
from proxies import UdpProxy
from samples import COMMS_ERROR, GOOD, NOT_IMPLEMENTED, STALE, Telemetry
from test_sim_sunspec import Plant

DEVICES = 20
POINTS = ["A", "AphA", "AphB", "AphC", "PhVphA", "PhVphB", "PhVphC", "W", "Hz", "WH"]  # of model 103
ROUNDS, INTERVAL = (600, "100ms") if LONG else (5, "1s")
PATIENT = "timeout: 60s"  # a slow machine is no fault


def plant_file(folder, groups, lines):
    path = folder / "plant.yaml"
    path.write_text("groups:\n" + "".join(f"  - {{{group}}}\n" for group in groups) + "lines:\n" + "".join(
        f"  - {{{line}, devices: [" + ", ".join(f"{{{device}}}" for device in devices) + "]}\n" for line, devices in lines))
    return path


def tcp(plant):
    host, port = plant.address.removeprefix("tcp://").split(":")
    return f"transport: tcp, host: {host}, port: {port}"


def processor_s(pid):
    with open(f"/proc/{pid}/stat") as stat:
        words = stat.read().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / 100


class Taps(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks()))

    def collect(self, plant_path, more, to=None):
        self.collector = self.own(Collector(self.device, [to or self.aggregator.coaps],
                                            f"  - {{type: modbus, plant: {plant_path}}}\n", spool_size="16MiB", more=more))

    def wait_stats(self, what, check):
        return self.collector.wait_status(what, lambda s: "plant" in s["stats"] and check(s["stats"]))

    def wait_samples(self, n_more):
        """That many samples more than there are now, in the running process."""
        self.wait_stats("the tap to run", lambda s: True)
        now = self.collector.status()["stats"]["plant"]["samples"]
        return self.wait_stats("samples", lambda s: s["plant"]["samples"] >= now + n_more)

    def finish(self):
        """Ends the collector in peace; its last words, and what is in Kafka."""
        self.collector.wait_status("something to be sealed", lambda s: s["sealed_batches"] > 0)
        self.assertEqual(self.collector.process.stop(), 0)
        status = json.loads(self.collector.status_path.read_text())
        self.assertTrue(status["drained"])
        wait_published(self.aggregator)
        topics = Topics(self, self.broker)
        self.assertEqual(topics.assert_exactly_once(), status["next_record_seq"], "sealed, and not published")
        return status, topics, Telemetry(topics.batches)


class Pipeline(Taps):
    def assert_each_sample_once(self, telemetry, last_status):
        """Within a boot the answers of a device are counted without a hole, and each has a sample of each point."""
        for boot in range(1, telemetry.boots + 1):
            n_samples = 0
            for unit in range(3, 3 + DEVICES):
                counts = [s.value for s in telemetry.of(f"inverter-{unit}", "WH", boot)]
                self.assertTrue(counts, f"boot {boot}: nothing of unit {unit}")
                self.assertEqual(counts, list(range(counts[0], counts[0] + len(counts))), f"boot {boot}, unit {unit}")
                for point in POINTS:
                    self.assertEqual(len(telemetry.of(f"inverter-{unit}", point, boot)), len(counts), (boot, unit, point))
                n_samples += len(counts) * len(POINTS)
            n_batches, told = telemetry.n_batches[boot], collections.Counter(c.number for b, c in telemetry.channels if b == boot)
            self.assertGreaterEqual(min(told.values()), 1 + n_batches // 1000, "how often the dictionary was said")
            self.assertLessEqual(max(told.values()), 1 + n_batches // 990)
            if boot == telemetry.boots:
                self.assertEqual(n_samples, last_status["stats"]["plant"]["samples"], "reported, and not published")
        self.assertEqual({s.quality for s in telemetry.samples}, {GOOD})

    def assert_each_sample_is_an_event(self, telemetry):
        """plant.telemetry has the samples as they were signed, scaled and named."""
        events = collections.Counter((e["boot_id"], e["uptime_ms"], e["device"], e["point"], e["raw_value"], e["value"], e["unit"],
                                      e["quality"]) for e in self.broker.tail(TELEMETRY))
        samples = collections.Counter((s.boot_id, s.at_ms, s.channel.device, s.channel.point, s.value, float(f"{s.value}e{s.channel.scale}"),
                                       s.channel.unit, "good") for s in telemetry.samples)
        self.assertEqual(events, samples)

    def measure(self, proxy):
        """Bytes towards the aggregator and processor time of the collector, over some seconds."""
        begin, began, used = proxy.counts["bytes_to_server"], time.monotonic(), processor_s(self.collector.process.pid)
        before = self.collector.status()
        after = self.wait_samples(ROUNDS * DEVICES * len(POINTS))
        seconds = time.monotonic() - began
        n_bytes = proxy.counts["bytes_to_server"] - begin
        core = 100 * (processor_s(self.collector.process.pid) - used) / seconds
        return before["acked_batches"], after["acked_batches"], n_bytes, core

    def test_200_points_at_1_s_from_20_devices_arrive_once_whoever_is_killed(self):
        self.aggregator.start()
        proxy = self.own(UdpProxy(self.aggregator.port, self.random))
        plant = self.own(Plant(self.folder, "--inverters", DEVICES, "--hour", 11, "--count"))
        points = ", ".join(f"103.{point}" for point in POINTS)
        path = plant_file(self.folder, [f"name: power, points: [{points}], interval: {INTERVAL}, report: each"],
                          [(tcp(plant), [f"name: inverter-{unit}, unit: {unit}, groups: [power], {PATIENT}"])
                           for unit in range(3, 3 + DEVICES)])
        self.collect(path, "seal: {max_bytes: 256, max_age: 60s}\nuplink: {ack_timeout: 30s, silence: 1s}\n", to=f"coaps://127.0.0.1:{proxy.port}")
        self.collector.start()
        self.wait_samples(2 * DEVICES * len(POINTS))
        first, end, n_bytes, core = self.measure(proxy)

        self.collector.process.kill()
        self.collector.start()
        self.wait_samples(2 * DEVICES * len(POINTS))
        self.aggregator.kill()
        self.wait_samples(2 * DEVICES * len(POINTS))
        self.aggregator.start()
        self.wait_samples(2 * DEVICES * len(POINTS))

        status, topics, telemetry = self.finish()
        self.assertEqual(telemetry.boots, 2)
        self.assert_each_sample_once(telemetry, status)
        self.assert_each_sample_is_an_event(telemetry)
        batches = [b for b in topics.batches if first <= b.batch_seq < end]
        n_samples = len(Telemetry([b for b in topics.batches if b.batch_seq < end]).samples) - \
            len(Telemetry([b for b in topics.batches if b.batch_seq < first]).samples)
        print(f"{len(telemetry.samples)} samples in {len(topics.batches)} batches, each exactly once; in steady state "
              f"{n_bytes / n_samples:.2f} bytes a sample on the wire with {n_samples / len(batches):.0f} samples a batch; "
              f"the collector took {core:.2f} % of a core", flush=True)
        self.assertLess(n_bytes / n_samples, 10)


class Faults(Taps):
    """Every device of a gateway, and of a serial line, has another fault, all at once."""
    BROKEN = {3: "silent", 4: "late", 5: "wrong_unit", 6: "truncated", 7: "bad_crc"}
    ODD = {8: "illegal_address", 9: "not_implemented", 10: "no_scale"}
    SHORT = 11  # its common model has 65 registers
    SOUND = (12, 13)

    def configure(self):
        self.tcp_plant = self.own(Plant(self.folder, "--inverters", 11, "--hour", 11, "--count"))
        self.rtu_plant = self.own(Plant(self.folder, "--inverters", 11, "--hour", 11, "--count", "--pty", self.folder / "bus"))
        for plant in (self.tcp_plant, self.rtu_plant):
            self.assertEqual(plant.command(f"{self.SHORT} model_65"), "ok")
        hasty = "timeout: 400ms, retries: 0, failures: 1, open: 1s, open_max: 2s"
        devices = lambda name: [f"name: {name}-{unit}, unit: {unit}, groups: [power], {hasty if unit in self.BROKEN else PATIENT}"
                                for unit in range(3, 14)]
        (self.folder / "meter.yaml").write_text(
            "registers:\n- {name: volts, address: 40077, scale: -1, unit: V}\n- {name: power, address: 40088, type: int16, scale: 1, unit: W}\n"
            "- {name: events, address: 40175, type: uint32, kind: bitfield, symbols: \"0=a;31=b\"}\n")
        path = plant_file(self.folder, ["name: power, points: [103.A, 103.W, 103.WH], interval: 500ms, report: each",
                                        "name: mapped, points: [volts, events], interval: 1s, report: each",
                                        "name: rare, points: [\"*\"], interval: 500ms, dead_band: 60000, silence: 24h"],
                          [(tcp(self.tcp_plant), devices("tcp")),
                           (tcp(self.tcp_plant), [f"name: meter, unit: 1, map: meter.yaml, groups: [mapped, rare], {PATIENT}"]),
                           (f"transport: rtu, path: {self.rtu_plant.path}, baud: 115200, quiet: 20ms", devices("rtu"))])
        self.collect(path, "seal: {max_age: 1s}\n", to=self.aggregator.coaps_tcp)

    def set_faults(self, faults):
        for plant in (self.tcp_plant, self.rtu_plant):
            for unit, fault in faults.items():
                self.assertEqual(plant.command(f"{unit} {fault}"), "ok")

    def n_events(self, name):
        return collections.Counter(e["device"] for e in self.collector.process.events(name))

    def test_what_one_device_does_disturbs_no_other(self):
        self.aggregator.start()
        self.configure()
        self.collector.start()
        wait_for("each device to be found", lambda: len(self.n_events("plant_device_found")) == 23)
        self.wait_samples(300)
        self.set_faults({**self.BROKEN, **self.ODD})
        broken = {f"{line}-{unit}" for line in ("tcp", "rtu") for unit in self.BROKEN}
        wait_for("breakers to open", lambda: broken <= set(self.n_events("plant_device_silent")))
        self.wait_stats("every fault to be counted", lambda s: all(s["modbus"][name] > 0 for name in (
            "silent", "wrong_unit", "truncated", "bad_crc", "broken", "exceptions", "foreign_frames")))
        self.wait_samples(1000 if LONG else 300)
        self.set_faults(dict.fromkeys({**self.BROKEN, **self.ODD}, "none"))
        wait_for("them to be back", lambda: broken <= set(self.n_events("plant_device_back")))
        self.wait_samples(300)
        _, _, telemetry = self.finish()
        self.check_map(telemetry)
        for line in "tcp", "rtu":
            self.check_line(telemetry, line)
        print({q: sum(s.quality == q for s in telemetry.samples) for q in range(5)}, "samples by quality", flush=True)

    def check_map(self, telemetry):
        """A device by a register map: what its file says is in the dictionary, and what does not change is said once."""
        channels = {c.point: c for _, c in telemetry.channels if c.device == "meter"}
        self.assertEqual({c.model for c in channels.values()}, {0})
        said = lambda point: tuple(channels[point])[4:]
        self.assertEqual(said("volts"), ("V", -1, 1, 0, 1000, 0, 0, ""))
        self.assertEqual(said("power"), ("W", 1, 1, 0, 500, 86400000, 60000, ""))
        self.assertEqual(said("events"), ("", 0, 4, 0, 1000, 0, 0, "0=a;31=b"))
        self.assertEqual([s.quality for s in telemetry.of("meter", "power")], [GOOD])
        self.assertGreater(len(telemetry.of("meter", "volts")), 1)
        for sample in telemetry.of("meter", "volts"):
            self.assertTrue(2000 < sample.value < 2500, sample)

    def check_line(self, telemetry, line):
        qualities = lambda unit: [s.quality for s in telemetry.of(f"{line}-{unit}", "W")]
        for unit in (self.SHORT, *self.SOUND):
            counts = [s.value for s in telemetry.of(f"{line}-{unit}", "WH")]
            self.assertEqual(counts, list(range(counts[0], counts[0] + len(counts))), (line, unit))
            self.assertEqual(set(qualities(unit)), {GOOD}, (line, unit))
            self.assertEqual({s.channel.scale for s in telemetry.of(f"{line}-{unit}", "A")}, {-2})
        for unit, fault in self.BROKEN.items():
            seen = qualities(unit)
            self.assertEqual((seen[0], seen[-1]), (GOOD, GOOD), (line, unit, fault))
            self.assertEqual(set(seen) - {STALE}, {GOOD, COMMS_ERROR}, (line, unit, fault))
        self.assertEqual(set(qualities(8)), {GOOD, NOT_IMPLEMENTED})  # what it refused is asked for again after a minute
        self.assertEqual(set(qualities(9)), {GOOD, NOT_IMPLEMENTED})
        self.assertEqual(qualities(9)[-1], GOOD)
        scales = [s.channel.scale for s in telemetry.of(f"{line}-10", "A")]
        self.assertEqual((scales[0], scales[-1], set(scales)), (-2, -2, {-2, 0}))
        values = [s.value for s in telemetry.of(f"{line}-10", "A")]
        self.assertLess(max(values) - min(values), max(values) / 2)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
