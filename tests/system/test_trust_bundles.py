#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trust bundles: made by `headrace ca bundle`, read here by another implementation (trust_bundle.py)."""
import hashlib
import json
import os
import re
import base64
import unittest

import harness
import pipeline
import trust_bundle


def der_of(pem):
    return base64.b64decode(re.sub(r"-----[^-]+-----|\s", "", pem.read_text()))


def spki_of(certificate):
    done = harness.run("openssl", "x509", "-in", certificate, "-pubkey", "-noout")
    return base64.b64decode(re.sub(r"-----[^-]+-----|\s", "", done.stdout))


class BundleTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.ca = self.folder / "ca"
        self.file = self.ca / "trust.bundle"

    def headrace(self, *argv, expect=0, **variables):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HEADRACE_CA_")}
        return harness.run(harness.program("headrace"), *argv, expect=expect, env={**clean, **variables}, start_new_session=True)

    def bundle(self, *argv, expect=0, **variables):
        return self.headrace("ca", "bundle", *argv, expect=expect, **variables)

    def shown(self, expect=0):
        return [json.loads(line) for line in self.bundle("--show", self.file, "--json", expect=expect).stdout.splitlines()]

    def taken_apart(self):
        rest, found = self.file.read_bytes(), []
        while rest:
            one, rest = trust_bundle.taken_apart(rest)
            found.append(one)
        return found

    def test_versions_follow_one_another_signed_by_the_signers_of_both(self):
        ca = self.ca
        self.headrace("ca", "init", "--dir", ca)
        self.assertIn("version 1, 2 signatures added, 2 in all, complete", self.bundle("--dir", ca, "--name", "agg.example").stdout)
        self.headrace("ca", "issuer", "--dir", ca, "--name", "server-ca-b", "--root", "root-b")
        roots = sorted(spki_of(ca / f"{name}.crt") for name in ("root", "root-b"))
        both = ("--ca", ca / "server-ca.crt", "--ca", ca / "server-ca-b.crt")
        # Two have to sign from here on; one does elsewhere, later.
        told = self.bundle("--dir", ca, *both, "--threshold", "2", "--key", ca / "root.key", expect=2)
        self.assertIn("not complete", told.stdout)
        self.assertIn("--sign", told.stderr)
        self.assertIn("still wants signatures", self.bundle("--dir", ca, expect=1).stderr)
        self.assertEqual([row["complete"] for row in self.shown(expect=2)], [True, False])
        self.bundle("--sign", self.file, "--key", ca / "root-b.key")
        first, second = self.taken_apart()
        self.assertEqual((first["version"], first["threshold"], first["names"]), (1, 1, ["agg.example"]))
        self.assertEqual((second["version"], second["threshold"], second["names"]), (2, 2, []))
        self.assertEqual(first["signers"], roots)
        self.assertEqual(first["authorities"], [der_of(ca / "server-ca.crt")])
        self.assertEqual(second["authorities"], [der_of(ca / "server-ca.crt"), der_of(ca / "server-ca-b.crt")])
        self.assertEqual(second["signed_by"], sorted(hashlib.sha256(root).digest() for root in roots))
        self.assertEqual([(row["complete"], len(row["authorities"]), row["signatures"]) for row in self.shown()],
                         [(True, 1, 2), (True, 2, 2)])
        # Signing again adds nothing; a key that is no signer neither.
        self.assertIn("0 signatures added", self.bundle("--sign", self.file, "--key", ca / "root-b.key").stdout)
        self.assertIn("is no signer", self.bundle("--sign", self.file, "--key", ca / "server-ca.key").stderr)
        text = self.bundle("--show", self.file).stdout
        self.assertRegex(text, r"version 2 +complete, 2 of 2 signers needed, 2 signatures\n  authority  headrace servers, until 20\d\d-")
        # The server's certificate under the other root.
        self.headrace("ca", "server", "--dir", ca, "--name", "agg.example", "--issuer", "server-ca-b")
        harness.run("openssl", "verify", "-CAfile", ca / "root-b.crt", "-untrusted", ca / "server-ca-b.crt", ca / "agg.example.crt")

    def test_each_root_may_have_a_passphrase_of_its_own(self):
        word = {"HEADRACE_CA_PASSPHRASE": "of all the others"}
        own = {**word, "HEADRACE_ROOT_B_PASSPHRASE": "of root b alone"}
        self.headrace("ca", "init", "--dir", self.ca, "--encrypt", **own)
        harness.run("openssl", "pkey", "-in", self.ca / "root-b.key", "-passin", "pass:of root b alone", "-noout")
        harness.run("openssl", "pkey", "-in", self.ca / "root.key", "-passin", "pass:of all the others", "-noout")
        told = self.bundle("--dir", self.ca, expect=1, **word).stderr
        self.assertIn("root-b.key: not with this passphrase", told)
        self.assertFalse(self.file.exists())
        self.bundle("--dir", self.ca, **own)
        self.assertEqual(self.shown()[0]["signatures"], 2)
        self.headrace("ca", "issuer", "--dir", self.ca, "--name", "server-ca-b", "--root", "root-b", **own)
        self.assertIn("ENCRYPTED", (self.ca / "server-ca-b.key").read_text())

    def test_a_folder_with_one_root_works_on(self):
        self.headrace("ca", "init", "--dir", self.ca)
        for name in ("root-b.key", "root-b.crt"):
            (self.ca / name).unlink()
        self.bundle("--dir", self.ca)
        self.assertEqual([(row["complete"], len(row["signers"])) for row in self.shown()], [(True, 1)])

    def test_wrong_use_and_damage_are_told(self):
        ca = self.ca
        self.headrace("ca", "init", "--dir", ca)
        for words, says, code in (
                ((), "one of --dir, --sign and --show", 3), (("--show", self.file), "there is no bundle", 1),
                (("--dir", ca, "--ca", ca / "aggregator.crt"), "aggregator.crt", 1),
                (("--dir", ca, "--threshold", "3"), "a threshold above the number of signers", 1),
                (("--dir", ca, "--signer", ca / "root.crt", "--signer", ca / "root.crt"), "a signer that is there twice", 1),
                (("--dir", ca, "--name", "a b"), "an odd name", 1), (("--sign", self.file, "--key", ca / "root.key"), "there is no bundle", 1)):
            self.assertIn(says, self.bundle(*words, expect=code).stderr)
            self.assertFalse(self.file.exists())
        self.headrace("ca", "server", "--dir", ca, "--name", "aggregator")
        self.assertIn("no authority's certificate", self.bundle("--dir", ca, "--ca", ca / "aggregator.crt", expect=1).stderr)
        self.bundle("--dir", ca)
        good = self.file.read_bytes()
        for damaged in (good[:-1], good + b"x", good + good, b"PEM?" + good[4:]):
            self.file.write_bytes(damaged)
            self.assertRegex(self.bundle("--show", self.file, expect=1).stderr, r"what stands at byte \d+ is not trust bundle [12]")
        forged = bytearray(good)
        forged[-1] ^= 1
        self.file.write_bytes(forged)
        self.assertEqual(sum(signer["signed"] for signer in self.shown()[0]["signers"]), 1)


