#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The record key of an unlocked board changes at its console, again and again, and power goes at flash operations that
chance names: before, inside or after them. The board comes back each time with a key that the aggregator takes, every batch is
committed once, in one stream, and the ledger's chain of signatures holds from the first key to the last.

HEADRACE_LONG=1 cuts until the registry has all the keys that it keeps of a device."""
import sys
import unittest

from boards import BOARD, CUT_EXIT_CODE, Board, Died, coaps, enrol_board, wait_progress
from harness import Aggregator, Site, SystemTest
from lives import keys_of
from pipeline import LONG, seeded
from test_board import fleet

CUTS = 60 if LONG else 6
OPERATIONS = 320  # of a start, a change of the key and some records
MAX_EPOCH = 7     # the registry keeps eight keys of a device
BATCH_EPOCHS = "SELECT substr(envelope, 17, 2), count(*), min(seq), max(seq), max(stream) FROM batch GROUP BY 1 ORDER BY 1"


class BoardKeys(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        site = Site(self.folder)
        self.site = site
        self.aggregator = self.own(Aggregator(site)).start()
        self.device = enrol_board(site, "board", [coaps(self.aggregator.port)], more=["--seal-max-age", "300ms", "--unlocked"])
        self.board = self.own(Board(self.device.folder, self.device.memory))
        self.n_fed = 0

    def epochs(self):
        return keys_of(self.aggregator, self.device.device_id)

    def feed(self):
        self.n_fed += 1
        self.board.feed(fleet(40, seed=self.n_fed))

    def run_until_cut(self, cut):
        """Another key is asked for, and records come until the power goes."""
        self.board.start("--cut", cut)
        try:
            self.board.wait_said("^headrace ")
            if max(self.epochs(), default=1) < MAX_EPOCH:
                self.assertEqual(self.board.ask("rotate"), ["rotate asked"])
            while True:
                self.feed()
                self.board.wait_drained()
        except Died:
            self.assertEqual(self.board.wait_off(), CUT_EXIT_CODE, self.board.end_of_console())

    def finish(self):
        """One more change, without a cut."""
        self.board.start()
        before = max(self.epochs())
        self.assertEqual(self.board.ask("rotate"), ["rotate asked"])
        wait_progress("another key", lambda: max(self.epochs()) > before, lambda: self.board.lines[-1:])
        self.feed()
        self.board.wait_said("key_switched")
        spool = self.board.wait_drained()
        self.assertEqual(self.board.status()["device"]["pool_refused"], 0)
        self.board.close()
        return spool

    def test_whichever_flash_operation_is_the_last_the_board_comes_back_with_a_key_that_is_taken(self):
        for number in range(CUTS):
            self.run_until_cut(f"{self.random.randint(1, OPERATIONS)}:{('before', 'torn', 'after')[number % 3]}")
        spool = self.finish()
        rows = self.aggregator.query(BATCH_EPOCHS)
        self.assertEqual([int.from_bytes(row[0], "big") for row in rows], sorted(self.epochs()), "each key has signed")
        self.assertEqual((sum(row[1] for row in rows), spool["stream"], max(row[4] for row in rows)),
                         (spool["acked_batches"], 0, 0))
        for old, new in zip(rows, rows[1:]):
            self.assertEqual(old[3] + 1, new[2], "a key signs from where the one before it ends")
        for name in ("forks", "equivocations", "bad_signatures"):
            self.assertEqual(self.aggregator.metric(f"headrace_{name}_total"), 0, name)
        self.site.headrace("ledger", "fsck", self.aggregator.ledger)
        print(f"{BOARD}: {CUTS} cuts, {len(rows)} keys, batches by key {[row[1] for row in rows]}", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
