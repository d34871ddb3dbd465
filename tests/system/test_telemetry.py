#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Telemetry of plants from the signed batch to a real Kafka: what was measured is what a consumer reads, each sample once,
scaled and named as the stream's own dictionary says, though the aggregator is killed while it reads back for it. The
batches are written here, by an encoder that shares nothing with ours."""
import collections
import contextlib
import time
import unittest

import wire
from harness import Aggregator, Site, SystemTest
from pipeline import Broker, seeded, wait_published
from probe import Probe

TELEMETRY, RAW, ANOMALIES, TOTALS = ("plant.telemetry", "ingestion.plant.raw.v1", "data.quality.anomalies.v1",
                                     "iso.rt.telemetry.caiso")
# Retention takes what is old, so it is now: at uptime 1 s it was ten seconds before the last five minutes ended.
END_S = int(time.time()) // 300 * 300
UTC_MS = END_S * 1000 - 10_000
GOOD, STALE, COMMS_ERROR = 0, 1, 3
MEASUREMENT, ACCUMULATOR, ENUMERATION, BITFIELD = 1, 2, 3, 4
QUALITIES = {GOOD: "good", STALE: "stale", COMMS_ERROR: "comms_error"}
N_DEVICES, POINTS_OF_POLL = 20, 10
STATES = {1: "OFF", 4: "MPPT", 7: "FAULT"}


def number(field, value):
    return wire.varint(field << 3) + wire.varint(value & (1 << 64) - 1) if value else b""


def zigzag(value):
    return value * 2 if value >= 0 else -value * 2 - 1


def bytes_of(field, value):
    return wire.varint(field << 3 | 2) + wire.varint(len(value)) + value if value else b""


def record(body, content, dt_ms=0):
    return number(1, dt_ms) + wire.varint(body << 3 | 2) + wire.varint(len(content)) + content


def packed(values):
    return b"".join(wire.varint(value) for value in values)


class Channel:
    def __init__(self, channel, device, model, point, unit="", scale=0, kind=MEASUREMENT, width_bits=0):
        self.channel, self.device, self.model, self.point = channel, device, model, point
        self.unit, self.scale, self.kind, self.width_bits = unit, scale, kind, width_bits

    def record(self):
        return record(14, number(1, self.channel) + bytes_of(2, self.device.encode()) + number(3, self.model) +
                      bytes_of(4, self.point.encode()) + bytes_of(5, self.unit.encode()) + number(6, zigzag(self.scale)) +
                      number(7, self.kind) + number(8, self.width_bits))


def samples(dt_ms, first, values, qualities=None, skips=None):
    content = (number(1, first) + (bytes_of(2, packed(skips)) if skips and any(skips) else b"") +
               bytes_of(3, packed(zigzag(value) for value in values)) +
               (bytes_of(4, packed(qualities)) if qualities and any(qualities) else b""))
    return record(15, content, dt_ms)


def time_anchor(boot_id, uptime_ms, utc_ms):
    return record(8, number(1, boot_id) + number(2, uptime_ms) + number(3, utc_ms) + number(4, 20) + number(5, 1))


def dictionary():
    """20 inverters with ten points each."""
    out = {}
    for device in range(N_DEVICES):
        name, first = f"inverter-{device + 1}", 1 + device * POINTS_OF_POLL
        points = [("A", "A", -2, MEASUREMENT, 0), ("PhVphA", "V", -1, MEASUREMENT, 0), ("W", "W", 1, MEASUREMENT, 0),
                  ("Hz", "Hz", -3, MEASUREMENT, 0), ("VA", "VA", 1, MEASUREMENT, 0), ("PF", "Pct", -2, MEASUREMENT, 0),
                  ("WH", "Wh", 0, ACCUMULATOR, 32), ("TmpCab", "C", -1, MEASUREMENT, 0), ("St", "", 0, ENUMERATION, 0),
                  ("Evt1", "", 0, BITFIELD, 0)]
        for i, (point, unit, scale, kind, width_bits) in enumerate(points):
            out[first + i] = Channel(first + i, name, 103, point, unit, scale, kind, width_bits)
    return out


class Plant:
    """What the devices say, and what has to come of it."""

    def __init__(self, chance):
        self.chance = chance
        self.channels = dictionary()
        self.wanted = {}  # (batch_seq, record_index, channel): what the event says
        # Two of the counters are about to wrap.
        self.energy = collections.Counter({7: 2**32 - 3000, 17: 2**32 - 9000})
        self.energy_said = {}

    def value(self, channel):
        kind, point = self.channels[channel].kind, self.channels[channel].point
        if kind == ACCUMULATOR:
            self.energy[channel] = (self.energy[channel] + self.chance.randrange(2000)) % 2**32
            return self.energy[channel]
        if kind == ENUMERATION:
            return self.chance.choice(list(STATES))
        if kind == BITFIELD:
            return self.chance.choice((0, 1, 0x8001))
        return self.chance.randrange(-500, 500) if point in ("PF", "TmpCab") else self.chance.randrange(24000)

    def poll(self, seq, index, dt_ms, device):
        """A record of one device's points; a few of them left out, a few bad."""
        first = 1 + device * POINTS_OF_POLL
        taken = [first + i for i in range(POINTS_OF_POLL) if i == 0 or self.chance.random() < 0.95]
        skips = [0] + [b - a - 1 for a, b in zip(taken, taken[1:])]
        quality = self.chance.choices((GOOD, STALE, COMMS_ERROR), (18, 1, 1))[0]
        values = [self.value(channel) for channel in taken]
        for channel, value in zip(taken, values):
            self.want(seq, index, channel, value, quality)
        return samples(dt_ms, first, values, [quality] * len(taken), skips)

    def want(self, seq, index, channel, value, quality):
        what = self.channels[channel]
        said = {"device": what.device, "model": 103, "model_name": "inverter_three_phase", "point": what.point,
                "unit": what.unit or None, "quality": QUALITIES[quality], "raw_value": value, "scale": what.scale,
                "value": value * 10**what.scale if what.scale >= 0 else value / 10**-what.scale, "symbol": None, "delta": None,
                "site": "north field", "time_quality": "anchored"}
        if what.kind == ENUMERATION:
            said["symbol"] = STATES[value]
        elif what.kind == BITFIELD:
            said["symbol"] = {0: "", 1: "GROUND_FAULT", 0x8001: "GROUND_FAULT,HW_TEST_FAILURE"}[value]
        elif what.kind == ACCUMULATOR and quality == GOOD:
            before = self.energy_said.get(channel)
            if before is not None:
                said["delta"] = float(value - before if value >= before else 2**32 - before + value
                                      if before > 0xC0000000 and value < 0x40000000 else value)
            self.energy_said[channel] = value
        self.wanted[seq, index, channel] = said


