# SPDX-License-Identifier: Apache-2.0
"""What a collector says about a plant, read here from the bytes of raw batches after proto/SPEC.md section 3: the
dictionary of channels, and the samples by it."""
import collections

from pipeline import CHANNEL, body_of, read_varint

SAMPLES = 15
GOOD, STALE, NOT_IMPLEMENTED, COMMS_ERROR, OUT_OF_RANGE = range(5)

Channel = collections.namedtuple("Channel", "number device model point unit scale kind width_bits interval_ms silence_ms dead_band symbols")
Sample = collections.namedtuple("Sample", "channel boot boot_id value quality at_ms")


def fields(data):
    """(number, value) of each field of a message; bytes where it is delimited."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 == 2:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise AssertionError(f"wire type {tag & 7}")
        yield tag >> 3, value


def packed(data):
    at, out = 0, []
    while at < len(data):
        value, at = read_varint(data, at)
        out.append(value)
    return out


def signed(zigzag):
    return zigzag >> 1 ^ -(zigzag & 1)


def read_channel(body):
    got = dict(fields(body))
    text = lambda number: got.get(number, b"").decode()
    number = lambda n: got.get(n, 0)
    return Channel(number(1), text(2), number(3), text(4), text(5), signed(number(6)), number(7), number(8), number(9), number(10),
                   number(11), text(12))


def read_samples(body):
    """[(channel, value, quality)]"""
    got = dict(fields(body))
    values = [signed(v) for v in packed(got[3])]
    skips = packed(got[2]) if got.get(2) else [0] * len(values)
    qualities = packed(got[4]) if got.get(4) else [0] * len(values)
    assert len(values) == len(skips) == len(qualities), (values, skips, qualities)
    out, number = [], got[1]
    for value, skip, quality in zip(values, skips, qualities):
        number += skip
        out.append((number, value, quality))
        number += 1
    return out


class Telemetry:
    """The channels and samples of one device's batches, in order. A sample whose channel was not said before, within the
    boot, is a failure."""

    def __init__(self, batches):
        self.boots = 0
        self.samples = []
        self.channels = []  # as they came
        self.n_batches = collections.Counter()  # by boot
        known, last_boot = {}, None
        for batch in batches:
            boot, base_ms = int.from_bytes(batch.envelope[32:36], "big"), int.from_bytes(batch.envelope[36:42], "big")
            if boot != last_boot:
                self.boots, last_boot, known = self.boots + 1, boot, {}
            self.n_batches[self.boots] += 1
            for record in batch.records():
                got = dict(fields(record))
                kind = body_of(record)
                if kind == CHANNEL:
                    channel = read_channel(got[CHANNEL])
                    known[channel.number] = channel
                    self.channels.append((self.boots, channel))
                elif kind == SAMPLES:
                    for number, value, quality in read_samples(got[SAMPLES]):
                        if number not in known:
                            raise AssertionError(f"boot {self.boots}: channel {number} is in no dictionary")
                        self.samples.append(Sample(known[number], self.boots, boot, value, quality, base_ms + got.get(1, 0)))

    def of(self, device, point, boot=None):
        return [s for s in self.samples if (s.channel.device, s.channel.point) == (device, point) and boot in (None, s.boot)]
