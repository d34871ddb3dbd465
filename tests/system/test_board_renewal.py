#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A board in QEMU, provisioned at its console, changes its transport key when the certificate ends by the aggregator's clock.
The aggregator dies when it was asked, power goes while the key waits, and again when it is certified or has just come up: there
is one next key, and what the board records arrives. Then it is asked for another one from afar."""
import unittest

import renewing
from boards import BOARD, Board, coaps, enrol_board, fields_of, wait_progress
from harness import wait_for
from test_board import fleet
from test_board_provision import Console


class Told:
    """What self.board says of its transport key."""

    def transport(self):
        return fields_of(self.board.ask("keys", first="transport ")[0])

    def is_current(self):
        """The same when no next key is under way."""
        told = self.transport()
        return told if told["next"] == "current" else None


class AtTheConsole(Told, renewing.Renewing):
    def test_a_board_that_is_not_locked_changes_its_key_when_it_is_told_to(self):
        device = enrol_board(self.site, "board", [coaps(self.aggregator.port)], more=["--unlocked"])
        self.board = self.own(Board(device.folder, device.memory))
        self.board.start()
        self.board.wait_said("collector_started")
        first = self.transport()["key_sha256"]
        self.board.ask("renew")
        self.board.wait_said("transport_key_changed")
        second = self.transport()
        self.assertEqual(second["next"], "current")
        self.assertNotEqual(second["key_sha256"], first)
        self.assertTrue(self.certified()[-1].startswith(second["key_sha256"]))


class BoardRenewalTest(Told, renewing.Renewing):
    def setUp(self):
        super().setUp()
        out = self.folder / "factory"
        self.site.headrace("device", "factory", "--board", BOARD, "--serial", "SN-0001", "--out", out)
        self.board = self.own(Board(self.folder / "board", out / "memory.img"))
        self.board.start()
        self.board.wait_said("not_provisioned")
        console = self.own(Console(self.board))
        self.enrol("SN-0001", "--console", console.url, uri=coaps(self.aggregator.port))
        self.n_fed = 0

    def feed(self):
        """A batch or two, if the last ones have gone."""
        if self.board.spool()["drained"] == "yes":
            self.n_fed += 1
            self.board.feed(fleet(20, seed=self.n_fed))

    def assert_delivers(self):
        """A batch of what it is fed from now on is in the ledger."""
        self.board.wait_drained()
        before = self.batches()
        self.feed()
        wait_progress("a batch of what was fed", lambda: self.batches() > before, lambda: self.board.lines[-1:])

    def feed_until_said(self, what):
        """Acknowledgements say what time it is, and so there has to be something to acknowledge."""
        def look():
            self.feed()
            return self.board.said(what)
        wait_for(f"{what} on the console", look, seen=self.board.end_of_console)

    def restart(self):
        self.board.kill()
        self.board.start()
        self.board.wait_said("collector_started")

    def test_a_board_changes_its_key_and_delivers_on_whatever_dies(self):
        self.board.wait_said("collector_started")
        self.assert_delivers()
        first = self.transport()
        self.assertEqual((first["next"], self.certified()), ("current", []))
        self.board.type("renew\r")
        self.board.wait_said("^locked command=renew")
        self.die_with_a_key(int(first["certificate_ends_s"]), meanwhile=self.feed)
        self.restart()
        waits = self.transport()
        self.assertEqual((waits["next"], waits["key_sha256"]), ("waiting", first["key_sha256"]))
        self.aggregator.start()
        self.feed_until_said("transport_key_renewed")
        used = self.board.status()["device"]
        self.assertEqual(used["pool_refused"], 0)
        print(f"{BOARD}: renewing it has used at most {used['pool_peak_bytes']} bytes of the pool, {used['stack_peak_bytes']} of the "
              f"stack, and {used['longest_turn_ms']} ms in a turn", flush=True)
        self.restart()
        second = wait_progress("the next key to be the key", self.is_current, lambda: self.board.lines[-1:])
        self.assertGreater(int(second["certificate_ends_s"]), int(first["certificate_ends_s"]))
        keys = set(self.certified())
        self.assertEqual(len(keys), 1, "one key was asked for")
        self.assertTrue(keys.pop().startswith(second["key_sha256"]))
        self.assertTrue(fields_of(self.board.ask("prov hello", first="= hello")[0])["key"].startswith(second["key_sha256"]))
        self.assert_delivers()

        # Somebody far away wants another one.
        self.rotate()

        def is_another():
            self.feed()
            told = self.is_current()
            return told if told and told["key_sha256"] != second["key_sha256"] else None
        third = wait_progress("another key", is_another, lambda: self.board.lines[-1:])
        self.assertTrue(self.certified()[-1].startswith(third["key_sha256"]))
        self.assert_delivers()


if __name__ == "__main__":
    unittest.main(verbosity=2)
