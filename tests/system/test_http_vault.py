#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keys that come from Vault's HTTP API, by each of the three logins. The server is a stand-in (vault_stand_in.py), not Vault."""
import pathlib
import unittest

import iso_sim
from harness import wait_for
from http_site import PJM, HttpSite
from vault_stand_in import VaultStandIn

VAULT = "vault.test"
READ = "/v1/secret/data/headrace/iso"
RENEW = "/v1/auth/token/renew-self"


class HttpVault(HttpSite):
    def setUp(self):
        super().setUp()
        self.site.headrace("ca", "server", "--dir", self.site.ca, "--name", "vault", "--san", VAULT)
        self.vault = self.own(VaultStandIn(self.site.ca / "vault.crt", self.site.ca / "vault.key", "headrace/iso", token_s=6))
        self.hosts_more = [f"{VAULT}:8200:127.0.0.1:{self.vault.port}"]
        self.key = "pjm-key-one-41d0"
        self.secrets_told = {self.key, self.vault.role_id, self.vault.secret_id, self.vault.jwt}
        self.vault.put(pjm_key=self.key)
        n = iter(range(10 ** 6))
        fresh = lambda handler: iso_sim.body(b'{"n":%d}' % next(n), "application/json")(handler)
        self.sim.route(PJM, "/", iso_sim.keyed("Ocp-Apim-Subscription-Key", lambda: self.key, fresh))
        self.write_feed("pjm_rt_lmp", f"{PJM}/api/v1/rt", "auth:\n  - {header: Ocp-Apim-Subscription-Key, credential: pjm_key}\n",
                        expect="json")

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        self.secrets_told.add(text)
        return path

    def use(self, auth, refresh="1h"):
        self.tap_more = f", vault: {{address: 'https://{VAULT}:8200', path: headrace/iso, refresh: {refresh}, {auth}}}"

    def n_good(self):
        """Requests that the operator took the key of."""
        return len([r for r in self.sim.seen(PJM) if r.headers.get("Ocp-Apim-Subscription-Key") == self.key and r.answer == "200"])

    def wait_more_good(self, what):
        before = self.n_good()
        wait_for(what, lambda: self.n_good() >= before + 2, seen=lambda: (dict(self.vault.counts), self.collector.process.lines[-8:]))

    def test_an_approle_reads_renews_and_rotates_without_a_restart_and_tells_nobody(self):
        secret_id = self.file("secret_id", self.vault.secret_id)
        self.use(f"auth: approle, role_id_file: {self.file('role_id', self.vault.role_id)}, secret_id_file: {secret_id}")
        process = self.start().process
        wait_for("the key of Vault to be used", lambda: self.n_good() >= 4, seen=lambda: dict(self.vault.counts))
        keys = {request.headers.get("Ocp-Apim-Subscription-Key") for request in self.sim.seen(PJM)}
        self.assertEqual(keys, {self.key}, "nothing was asked before the key was there")
        self.assertLess(self.vault.counts[READ], 4, "the value is kept")
        wait_for("two renewals", lambda: self.vault.counts[RENEW] >= 2)

        # The operator's key is replaced; Vault has the new one. It would be read again in an hour.
        self.key = "pjm-key-two-b0c9"
        self.secrets_told.add(self.key)
        self.vault.put(pjm_key=self.key)
        self.wait_more_good("the key that was rotated")

        # Vault forgets its tokens, and the secret id is another one.
        self.vault.secret_id = "secret-id-two-77f1"
        self.file("secret_id", self.vault.secret_id)
        told = set(self.vault.told)
        self.vault.revoke_all()
        wait_for("a login with the new secret id", lambda: self.vault.told > told)
        # Away altogether: the key that is there goes on working.
        self.vault.broken = True
        status = self.collector.wait_status("failures to be counted", lambda s: s["stats"]["http"]["secrets_failed"] > 0)
        self.assertGreaterEqual(status["stats"]["http"]["secrets_read"], 2)
        self.wait_more_good("requests while Vault is sealed")
        self.check_nobody_was_told(process)
        self.assertEqual(process.stop(), 0)

    def test_a_kubernetes_account_and_a_token_of_a_file_read_too(self):
        auths = {"kubernetes": f"auth: kubernetes, role: {self.vault.role}, jwt_file: {self.file('jwt', self.vault.jwt)}",
                 "token": f"auth: token, token_file: {self.file('token', self.vault.give_token())}"}
        (self.folder / "jwt").chmod(0o644)  # as Kubernetes mounts it
        for name, auth in auths.items():
            with self.subTest(name):
                if name == "token":
                    (self.folder / "token").write_text(self.vault.give_token() + "\n")
                self.use(auth)
                process = self.start().process
                self.wait_more_good(f"the key of Vault to be used, by {name}")
                self.check_nobody_was_told(process)
                self.assertEqual(process.stop(), 0)
        self.assertEqual(self.vault.counts["/v1/auth/kubernetes/login"], 1)
        self.assertGreaterEqual(self.vault.counts["/v1/auth/token/lookup-self"], 1)

    def check_nobody_was_told(self, process):
        """Neither log, nor command line, nor status, nor spool, nor ledger holds a key, a token, or what a login takes."""
        envelopes = b"".join(envelope for (envelope,) in self.aggregator.query("SELECT envelope FROM batch"))
        places = {"log": "\n".join(process.lines).encode(), "ledger": envelopes, "spool": self.collector.spool.read_bytes(),
                  "status": self.collector.status_path.read_bytes(),
                  "command": pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes(),
                  "environment": pathlib.Path(f"/proc/{process.pid}/environ").read_bytes()}
        for place, data in places.items():
            for secret in self.secrets_told | self.vault.told:
                self.assertNotIn(secret.encode(), data, place)


if __name__ == "__main__":
    unittest.main()
