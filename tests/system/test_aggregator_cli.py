# SPDX-License-Identifier: Apache-2.0
"""`headrace ca` and `headrace device`, checked with the openssl program, and `headrace-aggregator --check`."""
import base64
import json
import os
import stat
import subprocess
import unittest

import harness
import wire


class AuthorityTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)

    def openssl_verify(self, *argv, expect=0):
        return harness.run("openssl", "verify", "-x509_strict", *argv, expect=expect)

    def test_certificates_verify_with_openssl_and_only_for_their_purpose(self):
        device = self.site.enrol("gw1")
        ca = self.site.ca
        chain = ["-CAfile", ca / "root.crt", "-untrusted"]
        self.openssl_verify("-purpose", "sslclient", *chain, ca / "device-ca.crt", device.certificate)
        self.openssl_verify("-purpose", "sslserver", "-verify_hostname", harness.SERVER_NAME, *chain,
                            ca / "server-ca.crt", ca / "aggregator.crt")
        self.openssl_verify("-purpose", "sslserver", "-verify_ip", "127.0.0.1", *chain, ca / "server-ca.crt",
                            ca / "aggregator.crt")
        self.openssl_verify("-purpose", "sslserver", *chain, ca / "device-ca.crt", device.certificate, expect=2)
        self.openssl_verify("-partial_chain", "-CAfile", ca / "server-ca.crt", device.certificate, expect=2)
        subject = harness.run("openssl", "x509", "-in", device.certificate, "-noout", "-subject", "-nameopt", "multiline")
        self.assertIn(f"headrace-device-{device.device_id:016x}", subject.stdout)

    def test_an_encrypted_authority_works_with_its_passphrase_and_no_other(self):
        ca, file = self.folder / "locked", self.folder / "passphrase"
        file.write_text("correct horse battery\nanother line\n")

        def headrace(*argv, expect=0, **variables):
            clean = {k: v for k, v in os.environ.items() if not k.startswith("HEADRACE_CA_")}
            return harness.run(harness.program("headrace"), *argv, expect=expect, env={**clean, **variables},
                               start_new_session=True)  # no terminal to ask at

        headrace("ca", "init", "--dir", ca, "--encrypt", HEADRACE_CA_PASSPHRASE="short", expect=1)
        self.assertEqual(list(ca.glob("*")), [])
        headrace("ca", "init", "--dir", ca, "--encrypt", HEADRACE_CA_PASSPHRASE_FILE=str(file))
        keys = sorted(ca.glob("*.key"))
        self.assertEqual(len(keys), 5)
        for key in keys:
            self.assertTrue(key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----"), key)
            harness.run("openssl", "pkey", "-in", key, "-passin", f"file:{file}", "-noout")
        told = harness.run("openssl", "asn1parse", "-in", keys[0]).stdout
        for part in ("PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0"):  # 600,000 rounds
            self.assertIn(part, told)
        server = ("ca", "server", "--dir", ca, "--name", "x")
        self.assertIn("no terminal to ask at", headrace(*server, expect=1).stderr)
        self.assertIn("not with this passphrase", headrace(*server, expect=1, HEADRACE_CA_PASSPHRASE="wrong horse").stderr)
        self.assertFalse((ca / "x.key").exists())
        headrace(*server, HEADRACE_CA_PASSPHRASE="correct horse battery")
        self.assertTrue((ca / "x.key").read_text().startswith("-----BEGIN PRIVATE KEY-----"))  # a service starts by itself
        headrace("ca", "operator", "--dir", ca, "--name", "maria", "--role", "admin", HEADRACE_CA_PASSPHRASE_FILE=str(file))
        headrace("device", "enrol", "--ca", ca, "--registry", self.site.registry, "--out", self.folder / "dev", "--name", "gw",
                 "--server-name", "x", HEADRACE_CA_PASSPHRASE_FILE=str(file))

    def test_private_keys_are_for_their_owner_alone(self):
        device = self.site.enrol("gw1")
        keys = [*self.site.ca.glob("*.key"), device.key, device.record_key]
        self.assertEqual(len(keys), 8)
        for key in keys:
            self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600, key)

    def test_nothing_is_overwritten_without_force(self):
        device = self.site.enrol("gw1")
        before = {path: path.read_bytes() for path in self.site.folder.rglob("*") if path.is_file()}
        for argv in (("ca", "init", "--dir", self.site.ca), ("ca", "server", "--dir", self.site.ca, "--name", "aggregator"),
                     ("device", "enrol", "--ca", self.site.ca, "--registry", self.site.registry, "--out", device.folder,
                      "--name", "gw1", "--device-id", device.device_id)):
            done = self.site.headrace(*argv, expect=1)
            self.assertIn("exists; --force replaces it", done.stderr)
        self.assertEqual(before, {path: path.read_bytes() for path in self.site.folder.rglob("*") if path.is_file()})

    def test_enrolling_again_adds_a_key_epoch_and_keeps_the_old_key(self):
        device = self.site.enrol("gw1")
        first = wire.Key(device.record_key).spki
        self.site.headrace("device", "enrol", "--ca", self.site.ca, "--registry", self.site.registry, "--out",
                           device.folder, "--name", "gw1", "--device-id", device.device_id, "--force")
        entry = (self.site.registry / f"{device.device_id}.yaml").read_text()
        self.assertIn("revision: 2", entry)
        self.assertIn("epoch: 1", entry)
        self.assertIn("epoch: 2", entry)
        self.assertIn(base64.b64encode(first).decode(), entry)
        self.assertIn(base64.b64encode(wire.Key(device.record_key).spki).decode(), entry)
        self.assertIn("key_epoch: 2", (device.folder / "collector.yaml").read_text())

    def test_device_ids_are_not_given_twice(self):
        ids = [self.site.enrol(f"gw{i}").device_id for i in range(3)]
        self.assertEqual(ids, [1, 2, 3])
        self.site.decide("retire", 2)
        self.assertEqual(self.site.enrol("gw9", device_id=40).device_id, 40)
        self.assertEqual(self.site.enrol("gw10").device_id, 41)

    def test_decisions_rewrite_the_entry_with_the_next_revision(self):
        device = self.site.enrol("gw1")
        entry = self.site.registry / f"{device.device_id}.yaml"
        for revision, (verb, state) in enumerate((("quarantine", "quarantined"), ("activate", "active"),
                                                  ("revoke", "revoked"), ("retire", "retired")), start=2):
            self.site.decide(verb, device.device_id, f'why "{verb}" \\ now')
            text = entry.read_text()
            self.assertIn(f"state: {state}", text)
            self.assertIn(f"revision: {revision}", text)
        self.site.headrace("device", "revoke", "99", "--registry", self.site.registry, "--reason", "x", expect=1)

    def test_the_public_key_file_is_that_of_the_record_key(self):
        device = self.site.enrol("gw1")
        der = subprocess.run(["openssl", "pkey", "-pubin", "-in", device.public_key, "-outform", "DER"],
                             capture_output=True, check=True).stdout
        self.assertEqual(der, wire.Key(device.record_key).spki)

    def test_wrong_usage_says_every_mistake(self):
        done = self.site.headrace("device", "enrol", "--nonsense", "word", expect=3)
        for part in ("--nonsense", "'word'", "--ca DIR is missing", "--registry DIR is missing", "--name NAME is missing"):
            self.assertIn(part, done.stderr)
        self.assertIn("did you mean 'device'", self.site.headrace("devise", expect=3).stderr)
        self.site.headrace(expect=3)
        self.assertIn("usage: headrace", self.site.headrace("--help").stdout)
        self.assertRegex(self.site.headrace("--version").stdout, r"^headrace \d+\.\d+\.\d+$")


