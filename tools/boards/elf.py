# SPDX-License-Identifier: Apache-2.0
"""What the tools of this folder read from an image: sections, symbols, memory regions, and which archive brought what."""
import dataclasses
import pathlib
import re
import struct

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHF_ALLOC, SHT_NOBITS, STT_FUNC, STT_FILE, STB_LOCAL = 2, 8, 2, 4, 0


@dataclasses.dataclass(frozen=True)
class Section:
    name: str
    address: int
    size: int
    stored: bool  # has bytes in flash
    offset: int   # of those, in the file


@dataclasses.dataclass(frozen=True)
class Symbol:
    name: str
    address: int  # without the Thumb bit
    size: int
    is_function: bool
    file: str  # where a static function stands; "" for a public one


class Image:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._data = self.path.read_bytes()
        if self._data[:6] != b"\x7fELF\x01\x01":
            raise ValueError(f"{path} is no 32-bit little-endian ELF file")
        headers = self._headers()
        names = headers[struct.unpack_from("<H", self._data, 50)[0]]
        self.sections = [Section(self._text(names, h[0]), h[3], h[5], h[1] != SHT_NOBITS, h[4])
                         for h in headers if h[2] & SHF_ALLOC and h[5] > 0]
        self.symbols = list(self._symbols(headers))

    def _headers(self):
        offset = struct.unpack_from("<I", self._data, 32)[0]
        size, count = struct.unpack_from("<HH", self._data, 46)
        return [struct.unpack_from("<10I", self._data, offset + i * size) for i in range(count)]

    def _text(self, table, at):
        start = table[4] + at
        return self._data[start:self._data.index(b"\0", start)].decode()

    def _symbols(self, headers):
        for header in headers:
            if header[1] != 2:
                continue
            file = ""
            for at in range(header[4], header[4] + header[5], 16):
                name, value, size, info = struct.unpack_from("<IIIB", self._data, at)
                kind = info & 15
                if kind == STT_FILE:
                    file = pathlib.PurePath(self._text(headers[header[6]], name)).name
                address = value & ~1 if kind == STT_FUNC else value
                yield Symbol(self._text(headers[header[6]], name), address, size, kind == STT_FUNC,
                             file if info >> 4 == STB_LOCAL else "")

    def words(self, name):
        """The 32-bit words of a constant table."""
        table = next(symbol for symbol in self.symbols if symbol.name == name)
        section = next(s for s in self.sections if s.stored and s.address <= table.address < s.address + s.size)
        at = section.offset + table.address - section.address
        return struct.unpack_from(f"<{table.size // 4}I", self._data, at)

    def value(self, name):
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol.address
        raise KeyError(f"{self.path} has no symbol {name}")


def regions_of(board):
    """FLASH and RAM of a board's memory.ld, as (origin, length)."""
    unit = {"": 1, "K": 1024, "M": 1 << 20}
    text = (ROOT / "boards" / board / "memory.ld").read_text()
    return {name: (int(origin, 0), int(number) * unit[suffix])
            for name, origin, number, suffix in re.findall(r"(\w+) \(\w+\) : ORIGIN = (\w+), LENGTH = (\d+)([KM]?)", text)}


def rooms_of(path):
    """Who takes what, by the linker's map: {room: [flash bytes, RAM bytes]}, fill counted to its neighbour."""
    rooms = {}
    section = room = None
    text = pathlib.Path(path).read_text()
    text = text[text.index("Linker script and memory map"):]
    text = text[:text.index("OUTPUT(")] if "OUTPUT(" in text else text
    flat = re.sub(r"\n( \S+)\n +(0x)", r"\n\1 \2", text)  # names that are too long have a line of their own
    flat = re.sub(r"\n(\.\S+)\n +(0x)", r"\n\1 \2", flat)
    for line in flat.splitlines():
        output = re.match(r"(\.[\w.]+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)", line)
        if output:
            section = output.group(1)
            continue
        part = re.match(r" (\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)(?:\s+(\S.*))?$", line)
        if not part or section not in (".text", ".ARM.exidx", ".data", ".bss", ".noinit"):
            continue
        size, origin = int(part.group(2), 16), part.group(3)
        if part.group(1) != "*fill*":
            room = room_of(origin or "")
        if room is None or size == 0:
            continue
        flash_ram = rooms.setdefault(room, [0, 0])
        if section in (".text", ".ARM.exidx", ".data"):
            flash_ram[0] += size
        if section in (".data", ".bss", ".noinit"):
            flash_ram[1] += size
    return rooms


def room_of(origin):
    """The room of an object in the map: a folder of ours, or the name of a library."""
    if not origin:
        return None
    for library, pattern in {"mbedTLS": r"/libmbed\w+\.a", "libcoap": r"/libcoap", "lwIP": r"/liblwip",
                             "newlib": r"arm-none-eabi/(?:\S+/)?lib\w+\.a|lib(?:c|m|g|c_nano|g_nano)\.a\(", "libgcc": r"libgcc\.a",
                             "nanopb": r"nanopb"}.items():
        if re.search(pattern, origin):
            return library
    ours = re.match(r"(?:\S*/)?((?:proto|firmware|boards|tests)/\S*?)/(?:lib\w+\.a|CMakeFiles)", origin)
    return ours.group(1) if ours else origin
