#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The transport key of a gateway whose identity is a directory that the tool has filled: it is changed when the certificate
ends by the aggregator's clock, and when an operator says so; whoever dies in between goes on, the old key is there until
the new one has opened a session, and it delivers all the while."""
import json
import os
import unittest
import unittest.mock

import renewing
from harness import wait_for
from test_provision import Gateway


class Device(Gateway):
    """A gateway that tells of itself in a file."""

    def __init__(self, folder, serial):
        super().__init__(folder, serial)
        self.status_path = self.folder / "status.json"
        self.config.write_text(self.config.read_text() + f"status:\n  path: {self.status_path}\nstats_interval: 1s\n")

    def start_and_die_at(self, failpoint):
        """Power goes at that place."""
        with unittest.mock.patch.dict(os.environ, HEADRACE_FAILPOINT=failpoint):
            self.start()
        wait_for("the gateway to have died", lambda: not self.process.alive())

    def status(self):
        return json.loads(self.status_path.read_text())

    def wait_key(self, key):
        """Until the key is another than that: a session came up with it. What its status says then."""
        def look():
            status = self.status()
            is_other = status["transport_key"] != key and self.fields()["key"].startswith(status["transport_key"])
            return status if is_other else None
        return wait_for("another transport key", look, seen=lambda: self.process.lines[-5:])


class RenewalTest(renewing.Renewing):
    def setUp(self):
        super().setUp()
        self.gateway = self.own(Device(self.folder, "GW-7001"))
        self.gateway.start()
        self.enrol("GW-7001", "--socket", self.gateway.socket, uri=self.aggregator.coaps)
        self.assert_delivers()

    def assert_delivers(self):
        """What comes from now on is in the ledger."""
        before = self.batches()

        def delivered():
            self.gateway.feed()
            return self.batches() > before
        wait_for("a batch of what was fed", delivered, seen=lambda: self.gateway.process.lines[-5:])

    def assert_one_key(self, status):
        """Everybody knows the same one."""
        self.assertTrue(self.gateway.fields()["key"].startswith(status["transport_key"]))
        self.assertTrue(self.certified()[-1].startswith(status["transport_key"]), (self.certified(), status))

    def test_it_is_changed_before_its_end_and_on_demand_and_whoever_dies_goes_on(self):
        first = self.gateway.status()
        self.assertTrue(self.gateway.fields()["key"].startswith(first["transport_key"]))
        self.assertEqual(self.certified(), [])

        # The certificate ends in 30 days by the aggregator's clock, which dies with the key in its hands.
        self.die_with_a_key(first["certificate_ends_s"])
        self.assertEqual(self.gateway.status()["transport_key"], first["transport_key"])
        # So does the gateway; its key waits in the identity.
        self.gateway.kill()
        self.aggregator.start()
        self.gateway.start()
        second = self.gateway.wait_key(first["transport_key"])
        self.gateway.process.wait_event("transport_key_changed")
        self.assert_one_key(second)
        self.assertEqual(set(self.certified()), {self.certified()[0]}, "one key was asked for")
        self.assertGreater(second["certificate_ends_s"], first["certificate_ends_s"])
        self.assert_delivers()

        # It is what a restart begins with; an operator far away wants another one, an operator at the gateway one more.
        now = self.gateway.fields()
        self.gateway.kill()
        self.gateway.start()
        self.assertEqual(self.gateway.fields()["key"], now["key"])
        self.rotate()
        third = self.gateway.wait_key(second["transport_key"])
        self.assert_one_key(third)
        self.gateway.kill()
        (self.gateway.identity / "renew").touch()
        # It dies with the certificate in its store and the old key in use.
        self.gateway.start_and_die_at("transport_key_certified:1")
        self.gateway.start()
        fourth = self.gateway.wait_key(third["transport_key"])
        self.assert_one_key(fourth)
        self.assertEqual(len(set(self.certified())), 3)
        self.assertFalse((self.gateway.identity / "renew").exists())
        self.assert_delivers()

    def test_one_that_is_refused_gives_way_to_the_old_one_and_is_not_lost(self):
        # The issuer is another than the authority that devices are let in by.
        other = self.folder / "other"
        self.site.headrace("ca", "init", "--dir", other)
        self.issue_from(other)
        self.aggregator.stop()
        self.aggregator.start()
        first = self.gateway.status()
        self.gateway.kill()
        (self.gateway.identity / "renew").touch()
        self.gateway.start()
        self.gateway.process.wait_event("transport_key_refused")
        self.assert_delivers()
        self.assertEqual(self.gateway.status()["transport_key"], first["transport_key"])
        self.assertTrue(self.gateway.fields()["key"].startswith(first["transport_key"]))
        # Both authorities are believed by now.
        own = self.site.ca / "device-ca.crt"
        own.write_text(own.read_text() + (other / "device-ca.crt").read_text())
        self.issue_from(other)
        self.aggregator.stop()
        self.aggregator.start()
        self.gateway.kill()
        self.gateway.start()
        status = self.gateway.wait_key(first["transport_key"])
        self.gateway.process.wait_event("transport_key_changed")
        self.assert_one_key(status)
        self.assertEqual(len(set(self.certified())), 1)
        self.assert_delivers()


if __name__ == "__main__":
    unittest.main(verbosity=2)
