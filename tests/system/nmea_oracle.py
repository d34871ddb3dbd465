# SPDX-License-Identifier: Apache-2.0
"""A second reading of AIS logs, for tests: which messages a log holds, told from the sentences alone.

Written from IEC 61162-1 and NMEA 0183 and what the header of the AIS tap promises, not from its code. A message is its
armored payload and its fill bits; what the bits mean is the decoders' business."""
import dataclasses
import re

LINE_MAX_BYTES = 1024
OPEN_MESSAGES = 16
MESSAGE_MAX_CHARS = 560
SENTENCE = re.compile(rb"!([0-9A-Za-z-]{2})(VDM|VDO),([^!*]*)\*([0-9A-Fa-f]{2})")
TAG = re.compile(rb"\\([^\\]*)\*([0-9A-Fa-f]{2})\\")
ARMOR = re.compile(rb"[0-W`-w]+")
CHANNEL = re.compile(rb"[!-~]?")


@dataclasses.dataclass
class Open:
    """A message of several sentences, some of which have come."""
    total: int
    next: int
    parts: list
    group: str = None
    station: bytes = None


def checksum(text):
    value = 0
    for byte in text:
        value ^= byte
    return value


def tag_of(line, at):
    """(group id, station) of the TAG block that stands before the sentence; None where it says nothing."""
    group = station = None
    for block in TAG.finditer(line, 0, at):
        if checksum(block[1]) != int(block[2], 16):
            continue
        for field in block[1].split(b","):
            if field.startswith(b"g:"):
                group = field[2:].split(b"-")[-1]
            elif field.startswith(b"s:"):
                station = field[2:]
    return group, station


def join(parts):
    """Payload and fill bits of the whole message. Fill bits in the middle, where only a sender's mistake puts them, are
    left out and what follows moves up; those at the end stay as they came, but six of them are a character too many."""
    bits = ""
    for at, (payload, fill) in enumerate(parts):
        sixes = "".join(f"{(c - 48 if c < 88 else c - 56):06b}" for c in payload)
        bits += sixes if at == len(parts) - 1 else sixes[:len(sixes) - fill]
    n_bits = len(bits) - parts[-1][1]
    n_chars = -(-n_bits // 6)
    bits = bits[:6 * n_chars].ljust(6 * n_chars, "0")
    values = [int(bits[i:i + 6], 2) for i in range(0, len(bits), 6)]
    return bytes(v + 48 if v < 40 else v + 56 for v in values), 6 * n_chars - n_bits


class Log:
    """All messages of the bytes of a log, in the order in which they become whole: (talker, kind, channel, payload,
    fill bits)."""

    def __init__(self, data):
        self.messages = []
        self._open = {}
        for line in re.split(rb"\r\n|\r|\n", data):
            if len(line) <= LINE_MAX_BYTES and not line.startswith(b"#"):
                for match in SENTENCE.finditer(line):
                    if checksum(match[0][1:-3]) == int(match[4], 16):
                        self._sentence(match, *tag_of(line, match.start()))

    def _sentence(self, match, group, station):
        fields = match[3].split(b",")
        if len(fields) != 6:
            return
        total, number, sequence, channel, payload, fill = fields
        if not (total.isdigit() and number.isdigit() and fill in (b"0", b"1", b"2", b"3", b"4", b"5", b"6")):
            return
        total, number, fill = int(total), int(number), int(fill)
        if not (1 <= number <= total <= 9 and ARMOR.fullmatch(payload) and CHANNEL.fullmatch(channel)):
            return
        parts = [(payload, fill)]
        if total > 1:
            parts = self._part((match[1], match[2], channel, sequence), total, number, parts[0], group, station)
        if parts is not None:
            payload, fill = join(parts)
            if 0 < len(payload) <= MESSAGE_MAX_CHARS:
                self.messages.append((match[1].decode(), match[2].decode(), channel.decode(), payload.decode(), fill))

    def _part(self, key, total, number, part, group, station):
        """The parts of the message when this one was its last, else None."""
        if number == 1:
            self._open.pop(key, None)
            if len(self._open) == OPEN_MESSAGES:
                del self._open[next(iter(self._open))]
            self._open[key] = Open(total, 2, [part], group, station)
            return None
        message = self._open.get(key)
        if message is None or message.total != total or number != message.next or self._foreign(message, group, station):
            return None
        message.parts.append(part)
        message.next += 1
        return self._open.pop(key).parts if number == total else None

    @staticmethod
    def _foreign(message, group, station):
        return (None not in (message.group, group) and message.group != group
                or None not in (message.station, station) and message.station != station)
