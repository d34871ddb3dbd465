#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway whose identity is a directory gets the trust bundle with its identity, from `headrace device provision`, and
follows the next ones: the aggregator's certificate moves to another root and back, and the gateway delivers on."""
import shutil
import unittest

import harness
import trust_bundle
from harness import SERVER_NAME, wait_for
from test_provision import Gateway


class TrustTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.ca = self.site.ca
        self.authority_a, self.authority_b = self.ca / "server-ca.crt", self.ca / "server-ca-b.crt"
        self.site.headrace("ca", "bundle", "--dir", self.ca)
        self.aggregator = self.own(harness.Aggregator(self.site, extra=f"trust_bundle: {self.ca / 'trust.bundle'}\n"))
        self.aggregator.start()
        self.gateway = self.own(Gateway(self.folder, "GW-7001"))
        self.gateway.start()

    def headrace(self, *words):
        return self.site.headrace("device", *words, "--config", self.aggregator.config).stdout

    def provision(self):
        return self.headrace("provision", "--socket", self.gateway.socket, "--dir", self.ca, "--aggregator", self.aggregator.coaps,
                             "--server-name", SERVER_NAME, "--wait", "120")

    def batches(self):
        return self.aggregator.query("SELECT count(*) FROM batch WHERE device = 1")[0][0]

    def delivers(self):
        before = self.batches()

        def delivered():
            self.gateway.feed()
            return self.batches() > before
        wait_for("a batch of what was fed", delivered)

    def authorities(self, *certificates):
        """The next bundle has these; the gateway takes it when it is told of it."""
        self.version += 1
        words = [word for certificate in certificates for word in ("--ca", certificate)]
        self.site.headrace("ca", "bundle", "--dir", self.ca, *words)
        self.aggregator.process.wait_event("trust_bundle", version=self.version)
        self.delivers()
        self.gateway.process.wait_event("trust_adopted", version=self.version)
        self.delivers()
        self.assertEqual(self.gateway.fields()["trust"], str(self.version))

    def serve_under(self, issuer):
        self.site.headrace("ca", "server", "--dir", self.ca, "--name", SERVER_NAME, "--issuer", issuer, "--force", "--san",
                           "localhost", "--san", "127.0.0.1")
        self.aggregator.stop()
        self.aggregator.start()

    def refuses_the_aggregator(self):
        """For the first time in this process."""
        self.gateway.process.wait_event("net_handshake_refused")

    def kept(self):
        """Versions in the pages of the file `trust`."""
        data = (self.gateway.identity / "trust").read_bytes()
        return sorted(trust_bundle.taken_apart(data[at:])[0]["version"] for at in (0, 4096))

    def test_the_aggregator_moves_to_another_root_and_back_and_a_provisioned_gateway_delivers_on(self):
        self.headrace("claim", "--serial", "GW-7001", "--name", "harbour-gw7")
        self.assertEqual(self.gateway.fields()["trust"], "0")
        self.assertIn("it follows trust bundles from version 1 on", self.provision())
        self.version = 1
        self.assertEqual(self.gateway.process.wait_event("trust_opened")["version"], 1)
        self.delivers()
        self.site.headrace("ca", "issuer", "--dir", self.ca, "--name", "server-ca-b", "--root", "root-b")
        self.authorities(self.authority_a, self.authority_b)
        self.serve_under("server-ca-b")
        self.delivers()
        self.authorities(self.authority_b)
        # Whoever has A's key can't make a server any more that it believes; and that is what a restart begins with.
        self.assertFalse([line for line in self.gateway.process.events() if line.get("event") == "net_handshake_refused"])
        self.serve_under("server-ca")
        self.refuses_the_aggregator()
        self.gateway.kill()
        self.gateway.start()
        self.assertEqual(self.gateway.process.wait_event("trust_opened")["version"], 3)
        self.refuses_the_aggregator()
        self.assertEqual(self.kept(), [2, 3])
        self.serve_under("server-ca-b")
        self.delivers()
        self.authorities(self.authority_b, self.authority_a)
        self.serve_under("server-ca")
        self.delivers()
        self.authorities(self.authority_a)
        self.assertEqual(self.kept(), [4, 5])

    def test_a_gateway_that_was_provisioned_without_a_bundle_goes_on_and_says_how_to_get_one(self):
        self.headrace("claim", "--serial", "GW-7001", "--name", "harbour-gw7")
        self.ca = self.folder / "ca-of-before"
        shutil.copytree(self.site.ca, self.ca)
        (self.ca / "trust.bundle").unlink()
        self.assertNotIn("trust bundle", self.provision())
        self.ca = self.site.ca
        self.delivers()
        self.assertEqual(self.gateway.fields()["trust"], "0")
        told = self.provision()
        self.assertIn("provisioned without a trust bundle", told)
        self.assertIn("headrace device replace", told)
        self.delivers()


if __name__ == "__main__":
    unittest.main(verbosity=2)
