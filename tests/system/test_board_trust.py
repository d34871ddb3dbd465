#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A board follows trust bundles: it gets the first one over its console with its identity, or in the image of its memory; the
aggregator moves to another root and back, power goes in between, and the board delivers on. A board without room for
bundles believes its authority, says in an Event that there is another bundle, and delivers on."""
import unittest

import harness
from boards import BOARD, Board, coaps, enrol_board, wait_progress
from harness import SERVER_NAME
from test_board_provision import Console

FOLLOWS = {"qemu_mps2_an385": True, "qemu_lm3s6965": False}[BOARD]
LINE = b"!AIVDM,1,1,,A,15M67FC000G?ufbE`FepT@3n00Sa,0*5F\r\n"


class BoardTrustTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.ca = self.site.ca
        self.authority_a, self.authority_b = self.ca / "server-ca.crt", self.ca / "server-ca-b.crt"
        self.site.headrace("ca", "bundle", "--dir", self.ca)
        self.site.headrace("ca", "issuer", "--dir", self.ca, "--name", "server-ca-b", "--root", "root-b")
        self.version = 1
        self.aggregator = self.own(harness.Aggregator(self.site, extra=f"trust_bundle: {self.ca / 'trust.bundle'}\n"))
        self.aggregator.start()

    def batches(self):
        return self.aggregator.query("SELECT count(*) FROM batch")[0][0]

    def delivers(self):
        """Something that it hears from now on is committed."""
        before = self.batches()
        sealed = self.board.spool()["sealed_batches"]
        self.board.feed(LINE)

        def committed():
            spool = self.board.spool()
            return spool["sealed_batches"] > sealed and spool["acked_batches"] > sealed
        wait_progress("what it heard to be committed", committed, self.batches)
        self.assertGreater(self.batches(), before)

    def authorities(self, *certificates):
        self.version += 1
        words = [word for certificate in certificates for word in ("--ca", certificate)]
        self.site.headrace("ca", "bundle", "--dir", self.ca, *words)
        self.aggregator.process.wait_event("trust_bundle", version=self.version)

    def follows(self, *certificates):
        self.authorities(*certificates)
        self.delivers()
        self.board.wait_said(f"trust_adopted .*version={self.version}")

    def serve_under(self, issuer):
        self.site.headrace("ca", "server", "--dir", self.ca, "--name", SERVER_NAME, "--issuer", issuer, "--force", "--san", "127.0.0.1")
        self.aggregator.stop()
        self.aggregator.start()

    def provision(self):
        """From factory state, over the console."""
        out = self.folder / "factory"
        self.site.headrace("device", "factory", "--board", BOARD, "--serial", "SN-0001", "--out", out)
        self.board = self.own(Board(self.folder / "board", out / "memory.img"))
        self.board.start()
        self.board.wait_said("not_provisioned")
        console = self.own(Console(self.board))
        words = ("--config", self.aggregator.config)
        self.site.headrace("device", "claim", "--serial", "SN-0001", "--name", "north-pier", *words)
        return self.site.headrace("device", "provision", "--console", console.url, "--dir", self.ca, "--aggregator",
                                  coaps(self.aggregator.port), "--server-name", SERVER_NAME, "--wait", "600", *words).stdout

    @unittest.skipUnless(FOLLOWS, "this board has no room for bundles")
    def test_the_aggregator_moves_to_another_root_and_back_and_the_board_delivers_on(self):
        self.assertIn("it follows trust bundles from version 1 on", self.provision())
        self.board.wait_said("trust_opened .*version=1")
        self.follows(self.authority_a, self.authority_b)
        self.serve_under("server-ca-b")
        self.delivers()
        self.follows(self.authority_b)
        self.board.kill()
        self.board.start()
        self.board.wait_said("trust_opened .*version=3")
        self.delivers()
        self.follows(self.authority_a, self.authority_b)
        self.serve_under("server-ca")
        self.delivers()
        status = self.board.status()
        self.assertEqual(status["trust"]["adopted"], 1)
        self.assertEqual(status["device"]["pool_refused"], 0)
        print(f"pool: {status['device']['pool_peak_bytes']} bytes at most with two authorities, and a bundle checked in a session")

    def test_an_image_begins_with_the_bundle_where_the_board_has_room_for_it(self):
        device = enrol_board(self.site, "board", [coaps(self.aggregator.port)], more=["--seal-max-age", "300ms"])
        self.board = self.own(Board(device.folder, device.memory)).start()
        self.delivers()
        if FOLLOWS:
            self.board.wait_said("trust_opened .*version=1")
            self.follows(self.authority_a, self.authority_b)
            return
        self.authorities(self.authority_a, self.authority_b)
        self.delivers()
        self.board.wait_said("uplink_event .*code=21.*no room for trust bundles")
        self.delivers()
        self.delivers()
        self.assertEqual(sum("no room for trust bundles" in line for line in self.board.lines), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
