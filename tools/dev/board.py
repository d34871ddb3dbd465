# SPDX-License-Identifier: Apache-2.0
"""A microcontroller board in QEMU, from power-on, for the demo and the system tests: its memory file, its console with
the shell, its serial line. Power may be cut (SIGKILL) and come back on the same memory."""
import contextlib
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "10.0.2.2"  # the machine that runs QEMU, as the board sees it
CONNECT_S = 300


def fields_of(line):
    """{key: text} of the key=value fields of a console line."""
    return {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S*))', line)}


def numbers_of(line):
    return {key: int(value) for key, value in fields_of(line).items() if re.fullmatch(r"-?\d+", value)}


class Died(AssertionError):
    """The board was asked something and has no power."""


class Counters(dict):
    """Counters by name; one that the console does not tell is 0."""

    def __missing__(self, key):
        return 0


class Board:
    """A board. `memory` is the file of its memory; None: it has none, or forgets. `serial` is where its serial line leads:
    None for a socket of our own (see `line`), else as tools/dev/qemu takes it."""

    def __init__(self, name, folder, memory, firmware, serial=None):
        self.name, self.folder = name, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.memory, self.firmware, self.serial = memory, firmware, serial
        self.starts = 0
        self.lines = []   # of the console since power came
        self.line = None  # our end of the serial line, while there is power
        self._process = self._console = self._reader = None

    # ---- power ----

    def start(self, *options):
        """Power on. `options` are tools/dev/qemu's."""
        self.close()
        self.starts += 1
        self.lines = lines = []
        memory = ["--memory", self.memory] if self.memory else []
        with contextlib.ExitStack() as stack:
            # The path of a Unix socket has 107 bytes at most, and self.folder may have more.
            sockets = stack.enter_context(tempfile.TemporaryDirectory(prefix="hr-"))
            console = stack.enter_context(self._listen(sockets, "console"))
            serial = None if self.serial else stack.enter_context(self._listen(sockets, "serial"))
            with open(self.folder / "qemu.log", "ab") as log:
                self._process = subprocess.Popen(
                    [ROOT / "tools/dev/qemu", self.name, "--image", self.firmware, *memory,
                     "--console", f"connect:{console.getsockname()}",
                     "--serial", self.serial or f"connect:{serial.getsockname()}", *map(str, options)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            self._console = self._accept(console)
            self.line = serial and self._accept(serial)
        self._reader = threading.Thread(target=self._read, args=(self._console, lines), daemon=True)
        self._reader.start()
        return self

    @staticmethod
    def _listen(folder, name):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/{name}")
        listener.listen()
        listener.settimeout(0.2)
        return listener

    def _accept(self, listener):
        end = time.monotonic() + CONNECT_S
        while self.alive() and time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                out = listener.accept()[0]
                out.settimeout(None)
                return out
        raise Died(f"QEMU did not connect its serial lines:\n{self.qemu_log()}")

    def _read(self, console, lines):
        rest = b""
        with open(self.folder / f"console.{self.starts}.log", "wb") as log, contextlib.suppress(OSError):
            while data := console.recv(4096):
                log.write(data)
                log.flush()
                *whole, rest = (rest + data).split(b"\n")
                lines.extend(line.decode("ascii", "replace").strip("\r") for line in whole)

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def has_ended(self):
        """Power is off, and everything that the board said is in `lines`."""
        if self.alive():
            return False
        if self._reader is not None:
            self._reader.join(CONNECT_S)
        return True

    def returncode(self):
        return self._process.poll()

    def kill(self):
        """SIGKILL: a power cut."""
        if self.alive():
            self._process.send_signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def close(self):
        self.kill()
        self.has_ended()
        for end in (self._console, self.line):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._console = self.line = self._reader = None

    def qemu_log(self):
        return (self.folder / "qemu.log").read_text(errors="replace")[-2000:]

    # ---- console ----

    def said(self, pattern):
        """The first console line in which the pattern is found; None before there is one."""
        return next((line for line in list(self.lines) if re.search(pattern, line)), None)

    def end_of_console(self):
        return "\n".join(self.lines[-20:])

    def type(self, text):
        try:
            self._console.sendall(text.encode("ascii"))
        except (OSError, AttributeError):
            raise Died("the console is gone") from None

    def ask(self, command, first=None, last=None, deadline_s=CONNECT_S):
        """Types a command and gives the lines of its answer, from the one that begins with `first` (default: the
        command and a space) to the one that begins with `last` (default: the same line)."""
        first = first or command + " "
        begin, end = len(self.lines), time.monotonic() + deadline_s
        self.type(command + "\r")
        while True:
            ended = self.has_ended()  # asked first: what was said before the end counts
            lines = self.lines[begin:]
            at = next((i for i, line in enumerate(lines) if line.startswith(first)), len(lines))
            to = next((i for i in range(at, len(lines)) if lines[i].startswith(last or first)), None)
            if to is not None:
                return lines[at:to + 1]
            if ended:
                raise Died(f"power went before {command!r} was answered:\n{self.end_of_console()}")
            if time.monotonic() > end:
                raise AssertionError(f"{command!r} was not answered:\n{self.end_of_console()}")
            time.sleep(0.02)

    def spool(self):
        line = self.ask("spool", "spool stream=")[0]  # the boot banner has a line of the spool too
        return {**fields_of(line), **numbers_of(line)}

    def status(self):
        """{source: counters} of what the board counts, as in its Stats records."""
        return {line.split()[0]: Counters(numbers_of(line)) for line in self.ask("status", last="device ")}
