# SPDX-License-Identifier: Apache-2.0
"""Devices on a Modbus RTU line, as a board's third UART sees them: a socket that QEMU connects to, requests read byte by
byte, answers with a CRC of this file's own. A unit may be damaged in one way that a real line knows."""
import collections
import contextlib
import socket
import struct
import tempfile
import threading

REQUEST_BYTES = 8


def crc(data):
    """CRC-16/MODBUS, bit by bit as appendix B of "MODBUS over Serial Line" says it."""
    value = 0xFFFF
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


def sealed(body):
    return body + crc(body)


class Bus:
    """`units`: {number: function of (address, count) that gives the registers}. `faults`: {number: name}, one of absent,
    truncated, bad_crc, other_unit, illegal_address, noise. What was answered stands in `answers[unit]` as (address,
    registers), and how many bytes went to the board in `sent_bytes`."""

    def __init__(self, units, faults=None):
        self.units, self.faults = units, dict(faults or {})
        self.answers = collections.defaultdict(list)
        self.asked = collections.Counter()
        self.sent_bytes = self.bad_requests = 0
        self._folder = tempfile.TemporaryDirectory(prefix="hr-")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self._folder.name}/bus")
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def option(self):
        """Of tools/dev/qemu."""
        return "--bus", f"connect:{self._listener.getsockname()}"

    def _run(self):
        with contextlib.suppress(OSError):
            while True:  # a connection for each power-on
                line = self._listener.accept()[0]
                with line, contextlib.suppress(OSError):
                    self._serve(line)

    def _serve(self, line):
        held = b""
        while data := line.recv(256):
            held += data
            while len(held) >= REQUEST_BYTES:
                request, held = held[:REQUEST_BYTES], held[REQUEST_BYTES:]
                answer = self._answer(request)
                self.sent_bytes += len(answer)
                line.sendall(answer)

    def _answer(self, request):
        if crc(request[:-2]) != request[-2:]:
            self.bad_requests += 1
            return b""
        unit, function, address, count = struct.unpack(">BBHH", request[:-2])
        self.asked[unit] += 1
        fault = self.faults.get(unit)
        if fault == "absent" or unit not in self.units:
            return b""
        if fault == "illegal_address":
            return sealed(bytes([unit, function | 0x80, 2]))
        registers = self.units[unit](address, count)
        frame = sealed(struct.pack(f">BBB{count}H", unit, function, 2 * count, *registers))
        if fault == "truncated":
            return frame[:-3]
        if fault == "bad_crc":
            return frame[:-1] + bytes([frame[-1] ^ 0x40])
        if fault == "other_unit":
            return sealed(bytes([unit + 100]) + frame[1:-2])
        self.answers[unit].append((address, registers))
        return (b"\xff\x00" + frame) if fault == "noise" else frame

    def close(self):
        for way in (socket.SHUT_RDWR,):
            with contextlib.suppress(OSError):
                self._listener.shutdown(way)
        self._listener.close()
        self._thread.join(30)
        self._folder.cleanup()
