# SPDX-License-Identifier: Apache-2.0
"""One board in QEMU, as tests see it: its console, its serial line, its memory file, its end. tools/dev/qemu runs it, and
becomes QEMU, so that ending the process ends everything. HEADRACE_BOARD and HEADRACE_BIN (set by ctest) name the board
and the folder of its images."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARD = os.environ.get("HEADRACE_BOARD", "qemu_mps2_an385")
BIN = pathlib.Path(os.environ.get("HEADRACE_BIN", ROOT / "build" / f"{BOARD}_faults" / "bin"))
BOARD_DATA = json.loads((ROOT / "boards" / BOARD / "qemu.json").read_text())
DEADLINE_S = float(os.environ.get("HEADRACE_DEADLINE_S", "240"))
CUT_EXIT_CODE = 88


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Stream:
    """A byte stream of the board over a Unix socket that QEMU connects to before the board starts."""

    def __init__(self, path):
        self.path = str(path)
        self.bytes = b""
        self.grew = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(1)
        self._socket = None
        self._thread = None

    def accept(self, alive):
        self._listener.settimeout(0.2)
        end = time.monotonic() + DEADLINE_S
        while self._socket is None:
            with contextlib.suppress(TimeoutError):
                self._socket = self._listener.accept()[0]
            if self._socket is None and (not alive() or time.monotonic() > end):
                raise AssertionError(f"QEMU did not connect to {self.path}")
        self._socket.settimeout(DEADLINE_S)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            try:
                block = self._socket.recv(65536)
            except TimeoutError:  # it has nothing to say
                continue
            except OSError:
                block = b""
            with self.grew:
                self.bytes += block
                self.grew.notify_all()
            if not block:
                return

    def send(self, data):
        """Blocks while the board takes nothing, at the longest for the deadline."""
        self._socket.sendall(data)

    def finish(self):
        """Once QEMU has ended: everything that it wrote is in `bytes` then."""
        if self._thread is not None:
            self._thread.join(DEADLINE_S)

    def close(self):
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(5)
            self._socket.close()
        self._listener.close()


class Emulator:
    """A board that runs. As a context manager it is killed at the end, whatever happened. Its serial line is a Stream, or
    leads where `serial` says (tools/dev/qemu)."""

    def __init__(self, image, folder, *options, memory=None, serial=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hr-"))
        self.console = Stream(self.folder / "console")
        self.serial = None if serial else Stream(self.folder / "serial")
        argv = [ROOT / "tools/dev/qemu", BOARD, "--image", BIN / f"{image}.elf", "--console", f"connect:{self.console.path}",
                "--serial", serial or f"connect:{self.serial.path}", "--with-parent", *options]
        if memory is not None:
            argv += ["--memory", memory]
        self._log_path = pathlib.Path(folder) / "qemu.log"
        with open(self._log_path, "ab") as log:
            self._process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             start_new_session=True)
        try:
            self.console.accept(self.alive)
            if self.serial is not None:
                self.serial.accept(self.alive)
        except AssertionError as error:
            self.close()
            raise AssertionError(f"{error}; QEMU said: {self._log_path.read_text()}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def alive(self):
        return self._process.poll() is None

    def text(self):
        return self.console.bytes.decode("utf-8", "replace").replace("\r", "")

    def type(self, text):
        self.console.send(text.encode())

    def wait_for(self, pattern, after=0, deadline_s=DEADLINE_S):
        """The first match of the pattern in what the console says from place `after` on."""
        end = time.monotonic() + deadline_s
        while True:
            with self.console.grew:
                match = re.compile(pattern).search(self.text(), after)
                if match is not None:
                    return match
                left = end - time.monotonic()
                if left <= 0 or not self.alive():
                    break
                self.console.grew.wait(min(left, 0.5))
        if not self.alive():
            self.finish()
        match = re.compile(pattern).search(self.text(), after)
        if match is not None:
            return match
        raise AssertionError(f"no '{pattern}' from the board in {deadline_s} s (it {'runs' if self.alive() else 'ended'}); it "
                             f"said:\n{self.text()[-3000:]}\nand QEMU:\n{self._log_path.read_text()[-1000:]}")

    def finish(self):
        for stream in (self.console, self.serial):
            if stream is not None:
                stream.finish()

    def wait(self, deadline_s=DEADLINE_S):
        """The exit code, once QEMU has ended by itself and its last words were read."""
        try:
            code = self._process.wait(deadline_s)
            self.finish()
            return code
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"QEMU runs on after {deadline_s} s; the board said:\n{self.text()[-3000:]}") from error

    def kill(self):
        if self.alive():
            self._process.send_signal(signal.SIGKILL)
        return self._process.wait(DEADLINE_S)

    def close(self):
        self.kill()
        self.console.close()
        if self.serial is not None:
            self.serial.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class BoardTest(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="hr-board-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.memory = self.folder / "memory"

    def board(self, image, *options, memory=None, serial=None):
        board = Emulator(image, self.folder, *options, memory=memory, serial=serial)
        self.addCleanup(board.close)
        return board
