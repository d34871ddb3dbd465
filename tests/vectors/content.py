#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The content hash of an event (aggregator/normalize/norm.h), written a second time: prints the numbers of
tests/unit/test_notes.c.

own: four lanes of 8 bytes, little-endian, over blocks of 32, the last filled with zeros; zeros at the end of own don't
count. lane = (lane ^ word) * M; lane ^= lane >> 32. Then mix(length), and for each lane mix(hash + lane); then time in
microseconds, the error in ms (2^64 - 1: none), the first letter of the quality, and the key in words of 8 bytes, each by
mix(hash ^ it)."""
MASK = (1 << 64) - 1
M = 0xD6E8FEB86659FD93
SEEDS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD1B54A32D192ED03)


def mix(x):
    x ^= x >> 32
    x = x * M & MASK
    x ^= x >> 32
    x = x * M & MASK
    return x ^ x >> 32


def content(key, time_us, quality, error_ms, own):
    own = own.rstrip(b"\0")
    lanes = list(SEEDS)
    for at in range(0, len(own), 32):
        block = own[at:at + 32].ljust(32, b"\0")
        for i in range(4):
            lane = (lanes[i] ^ int.from_bytes(block[8 * i:8 * i + 8], "little")) * M & MASK
            lanes[i] = lane ^ lane >> 32
    value = mix(len(own))
    for lane in lanes:
        value = mix(value + lane & MASK)
    value = mix(value ^ time_us & MASK)
    value = mix(value ^ (MASK if error_ms is None else error_ms))
    value = mix(value ^ ord(quality[0]))
    for at in range(0, len(key), 8):
        value = mix(value ^ int.from_bytes(key[at:at + 8].ljust(8, b"\0"), "little"))
    return value or 1


if __name__ == "__main__":
    usual = (b"211378120", 1795219200000000, "anchored", 25)
    print(f"empty {content(*usual, b''):#x}")
    print(f"short {content(*usual, bytes([2, 4]) + b'zq'):#x}")
    print(f"long  {content(*usual, bytes((i * 7 + 1) & 255 for i in range(100))):#x}")
    print(f"other {content(b'0000000000000001', -1, 'received_only', None, b'x'):#x}")
