#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An authority whose private keys are in PKCS#11 tokens (SoftHSM): every verb that signs does so with them, they don't come
out, and what is wrong with a token or its PIN is told with what to do."""
import os
import pty
import re
import resource
import signal
import subprocess
import unittest

import harness
import test_renewal
import wire
from harness import SERVER_NAME, program
from test_provision import Gateway
from tokens import MODULE, SPY, Tokens

ROOTS_PIN, ISSUERS_PIN = "73910264", "58206371"


class TokenTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.tokens = Tokens(self.folder)
        self.roots = self.tokens.add("roots", ROOTS_PIN)
        self.issuers = self.tokens.add("issuers", ISSUERS_PIN)
        for name, pin in (("roots", ROOTS_PIN), ("issuers", ISSUERS_PIN), ("wrong", "11111111")):
            (self.folder / f"{name}.pin").write_text(pin + "\n")
        self.ca = self.folder / "ca"

    def pins(self, roots="roots", issuers="issuers"):
        """The environment: each token's PIN from a file of its own."""
        clean = {k: v for k, v in os.environ.items() if "_PIN" not in k}
        return {**clean, **self.tokens.env, "HEADRACE_ROOTS_PIN_FILE": str(self.folder / f"{roots}.pin"),
                "HEADRACE_PKCS11_PIN_FILE": str(self.folder / f"{issuers}.pin")}

    def headrace(self, *words, expect=0, env=None, **kwargs):
        done = harness.run(program("headrace"), *words, expect=expect, env=env or self.pins(), start_new_session=True, **kwargs)
        for pin in (ROOTS_PIN, ISSUERS_PIN):
            self.assertNotIn(pin, done.stdout + done.stderr)
        return done

    def begin(self, *more):
        return self.headrace("ca", "init", "--dir", self.ca, "--pkcs11", MODULE, "--token", "issuers", "--root-token", "roots",
                             *more)

    def server(self, *more, expect=1, env=None, **kwargs):
        """What is said when a server's certificate is asked for."""
        done = self.headrace("ca", "server", "--dir", self.ca, "--name", "x", *more, expect=expect, env=env, **kwargs)
        self.assertEqual((self.ca / "x.key").exists(), expect == 0)
        return done.stderr

    def forget(self):
        for name in ("x.key", "x.crt"):
            (self.ca / name).unlink()

    def verify(self, *argv):
        harness.run("openssl", "verify", "-x509_strict", *argv)

    def test_every_verb_that_signs_does_so_with_keys_in_tokens(self):
        self.begin()
        for name, token in (("root", "roots"), ("root-b", "roots"), ("device-ca", "issuers"), ("server-ca", "issuers"),
                            ("operator-ca", "issuers")):
            text = (self.ca / f"{name}.key").read_text()
            self.assertRegex(text, rf"^pkcs11:token={token};id=[%0-9A-F]{{48}};object=\S+;type=private\?module-path=\S+\n$")
        self.headrace("ca", "server", "--dir", self.ca, "--name", SERVER_NAME)
        self.headrace("ca", "operator", "--dir", self.ca, "--name", "maria", "--role", "admin")
        self.headrace("ca", "issuer", "--dir", self.ca, "--name", "server-ca-2027", "--root", "root-b", "--pkcs11", MODULE,
                      "--token", "issuers")
        self.headrace("ca", "issuer", "--dir", self.ca, "--name", "server-ca-2028")
        self.assertIn("token=issuers;", (self.ca / "server-ca-2027.key").read_text())
        self.assertIn("token=roots;", (self.ca / "server-ca-2028.key").read_text())
        self.headrace("ca", "server", "--dir", self.ca, "--name", "other", "--issuer", "server-ca-2027")
        self.headrace("device", "enrol", "--ca", self.ca, "--registry", self.folder / "registry", "--out", self.folder / "gw",
                      "--name", "gw", "--server-name", SERVER_NAME)
        self.headrace("ca", "revoke", "--dir", self.ca, "--name", "maria", env=dict(os.environ))  # signs nothing
        ca, root = self.ca, ("-CAfile", self.ca / "root.crt", "-untrusted")
        self.verify("-purpose", "sslserver", *root, ca / "server-ca.crt", ca / f"{SERVER_NAME}.crt")
        self.verify("-purpose", "sslclient", *root, ca / "operator-ca.crt", ca / "operator-maria.crt")
        self.verify("-purpose", "sslclient", *root, ca / "device-ca.crt", self.folder / "gw" / "device.crt")
        self.verify("-purpose", "sslserver", "-CAfile", ca / "root-b.crt", "-untrusted", ca / "server-ca-2027.crt", ca / "other.crt")
        self.verify("-CAfile", ca / "root.crt", ca / "server-ca-2028.crt")
        for key in (ca / f"{SERVER_NAME}.key", ca / "operator-maria.key", ca / "other.key"):  # services start by themselves
            self.assertTrue(key.read_text().startswith("-----BEGIN PRIVATE KEY-----"))

        # The roots' token in a drawer: what issuers sign goes on, what roots sign waits for it.
        self.tokens.unplug(self.roots)
        self.headrace("ca", "server", "--dir", self.ca, "--name", SERVER_NAME, "--force")
        told = self.headrace("ca", "issuer", "--dir", self.ca, "--name", "late", expect=1).stderr
        self.assertIn("token 'roots' is not there: is it plugged in?", told)
        self.assertFalse((self.ca / "late.key").exists())
        self.assertIn("no key signs", self.headrace("ca", "bundle", "--dir", self.ca, expect=1).stderr)
        self.tokens.plug_in(self.roots)
        self.headrace("ca", "issuer", "--dir", self.ca, "--name", "late")

    def test_a_bundle_is_signed_by_two_roots_that_are_not_in_one_place(self):
        drawer = self.tokens.add("drawer", ROOTS_PIN)
        env = {**self.pins(), "HEADRACE_DRAWER_PIN_FILE": str(self.folder / "roots.pin")}
        self.headrace("ca", "init", "--dir", self.ca, "--pkcs11", MODULE, "--token", "issuers", "--root-token", "roots",
                      "--root-b-token", "drawer", env=env)
        self.tokens.unplug(drawer)
        bundle = self.ca / "trust.bundle"
        told = self.headrace("ca", "bundle", "--dir", self.ca, "--threshold", "2", expect=2, env=env)
        self.assertIn("1 signature added, 1 in all, not complete", told.stdout)
        self.tokens.plug_in(drawer)
        self.tokens.unplug(self.roots)
        told = self.headrace("ca", "bundle", "--sign", bundle, "--key", self.ca / "root-b.key", env=env).stdout
        self.assertIn("1 signature added, 2 in all, complete", told)
        self.assertEqual(self.headrace("ca", "bundle", "--show", bundle).stdout.count(", signed"), 2)

    def test_keys_don_t_come_out(self):
        self.begin()
        keys = self.tokens.private_keys("roots", ROOTS_PIN) + self.tokens.private_keys("issuers", ISSUERS_PIN)
        self.assertEqual(len(keys), 5)
        for key in keys:
            self.assertIn("sensitive, always sensitive, never extractable, local", key)
            which = re.search(r"ID: +(\w+)", key)[1]
            token, pin = ("roots", ROOTS_PIN) if "root" in key else ("issuers", ISSUERS_PIN)
            taken = self.folder / "taken"
            self.tokens.tool(token, pin, "--read-object", "--type", "privkey", "--id", which, "--output-file", taken, expect=None)
            self.assertFalse(taken.exists() and taken.stat().st_size, key)
        for path in self.ca.iterdir():
            self.assertNotIn("PRIVATE", path.read_text())

    def test_a_wrong_pin_is_tried_once_and_told(self):
        self.begin()
        wrong = self.pins(roots="wrong", issuers="wrong")
        cases = (("server", "--name", "x"), ("operator", "--name", "x", "--role", "viewer"), ("bundle",), ("issuer", "--name", "y"))
        for words in cases:
            before = self.tokens.logins() if self.tokens.log.exists() else 0
            files = set(self.ca.iterdir())
            told = self.headrace("ca", *words, "--dir", self.ca, "--pkcs11", SPY, env=wrong, expect=1).stderr \
                if words[0] != "issuer" else self.headrace("ca", *words, "--dir", self.ca, env=wrong, expect=1).stderr
            self.assertIn("the PIN is wrong; it was tried once", told)
            self.assertIn("tokens lock", told)
            self.assertEqual(set(self.ca.iterdir()), files)
            if words[0] != "issuer":
                self.assertEqual(self.tokens.logins() - before, 1, words)
        # Of two keys in one token, one PIN and one login.
        before = self.tokens.logins()
        self.headrace("ca", "bundle", "--dir", self.ca, "--pkcs11", SPY)
        self.assertEqual(self.tokens.logins() - before, 1)
        # An authority is begun with the right PINs or not at all.
        told = self.headrace("ca", "init", "--dir", self.folder / "other", "--name", "other", "--pkcs11", MODULE, "--token",
                             "issuers", "--root-token", "roots", env=self.pins(issuers="wrong"), expect=1).stderr
        self.assertIn("token 'issuers': the PIN is wrong", told)
        self.assertFalse((self.folder / "other").exists())
        self.assertEqual(len(self.tokens.private_keys("roots", ROOTS_PIN)), 2)

    def test_a_pin_comes_from_a_prompt_a_file_or_the_environment(self):
        self.begin()
        none = {k: v for k, v in self.pins().items() if "_PIN" not in k}
        self.assertIn("set $HEADRACE_PKCS11_PIN_FILE or $HEADRACE_PKCS11_PIN", self.server(env=none))
        self.assertIn("1 to 255 characters", self.server(env={**none, "HEADRACE_PKCS11_PIN": ""}))
        self.assertIn("No such file", self.server(env={**none, "HEADRACE_ISSUERS_PIN_FILE": "/none"}))
        self.headrace("ca", "server", "--dir", self.ca, "--name", "y", env={**none, "HEADRACE_PKCS11_PIN": ISSUERS_PIN})
        child, terminal = pty.fork()
        if child == 0:
            os.execve(program("headrace"), ["headrace", "ca", "server", "--dir", str(self.ca), "--name", "x"], none)
        shown = b""
        while b"PIN of token issuers:" not in shown:
            shown += os.read(terminal, 4096)
        os.write(terminal, ISSUERS_PIN.encode() + b"\n")
        try:
            while more := os.read(terminal, 4096):
                shown += more
        except OSError:  # the other end is closed
            pass
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, shown)
        self.assertNotIn(ISSUERS_PIN.encode(), shown)
        self.assertIn(b"wrote", shown)

    def test_what_is_missing_is_told(self):
        self.begin()
        self.assertIn("there is no such PKCS#11 module: install", self.server("--pkcs11", "/usr/lib/none.so"))
        self.assertIn("can't be used as a PKCS#11 module", self.server("--pkcs11", str(self.folder / "roots.pin")))
        self.assertIn("a file with its whole path", self.server("--pkcs11", "libsofthsm2.so"))
        told = self.server("--token", "nowhere")
        self.assertIn("token 'nowhere' is not there: is it plugged in?", told)
        self.assertIn("'issuers' (serial number ", told)
        self.assertIn("token 'roots' has no private key 'headrace servers' of the id that is looked for",
                      self.server("--token", "roots"))
        key = self.ca / "server-ca.key"
        right = key.read_text()
        for wrong in ("pkcs11:", "pkcs11:token=issuers\n", right.split("?")[0] + "\n", "pkcs11:" + 2000 * "x"):
            key.write_text(wrong)
            self.assertIn("not a PKCS#11 URI of a key", self.server())
        key.write_text((self.ca / "device-ca.key").read_text())
        self.assertIn("server-ca: its .key is not that of its .crt", self.server())
        key.write_text(re.sub("id=[^;]*;", "", right))  # by its label alone
        self.server(expect=0)
        self.forget()
        # Another authority in the same token, by force, has keys of the same labels.
        self.assertIn("has a key 'headrace root' already", self.headrace(
            "ca", "init", "--dir", self.folder / "other", "--pkcs11", MODULE, "--token", "issuers", "--root-token", "roots",
            expect=1).stderr)
        self.headrace("ca", "init", "--dir", self.folder / "other", "--pkcs11", MODULE, "--token", "issuers", "--root-token",
                      "roots", "--force")
        self.assertIn("has several private keys 'headrace servers'", self.server())
        key.write_text(right)
        self.server(expect=0)
        self.forget()
        # Two tokens of one label, told apart by their serial numbers.
        self.tokens.add("issuers", ISSUERS_PIN)
        told = self.server()
        self.assertIn("2 tokens are called 'issuers'; say --token with the serial number", told)
        ends = [self.headrace("ca", "server", "--dir", self.ca, "--name", "x", "--force", "--token", serial, expect=None).returncode
                for serial in re.findall(r"\(serial number (\w+)\)", told)]
        self.assertEqual(sorted(ends), [0, 1])
        for words in (("--pkcs11", MODULE), ("--token", "x"), ("--root-token", "x"), ("--pkcs11", MODULE, "--token", "x", "--encrypt")):
            self.headrace("ca", "init", "--dir", self.folder / "third", *words, expect=3)

    def test_a_token_that_is_full_takes_no_half_of_an_issuer(self):
        self.begin()
        before = {path: path.read_bytes() for path in self.ca.iterdir()}

        def no_room():  # for a file of more, as SoftHSM's private keys are; it finds that out too late
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (750, 750))
        told = self.headrace("ca", "issuer", "--dir", self.ca, "--name", "more", expect=1, preexec_fn=no_room).stderr
        self.assertIn("has not kept it: is it full", told)
        self.assertEqual({path: path.read_bytes() for path in self.ca.iterdir()}, before)
        self.headrace("ca", "issuer", "--dir", self.ca, "--name", "more")
        # A certificate that can't be written leaves no key behind.
        (self.ca / "last.key").mkdir()
        self.headrace("ca", "issuer", "--dir", self.ca, "--name", "last", "--force", expect=1)
        self.assertNotIn("last", " ".join(self.tokens.private_keys("roots", ROOTS_PIN)))

    def test_a_gateway_is_provisioned_and_replaced(self):
        kept = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(kept)))
        os.environ.update(self.pins())
        site = harness.Site(self.folder, ("--pkcs11", MODULE, "--token", "issuers", "--root-token", "roots"))
        self.tokens.unplug(self.roots)
        aggregator = self.own(harness.Aggregator(site))
        aggregator.start()

        def provision(verb, serial, expect=0, **kwargs):
            gateway = self.own(Gateway(self.folder, serial)).start()
            words = ("device", *verb, "--socket", gateway.socket, "--dir", site.ca, "--aggregator", aggregator.coaps_tcp,
                     "--server-name", SERVER_NAME, "--wait", "120", "--config", aggregator.config)
            wrong = self.headrace(*words, env=self.pins(issuers="wrong"), expect=1).stderr
            self.assertIn("the PIN is wrong", wrong)
            self.assertEqual(gateway.fields()["state"], "factory")
            self.headrace(*words)
            self.assertEqual((gateway.fields()["state"], gateway.fields()["device"]), ("enrolled", "1"))

        self.headrace("device", "claim", "--serial", "GW-1", "--name", "gw", "--site", "here", "--config", aggregator.config)
        provision(["provision"], "GW-1")
        provision(["replace", "1", "--yes"], "GW-2")


