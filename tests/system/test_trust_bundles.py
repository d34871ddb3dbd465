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


if __name__ == "__main__":
    unittest.main(verbosity=2)
