# SPDX-License-Identifier: Apache-2.0
"""Microcontroller boards under test (tools/dev/board.py), and how to wait for them.

HEADRACE_BOARD names the board, HEADRACE_FIRMWARE the folder of its image (ctest sets both). Nothing here believes in
time: a board on a loaded machine runs at a fraction of its speed, so a wait ends when nothing moves any more."""
import os
import pathlib
import re
import socket
import sys
import threading
import time

from harness import ROOT, SERVER_NAME, Device, wait_for

sys.path.insert(0, str(ROOT / "tools/dev"))
import board  # noqa: E402 (its folder is known now)
from board import HOST, Died, fields_of  # noqa: E402,F401

BOARD = os.environ.get("HEADRACE_BOARD", "qemu_mps2_an385")
FIRMWARE = pathlib.Path(os.environ.get("HEADRACE_FIRMWARE", ROOT / f"build/{BOARD}_faults/bin")) / "headrace-collector.elf"
CUT_EXIT_CODE = 88  # boards/family/cut.h
DEADLINE_S = float(os.environ.get("HEADRACE_DEADLINE_S", "300"))
PATIENCE = 4
SOCKET_BYTES = 4608  # the least that a socket may hold: what stands there when power goes is lost


def wait_progress(what, check, progress, deadline_s=DEADLINE_S):
    """As wait_for, but the deadline begins anew whenever progress() gives another value, up to PATIENCE times its length.
    progress() tells of the work, not of the asking: the console's lines grow with each question."""
    last, start = progress(), time.monotonic()
    end, longest = start + deadline_s, start + PATIENCE * deadline_s
    while True:
        answer = check()
        if answer:
            return answer
        now = progress()
        if now != last:
            last, end = now, time.monotonic() + deadline_s
        if time.monotonic() > min(end, longest):
            raise AssertionError(f"waited in vain for {what}; last seen: {now}")
        time.sleep(0.05)


def enrol_board(site, name, aggregators, board_name=BOARD, ca=None, registry=None, server_name=SERVER_NAME, more=()):
    """Enrols a device whose identity is an image of a board's memory: .memory of what it returns."""
    out = site.folder / "devices" / name
    out.parent.mkdir(exist_ok=True)
    words = [word for uri in aggregators for word in ("--aggregator", uri)]
    done = site.headrace("device", "enrol", "--ca", ca or site.ca, "--registry", registry or site.registry, "--out", out,
                         "--name", name, "--board", board_name, "--server-name", server_name, *words, *more)
    device = Device(out, int(re.search(r"device (\d+) ", done.stdout).group(1)))
    device.memory = out / "memory.img"
    return device


def coaps(port):
    return f"coaps://{HOST}:{port}"


class Board(board.Board):
    def __init__(self, folder, memory):
        super().__init__(BOARD, folder, memory, FIRMWARE)

    def start(self, *options):
        super().start(*options)
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        return self

    def wait_off(self, deadline_s=DEADLINE_S):
        """Until power is off by itself; the exit code."""
        wait_for("the board to lose power", self.has_ended, deadline_s)
        return self.returncode()

    def wait_said(self, pattern):
        """The first console line in which the pattern is found."""
        def look():
            ended = self.has_ended()
            line = self.said(pattern)
            if line is None and ended:
                raise Died(f"power went before {pattern!r}:\n{self.end_of_console()}")
            return line
        return wait_progress(f"{pattern!r} on the console", look, lambda: self.lines[-1:])

    def listens(self):
        """Its receiver is on: it has said hello. What comes before that is lost, as on any board."""
        return self.said(r"^headrace ") is not None

    def feed(self, data):
        """Writes to the serial line, as fast as the board takes it."""
        self.wait_said(r"^headrace ")
        try:
            self.line.sendall(data)
        except OSError:
            raise Died("the serial line is gone") from None

    def wait_messages(self, n_messages):
        """Until the tap has made so many messages of what it was fed since power came."""
        seen = [None]

        def enough():
            seen[0] = self.status()
            return seen[0]["ais"]["messages"] >= n_messages
        wait_progress(f"{n_messages} messages", enough, lambda: seen[0] and (seen[0]["ais"], seen[0]["device"]["serial_bytes"]))

    def wait_sealed(self):
        """Until no record is open; the spool's state then."""
        seen = [None]

        def sealed():
            seen[0] = self.spool()
            return seen[0]["open_records"] == 0 and seen[0]
        return wait_progress("all to be sealed", sealed, lambda: seen[0] and (seen[0]["sealed_batches"], seen[0]["open_records"]))

    def wait_drained(self):
        """Until everything it has is acknowledged; the spool's state then."""
        seen = [None]

        def drained():
            seen[0] = self.spool()
            return seen[0]["drained"] == "yes" and seen[0]
        return wait_progress("the spool to drain", drained,
                             lambda: seen[0] and (seen[0]["acked_batches"], seen[0]["sealed_batches"]))


class Feeder(threading.Thread):
    """Writes the lines of a log to whatever serial line the board has now, not faster than `bytes_per_s`, and goes on
    with the next line after a power cut."""

    def __init__(self, of_board, lines, bytes_per_s):
        super().__init__(daemon=True)
        self.board, self.lines, self.bytes_per_s = of_board, lines, bytes_per_s
        self.sent = 0
        self._end = threading.Event()
        self.start()

    def run(self):
        while self.sent < len(self.lines) and not self._end.is_set():
            text, line = self.lines[self.sent], self.board.line
            try:
                if not self.board.listens():
                    raise OSError
                line.sendall(text)
                self.sent += 1
                self._end.wait(len(text) / self.bytes_per_s)
            except (OSError, AttributeError):  # no power, or not yet
                self._end.wait(0.02)

    def finish(self):
        """Until everything was written."""
        wait_progress("the log to be fed", lambda: self.sent == len(self.lines), lambda: self.sent)
        self.join(5)

    def close(self):
        self._end.set()
        self.join(5)