class RenewalTest(test_renewal.Renewals):
    """The issuer of renewed certificates is one of an authority in a token."""

    def setUp(self):
        harness.SystemTest.setUp(self)
        tokens = Tokens(self.folder)
        tokens.add("all", ISSUERS_PIN)
        kept = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(kept)))
        os.environ.update({**tokens.env, "HEADRACE_PKCS11_PIN": ISSUERS_PIN})
        self.site = harness.Site(self.folder, ("--pkcs11", MODULE, "--token", "all"))
        self.device = self.site.enrol("gw1")
        self.site.headrace("ca", "bundle", "--dir", self.site.ca)
        del os.environ["HEADRACE_PKCS11_PIN"]
        self.issued, self.pin, self.key_file = self.folder / "issued", self.folder / "pin", self.folder / "issuer.key"
        self.issued.mkdir()
        self.pin.write_text(ISSUERS_PIN + "\n")
        self.pin.chmod(0o600)
        self.renewal = (f"renewal: {{issuer_certificate: {self.site.ca / 'device-ca.crt'}, issuer_key: {self.key_file}, "
                        f"folder: {self.issued}}}\n")

    def write_key(self, more):
        self.key_file.write_text((self.site.ca / "device-ca.key").read_text().strip() + more + "\n")
        self.key_file.chmod(0o600)

    def test_a_certificate_is_renewed_by_a_key_in_a_token(self):
        for more, why in (("", "&pin-source=file:/FILE"), ("&pin-source=/none", "the PIN's file /none"),
                          (f"&pin-source=file:{self.folder}/wrong", "the PIN is wrong; it was tried once")):
            (self.folder / "wrong").write_text("11111111\n")
            (self.folder / "wrong").chmod(0o600)
            self.write_key(more)
            with self.assertRaisesRegex(AssertionError, re.escape(why)):
                self.start()
        self.write_key(f"&pin-source=file:{self.pin}")
        self.start()
        key = self.key("new")
        certificate = self.as_pem(self.renewed(self.connect(), self.request(key)), "new")
        harness.run("openssl", "verify", "-purpose", "sslclient", "-CAfile", self.site.ca / "root.crt", "-untrusted",
                    self.site.ca / "device-ca.crt", certificate)
        self.commit(self.connect(certificate=certificate, key=key), wire.Stream(self.device.device_id), wire.Key(self.device.record_key))


if __name__ == "__main__":
    unittest.main(verbosity=2)
