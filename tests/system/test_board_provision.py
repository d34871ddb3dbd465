#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A board in QEMU gets its identity over its console by `headrace device claim` and `device provision` alone, and delivers.
Power goes in the middle, and answers are lost; said again, it is the same identity."""
import contextlib
import json
import socket
import threading
import unittest

import harness
from boards import BOARD, Board, coaps, fields_of
from harness import SERVER_NAME, wait_for


class Console:
    """A board's console at a TCP port, as a terminal server has it. `lose` drops the next answer with that beginning."""

    def __init__(self, board):
        self.board = board
        self.lose = None
        self.cut = None  # power goes when this was said
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        self._listener.settimeout(0.2)
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                caller = self._listener.accept()[0]
                with caller, contextlib.suppress(OSError):
                    self._serve(caller)

    def _serve(self, caller):
        caller.settimeout(0.02)
        n_seen = len(self.board.lines)
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError):
                data = caller.recv(4096)
                if not data:
                    return
                self.board.type(data.decode())
                if self.cut and self.cut in data.decode():
                    self.cut = None
                    self.board.kill()
                    return
            lines = self.board.lines
            n_seen = min(n_seen, len(lines))
            for line in lines[n_seen:]:
                n_seen += 1
                if self.lose and line.startswith(self.lose):
                    self.lose = None
                else:
                    caller.sendall(line.encode() + b"\r\n")

    def close(self):
        self._end.set()
        self._thread.join()
        self._listener.close()


class BoardProvisionTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.aggregator = self.own(harness.Aggregator(self.site))
        self.aggregator.start()
        out = self.folder / "factory"
        self.site.headrace("device", "factory", "--board", BOARD, "--serial", "SN-0001", "--out", out)
        self.board = self.own(Board(self.folder / "board", out / "memory.img"))
        self.board.start()
        self.board.wait_said("not_provisioned")
        self.console = self.own(Console(self.board))

    def headrace(self, *words, expect=0):
        return self.site.headrace("device", *words, "--config", self.aggregator.config, expect=expect)

    def provision(self, expect=0):
        return self.headrace("provision", "--console", self.console.url, "--dir", self.site.ca, "--aggregator",
                             coaps(self.aggregator.port), "--server-name", SERVER_NAME, "--wait", "600", expect=expect)

    def hello(self):
        n = len(self.board.lines)
        self.board.type("prov hello\r")
        wait_for("an answer", lambda: any(line.startswith("= hello") for line in self.board.lines[n:]))
        return fields_of(next(line for line in self.board.lines[n:] if line.startswith("= hello")))

    def restart(self):
        self.board.start()
        self.board.wait_said("^headrace ")

    def test_a_board_is_provisioned_over_its_console_and_delivers(self):
        self.headrace("claim", "--serial", "SN-0001", "--name", "north-pier")
        self.console.cut = "prov install"
        self.assertIn("say it again", self.provision(expect=1).stderr)
        self.restart()
        key = self.hello()["key"]
        self.console.lose = "= part"
        told = self.provision().stdout
        self.assertIn("P9", told)
        fields = self.hello()
        self.assertEqual((fields["state"], fields["locked"], fields["device"], fields["key"]), ("enrolled", "1", "1", key))
        shown = json.loads(self.headrace("show", "1", "--json").stdout)["devices"][0]
        self.assertEqual((shown["state"], shown["key"]), ("active", fields["record"]))
        self.assertEqual(len(json.loads(self.headrace("list", "--json").stdout)), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