class CheckTest(harness.SystemTest):
    def check(self, text, expect):
        path = self.folder / "a.yaml"
        path.write_text(text)
        return harness.run(harness.program("headrace-aggregator"), "--config", path, "--check", expect=expect)

    def test_a_good_configuration_is_good(self):
        site = harness.Site(self.folder)
        aggregator = self.own(harness.Aggregator(site))
        aggregator.write_config()
        harness.run(harness.program("headrace-aggregator"), "--config", aggregator.config, "--check")

    def test_every_mistake_is_told_at_once_with_line_and_key(self):
        done = self.check("listen: [\"coap://0.0.0.0\", \"coaps://host.example\"]\n"
                          "identity:\n  certificate: /nowhere.crt\n  key: /nowhere.key\n  client_ca: /nowhere.ca\n"
                          "registry: /nowhere\n"
                          "ledger: {}\n"
                          "sinks: {}\n"
                          "limit: {}\n"
                          "verify_threads: many\n", expect=2)
        for part in ("a.yaml:1:listen[0]", "a.yaml:1:listen[1]", "a.yaml:3:identity.certificate", "a.yaml:4:identity.key",
                     "a.yaml:5:identity.client_ca", "a.yaml:7:ledger: no ledger", "a.yaml:8:sinks", "a.yaml:9:limit",
                     "a.yaml:10:verify_threads"):
            self.assertIn(part, done.stderr)

    def test_a_key_that_others_may_read_is_refused(self):
        site = harness.Site(self.folder)
        aggregator = self.own(harness.Aggregator(site))
        aggregator.write_config()
        os.chmod(site.ca / "aggregator.key", 0o644)
        done = harness.run(harness.program("headrace-aggregator"), "--config", aggregator.config, "--check", expect=2)
        self.assertIn("may be read by others", done.stderr)

    def test_a_ledger_has_one_place_and_its_password_is_a_secret(self):
        site = harness.Site(self.folder)
        password = self.folder / "password"
        password.write_text("secret\n")
        password.chmod(0o640)
        aggregator = self.own(harness.Aggregator(site))

        def mistakes(section):
            aggregator.ledger_section = section
            aggregator.write_config()
            return harness.run(harness.program("headrace-aggregator"), "--config", aggregator.config, "--check",
                               expect=2 if section else 0).stderr

        self.assertIn("ledger: sqlite and postgres: a log has one place",
                      mistakes("ledger:\n  sqlite: /x\n  postgres:\n    host: /tmp\n"))
        told = mistakes(f"ledger:\n  max_bytes: 1MiB\n  postgres:\n    host: db\n    password_file: {password}\n"
                        "    schema: Head\n    tls: maybe\n")
        for part in ("postgres.schema: \"Head\": may hold", "postgres.tls: \"maybe\": is none of"):
            self.assertIn(part, told)
        told = mistakes(f"ledger:\n  max_bytes: 1MiB\n  postgres:\n    host: db\n    password_file: {password}\n")
        for part in ("password_file: " + str(password) + " may be read by others", "tls: verify-full needs ca_file"):
            self.assertIn(part, told)
        password.chmod(0o600)
        self.assertIn("ledger.max_bytes: is for sqlite",
                      mistakes("ledger:\n  max_bytes: 1MiB\n  postgres:\n    host: db\n    tls: require\n"))
        mistakes(None)

    def test_unreadable_configurations_are_told(self):
        self.assertIn("a.yaml", self.check("listen: [\n", expect=2).stderr)
        harness.run(harness.program("headrace-aggregator"), "--config", self.folder / "absent.yaml", expect=2)
        harness.run(harness.program("headrace-aggregator"), expect=3)

    def test_the_example_names_only_keys_that_exist(self):
        example = (harness.ROOT / "aggregator/app/aggregator.example.yaml").read_text()
        done = self.check(example, expect=2)
        for line in done.stderr.splitlines():
            self.assertRegex(line, "can't be read|is no directory", "only the paths are missing here")

    def test_the_published_schemas_are_those_of_the_program(self):
        for flag, name in (("--print-schema", "aggregator"), ("--print-registry-schema", "registry")):
            printed = json.loads(harness.run(harness.program("headrace-aggregator"), flag).stdout)
            published = json.loads((harness.ROOT / f"schemas/config/{name}.schema.json").read_text())
            self.assertEqual(printed, published, f"headrace-aggregator {flag} | python3 -m json.tool --indent 2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
