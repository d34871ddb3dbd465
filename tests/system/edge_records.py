# SPDX-License-Identifier: Apache-2.0
"""Records of plants, read here from their bytes by proto/SPEC.md section 3, with nothing of ours in between."""
import struct

from pipeline import read_varint

CHANNEL, SAMPLES = 14, 15


def fields_of(message):
    """[(number, value)]: numbers for varints, bytes for the rest."""
    at, out = 0, []
    while at < len(message):
        tag, at = read_varint(message, at)
        if tag & 7 == 0:
            value, at = read_varint(message, at)
        elif tag & 7 == 2:
            length, at = read_varint(message, at)
            value, at = message[at:at + length], at + length
        else:
            raise ValueError(f"wire type {tag & 7}")
        out.append((tag >> 3, value))
    return out


def zigzag(number):
    return number >> 1 ^ -(number & 1)


def packed(data):
    at, out = 0, []
    while at < len(data):
        value, at = read_varint(data, at)
        out.append(value)
    return out


def channel_of(body):
    """An entry of the dictionary."""
    said = dict(fields_of(body))
    text = lambda number: said.get(number, b"").decode()
    return {"channel": said[1], "device": text(2), "model": said.get(3, 0), "point": text(4), "unit": text(5),
            "scale": zigzag(said.get(6, 0)), "kind": said[7], "width_bits": said.get(8, 0)}


def samples_of(body):
    """[(channel, value, quality)]."""
    said = dict(fields_of(body))
    values = [zigzag(value) for value in packed(said[3])]
    skips = packed(said.get(2, b"")) or [0] * len(values)
    qualities = packed(said.get(4, b"")) or [0] * len(values)
    channel, out = said[1], []
    for i, (value, skip, quality) in enumerate(zip(values, skips, qualities, strict=True)):
        channel += skip + (1 if i else 0)
        out.append((channel, value, quality))
    return out


def read_plant(batches):
    """(dictionary, samples) of a device's batches in their order: {channel: entry} of the last word on each, and
    [(entry, value, quality)] with the entry that was in force. A sample without one is a failure."""
    told, samples = {}, []
    for batch in batches:
        for record in batch.records():
            for number, body in fields_of(record):
                if number == CHANNEL:
                    entry = channel_of(body)
                    told[entry["channel"]] = entry
                elif number == SAMPLES:
                    samples += [(told[channel], value, quality) for channel, value, quality in samples_of(body)]
    return told, samples


def signed16(register):
    return struct.unpack(">h", struct.pack(">H", register))[0]