class RolloverTest(harness.SystemTest):
    """The aggregator's certificate moves from a chain under root A to one under root B while the fleet stays connected."""

    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.ca = self.site.ca
        self.bundles = self.ca / "trust.bundle"
        self.site.headrace("ca", "bundle", "--dir", self.ca)

    def start_aggregator(self, bundles):
        self.aggregator = self.own(harness.Aggregator(self.site, extra=f"trust_bundle: {bundles}\n"))
        self.aggregator.start()

    def collector(self, name, follows=True):
        """A collector that says something each second by itself."""
        device = self.site.enrol(name)
        self.assertIn("trust:", (device.folder / "collector.yaml").read_text())
        more = "stats_interval: 1s\nseal: {max_age: 200ms}\nshutdown_flush: 0s\n" + (
            f"trust: {device.folder / 'trust'}\n" if follows else "")
        tap = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {harness.free_port()}}}\n"
        made = self.own(pipeline.Collector(device, [self.aggregator.coaps if follows else self.aggregator.coaps_tcp], tap, more))
        harness.wait_for("the entry to be taken", lambda: self.aggregator.metric("headrace_devices") >= device.device_id)
        return made.start()

    def delivers(self, collector):
        before = (collector.status() or {"stats": {"uplink": {"accepted": 0}}})["stats"]["uplink"]["accepted"]
        collector.wait_status("what it says to be taken", lambda s: s["stats"]["uplink"]["accepted"] >= before + 2)

    def serve_under(self, issuer):
        """The server's certificate anew, and every session with it."""
        self.site.headrace("ca", "server", "--dir", self.ca, "--name", harness.SERVER_NAME, "--issuer", issuer, "--force",
                           "--san", "localhost", "--san", "127.0.0.1")
        self.aggregator.stop()
        self.aggregator.start()

    def refused(self, collector):
        """It asks again and again, and is told that nobody it knows signed that certificate."""
        n = sum(line.get("event") == "net_handshake_refused" for line in collector.process.events())
        opened = collector.status()["stats"]["uplink"]["sessions_opened"]
        collector.wait_status("its refusals", lambda s: s["stats"]["uplink"]["sessions_failed"] >= n + 2)
        self.assertEqual(collector.status()["stats"]["uplink"]["sessions_opened"], opened)

    def behind(self, version):
        """Who is not known to have that version."""
        rows = self.site.headrace("device", "list", "--bundle-below", str(version), "--json", "--config", self.aggregator.config)
        return [row["name"] for row in json.loads(rows.stdout)]

    def test_the_server_moves_to_another_root_while_the_fleet_stays_connected(self):
        self.start_aggregator(self.bundles)
        follower, other = self.collector("follower"), self.collector("other", follows=False)
        for collector in (follower, other):
            self.delivers(collector)
        self.site.headrace("ca", "issuer", "--dir", self.ca, "--name", "server-ca-b", "--root", "root-b")
        self.site.headrace("ca", "bundle", "--dir", self.ca, "--ca", self.ca / "server-ca.crt", "--ca", self.ca / "server-ca-b.crt")
        follower.process.wait_event("trust_adopted", version=2)
        self.delivers(follower)
        harness.wait_for("the registry to know", lambda: self.behind(2) == ["other"])
        # The overlap: B's chain is believed by who follows, and A's by both.
        self.serve_under("server-ca-b")
        self.delivers(follower)
        self.refused(other)
        self.serve_under("server-ca")
        for collector in (follower, other):
            self.delivers(collector)
        # Its end: whoever has A's key can't make a server any more that the fleet believes.
        self.site.headrace("ca", "bundle", "--dir", self.ca, "--ca", self.ca / "server-ca-b.crt")
        follower.process.wait_event("trust_adopted", version=3)
        self.refused(follower)
        self.serve_under("server-ca-b")
        self.delivers(follower)
        # It stands in both copies, and is what a restart begins with.
        follower.process.kill()
        follower.start()
        self.assertEqual(follower.process.wait_event("trust_opened")["version"], 3)
        self.delivers(follower)
        found = sorted(trust_bundle.taken_apart((follower.folder / "trust" / f"bundle.{i}").read_bytes())[0]["version"] for i in (0, 1))
        self.assertEqual(found, [2, 3])

    def test_bundles_of_somebody_else_are_refused_and_nothing_changes(self):
        """An aggregator that was taken over hands out bundles of its own making: the fleet does not follow."""
        other = self.folder / "other"
        self.site.headrace("ca", "init", "--dir", other)
        for _ in range(2):
            self.site.headrace("ca", "bundle", "--dir", other)
        self.start_aggregator(other / "trust.bundle")
        collector = self.collector("gateway")
        collector.process.wait_event("trust_refused", wanted_version=2, why="not_by_old_signers")
        collector.wait_status("the count of it", lambda s: s["stats"]["uplink"]["accepted"] >= 2)
        self.delivers(collector)
        self.assertEqual(list((collector.folder / "trust").glob("bundle.1")), [])

    def test_a_version_that_wants_signatures_is_not_handed_out(self):
        self.start_aggregator(self.bundles)
        collector = self.collector("gateway")
        self.delivers(collector)
        good = self.bundles.read_bytes()
        self.site.headrace("ca", "bundle", "--dir", self.ca, "--threshold", "2", "--key", self.ca / "root.key", expect=2)
        self.aggregator.process.wait_event("trust_bundle_refused", served_version=1)
        self.bundles.write_bytes(good[:100])
        self.aggregator.process.wait_event("trust_bundle_refused", why="what stands there is no trust bundle, or not the next version")
        self.bundles.write_bytes(good)
        self.site.headrace("ca", "bundle", "--dir", self.ca, "--threshold", "2")
        collector.process.wait_event("trust_adopted", version=2)
        self.delivers(collector)


if __name__ == "__main__":
    unittest.main(verbosity=2)
