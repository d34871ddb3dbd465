# SPDX-License-Identifier: Apache-2.0
"""Devices of every kind for one test: a board in QEMU, or a gateway whose identity is a directory. Each is begun in its
factory state, loaded through a line, killed, killed by itself at a named place, and started again on what it remembers."""
import base64
import collections
import contextlib
import json
import os
import re
import signal
import socket
import sqlite3

from boards import BOARD, CUT_EXIT_CODE, DEADLINE_S, Board, coaps
from harness import Process, free_port, program, run, wait_for
from test_board_provision import Console
from test_crashes import find_run, split_at
from test_provision import Gateway


class LivingBoard:
    """A board in QEMU."""
    name = BOARD

    def __init__(self, test, serial):
        out = test.folder / "factory"
        test.site.headrace("device", "factory", "--board", BOARD, "--serial", serial, "--out", out)
        self.board = test.own(Board(test.folder / "board", out / "memory.img"))
        self.board.start().wait_said("not_provisioned")
        self.words = ("--console", test.own(Console(self.board)).url)

    @staticmethod
    def uri(port):
        return coaps(port)

    @property
    def line(self):
        return self.board.line

    def listens(self):
        return self.board.listens()

    def start(self, failpoint=None):
        self.board.start(*(["--word", f"failpoint={failpoint}:1"] if failpoint else []))

    def wait_cut(self):
        code = self.board.wait_off()
        if code != CUT_EXIT_CODE:
            raise AssertionError(f"ended with {code}:\n{self.board.end_of_console()}\n{self.board.qemu_log()}")

    def kill(self):
        self.board.close()

    def state(self):
        """What waits in its memory: numbers of batches, `next_record_seq`, `open_records`, `stream`, and `drained`."""
        spool = self.board.spool()
        return {**spool, "drained": spool["drained"] == "yes"}

    def wait_messages(self, n_messages):
        self.board.wait_messages(n_messages)

    def check_locked(self, test):
        """Whoever sits at its console can't change its keys."""
        for command in ("rotate", "renew"):
            test.assertIn("locked", self.board.ask(command, "locked ")[0])

    def check_health(self, test):
        """The pool has had room since it has power, and it never started for a fault or its watchdog."""
        counts = self.board.status()["device"]
        test.assertEqual(counts["pool_refused"], 0)
        told = "".join(path.read_text(errors="replace") for path in self.board.folder.glob("console.*.log"))
        test.assertEqual(set(re.findall(r"^headrace .* reset=(\w+)", told, re.M)) - {"power", "software"}, set())
        print(f"{BOARD}: the pool at most {counts['pool_peak_bytes']} of {counts['pool_bytes']} bytes, the stack "
              f"{counts['stack_peak_bytes']} of {counts['stack_bytes']}, a turn {counts['longest_turn_ms']} ms", flush=True)


class LivingGateway(Gateway):
    """A gateway with `identity.directory`, fed over TCP."""
    name = "directory gateway"

    def __init__(self, test, serial):
        super().__init__(test.folder, serial)
        test.own(self)
        self.status_path = self.folder / "status.json"
        self.line = None
        config = self.config.read_text().replace("source: udp", "source: tcp-server").replace(
            "taps:\n", f"status: {{path: {self.status_path}}}\ntaps:\n")
        self.config.write_text(config)
        super().start()
        self.words = ("--socket", self.socket)

    @staticmethod
    def uri(port):
        return f"coaps://127.0.0.1:{port}"

    def listens(self):
        """Its line is open, from when it has an identity."""
        if self.line is None and self.process.alive():
            with contextlib.suppress(OSError):
                self.line = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return self.line is not None

    def start(self, failpoint=None):
        self.starts += 1
        self.process = Process([program("headrace-collector"), "--config", self.config], self.folder / f"log.{self.starts}.jsonl",
                               {"HEADRACE_FAILPOINT": f"{failpoint}:1" if failpoint else ""})
        return self

    def hang_up(self):
        if self.line is not None:
            self.line.close()
        self.line = None

    def wait_cut(self):
        code = self.process.wait(DEADLINE_S)
        self.hang_up()
        if code != -signal.SIGKILL:
            raise AssertionError(f"ended with {code}: {self.process.lines[-10:]}")

    def kill(self):
        self.hang_up()
        self.process.kill()

    def close(self):
        self.hang_up()
        super().close()

    def said(self):
        """What the running process last said of itself; None before it did."""
        with contextlib.suppress(OSError):
            status = json.loads(self.status_path.read_text())
            return status if status["pid"] == self.process.pid else None
        return None

    def state(self):
        return wait_for("a status", self.said, DEADLINE_S)

    def wait_messages(self, n_messages):
        wait_for(f"{n_messages} messages", lambda: self.state()["stats"]["ais"]["messages"] >= n_messages, DEADLINE_S, self.said)

    def check_locked(self, test):
        """Whoever reaches its socket can't begin anew."""
        test.assertIn("! locked ", self.say("prov begin"))

    def check_health(self, test):
        """Nothing to say of a process that runs."""
        test.assertTrue(self.process.alive())


KINDS = {"board": LivingBoard, "gateway": LivingGateway}


def living(test, serial):
    """A device of the kind that HEADRACE_KIND names, in its factory state, with power."""
    return KINDS[os.environ.get("HEADRACE_KIND", "board")](test, serial)


def assert_whole_within_boots(test, sent, events, boots):
    """Of the payloads that were `sent` not one is missing within a boot, and none came twice: what is missing went with
    the RAM. `events`: (record_seq, payload) in order; `boots`: the record_seq of each Boot."""
    at = 0
    for part in split_at(events, boots):
        begin = find_run(sent, part, at)
        test.assertIsNotNone(begin, f"published, but not sent after what came before: {part[:3]}")
        test.assertEqual(sent[begin:begin + len(part)], part, "a message is missing within a boot")
        at = begin + len(part)


def keys_of(aggregator, device):
    """{epoch: SubjectPublicKeyInfo} of a device, as the ledger has them."""
    with contextlib.closing(sqlite3.connect(f"file:{aggregator.ledger}?mode=ro", uri=True, timeout=60)) as ledger:
        return dict(ledger.execute("SELECT epoch, spki FROM device_key WHERE device = ?", (device,)))


def verify_by_epoch(test, topics, keys, each=20):
    """`headrace verify` of raw batches by the key of their epoch: the first `each`, and all with a KeySwitch; gives how many
    there are by epoch. No batch verifies by another epoch's key."""
    counts, paths = collections.Counter(), {}
    for epoch, spki in keys.items():
        paths[epoch] = test.folder / f"epoch{epoch}.pem"
        paths[epoch].write_text("-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(spki).decode() + "-----END PUBLIC KEY-----\n")
    envelope = test.folder / "envelope"
    for batch in topics.batches:
        epoch = int.from_bytes(batch.envelope[16:18], "big")
        counts[epoch] += 1
        if counts[epoch] <= each or batch.flags & 2:
            envelope.write_bytes(batch.envelope)
            run(program("headrace"), "verify", envelope, "--key", paths[epoch])
    test.assertEqual(sorted(counts), sorted(keys))
    envelope.write_bytes(topics.batches[0].envelope)
    run(program("headrace"), "verify", envelope, "--key", paths[max(keys)], expect=1)
    return dict(sorted(counts.items()))