class Telemetry(SystemTest):
    def test_each_sample_is_published_once_as_its_dictionary_says(self):
        chance = seeded("test_telemetry")
        site = Site(self.folder)
        broker = self.own(Broker(self.folder))
        device = site.enrol("plant")
        aggregator = self.own(Aggregator(site, sinks=broker.sinks() + "  transaction_max_batches: 3\n", extra=(
            "sites:\n  - name: north field\n"
            f"    collector: {device.device_id:016x}\n    iso: caiso\n    node: NF_1_N001\n"))).start()
        key, stream, plant = wire.Key(device.record_key), wire.Stream(device.device_id), Plant(chance)
        batches = [stream.next([time_anchor(1, 1000, UTC_MS)] + [c.record() for c in plant.channels.values()])]
        sizes = []
        for seq in range(1, 40):
            uptime_ms = 1000 + seq * 1000
            records = [plant.poll(seq, i, 5 * i, (seq * 9 + i) % N_DEVICES) for i in range(9)]
            if seq == 20:
                records.append(samples(900, 900, [17], [STALE]))  # nobody's channel
            batch = stream.next(records, base_uptime_ms=uptime_ms)
            sizes.append((len(batch.envelope(key)), sum(1 for k in plant.wanted if k[0] == seq)))
            batches.append(batch)
        half = len(batches) // 2
        self.post(aggregator, device, key, batches[:half])
        aggregator.kill()
        aggregator.start()
        self.post(aggregator, device, key, batches[half - 3:])  # the last ones come again
        aggregator.kill()
        aggregator.start()
        wait_published(aggregator, 300)
        self.check_samples(broker, plant)
        self.check_rest(broker, batches, plant)
        # What was stored and delivered is what the batches give again, with the sites of the configuration.
        aggregator.stop()
        said = site.headrace("ledger", "fsck", "--config", aggregator.config, expect=0).stdout
        self.assertIn("nothing", said)
        print(f"{sum(n for n, _ in sizes) / sum(k for _, k in sizes):.2f} bytes a sample with header and signature, in batches of "
              f"{sum(k for _, k in sizes) / len(sizes):.0f}", flush=True)

    def post(self, aggregator, device, key, batches):
        with contextlib.closing(Probe(aggregator.coaps, device)) as probe:
            for batch in batches:
                self.assertIn(probe.post(batch.envelope(key)).ack.status, (0, 1))

    def check_samples(self, broker, plant):
        events = broker.tail(TELEMETRY)
        found = collections.Counter((e["batch_seq"], e["record_index"], e["channel"]) for e in events)
        self.assertEqual(set(found.values()), {1})
        self.assertEqual(set(found), set(plant.wanted))
        for event in events:
            wanted = plant.wanted[event["batch_seq"], event["record_index"], event["channel"]]
            self.assertEqual({name: event[name] for name in wanted}, wanted, event)

    def check_rest(self, broker, batches, plant):
        anomalies = broker.tail(ANOMALIES)
        self.assertEqual([(e["batch_seq"], e["finding"], e["text"]) for e in anomalies],
                         [(20, "unknown_channel", "no dictionary in reach explains channel 900: value 17, quality 1")])
        self.assertEqual(collections.Counter(r.value[:108] for r in broker.read(RAW)),
                         collections.Counter(batch.header for batch in batches))
        # The first sample of batch 10 is of the next five minutes.
        last = {said["device"]: said for (seq, _, _), said in plant.wanted.items() if seq < 10 and said["point"] == "W"}
        power_mw = sum(said["value"] for said in last.values() if said["quality"] == "good") / 1e6
        (total,) = broker.tail(TOTALS)
        self.assertEqual((total["iso_subject"], total["iso_location_id"], total["interval_end"], total["batch_seq"]),
                         ("generation.solar", "NF_1_N001", END_S * 1_000_000, 10))
        self.assertAlmostEqual(total["value"], power_mw, places=9)


if __name__ == "__main__":
    unittest.main(verbosity=2)
