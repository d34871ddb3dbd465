#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bearer token for a user's name and password, as ERCOT's API wants it: a stand-in gives tokens, and an operator that takes
only the newest of them. Name and password are files; neither they nor a token are told anywhere."""
import secrets
import unittest

import iso_sim
from harness import wait_for
from http_site import SILENT, HttpSite
from vault_stand_in import VaultStandIn

LOGIN = "login.test"


class TokenStandIn(VaultStandIn):
    """The endpoint of a token: a POST of a form, as RFC 6749, section 4.3, has it. Other than there, answers are for one user."""

    def __init__(self, certificate, key, user):
        self.user, self.n_asked, self.tokens, self.last_form = user, 0, [], {}
        super().__init__(certificate, key, "", 0)

    def form(self, path, form):
        with self._lock:
            self.n_asked += 1
            self.last_form = form
            if (form.get("username"), form.get("password")) != self.user or form.get("grant_type") != "password":
                return 400, {"error": "access_denied"}
            self.tokens.append("ey" + secrets.token_hex(600))
            return 200, {"access_token": "not-this-one", "id_token": self.tokens[-1], "token_type": "Bearer", "expires_in": "3600"}


class HttpToken(HttpSite):
    def test_a_token_is_shared_by_feeds_and_replaced_when_it_is_refused(self):
        user = ("me@example.org", "p&ss=word %7")
        self.site.headrace("ca", "server", "--dir", self.site.ca, "--name", "login", "--san", LOGIN)
        login = self.own(TokenStandIn(self.site.ca / "login.crt", self.site.ca / "login.key", user))
        self.hosts_more = [f"{LOGIN}:443:127.0.0.1:{login.port}"]
        wanted = lambda: "Bearer " + (login.tokens[-1] if login.tokens else "none")
        self.sim.route(SILENT, "/", iso_sim.keyed("Authorization", wanted, lambda handler: iso_sim.body(
            b'{"asked":"' + handler.path.encode() + b'"}', "application/json")(handler)))
        more = ("auth:\n  - {header: Authorization, prefix: \"Bearer \", credential: ercot_token}\n"
                f"token: {{credential: ercot_token, url: 'https://{LOGIN}/oauth2/v2.0/token', username: ercot_user, "
                "password: ercot_password, client_id: c-1, scope: openid c-1 offline_access, answer: id_token}\n")
        for name in ("ercot_one", "ercot_two"):
            self.write_feed(name, f"{SILENT}/{name}?at={{now:epoch}}", more, expect="json")
        for name, value in zip(("ercot_user", "ercot_password"), user):
            (self.secrets / name).write_text(value + "\n")
            (self.secrets / name).chmod(0o600)
        process = self.start().process
        good = lambda token, path: [r for r in self.sim.seen(SILENT) if r.answer == "200" and r.path.startswith(path)
                                    and r.headers.get("Authorization") == "Bearer " + token]
        wait_for("both feeds to be answered", lambda: login.tokens and all(good(login.tokens[0], "/" + name)
                                                                           for name in ("ercot_one", "ercot_two")),
                 seen=lambda: process.lines[-8:])
        self.assertEqual(login.n_asked, 1, "feeds share a token, and keep it")
        self.assertEqual((login.last_form["response_type"], login.last_form["scope"]), ("id_token", "openid c-1 offline_access"))
        keys = {request.headers.get("Authorization") for request in self.sim.seen(SILENT)}
        self.assertEqual(keys, {"Bearer " + login.tokens[0]}, "nothing was asked without a token")

        login.tokens.append("revoked-the-first")
        wait_for("another token to be taken", lambda: len(login.tokens) >= 3 and good(login.tokens[-1], "/ercot_one"),
                 seen=lambda: process.lines[-8:])
        status = self.collector.wait_status("counters", lambda s: s["stats"]["http"]["secrets_read"] >= 2)
        self.assertGreater(status["stats"][SILENT]["denied"], 0)
        told = "\n".join(process.lines).encode() + self.collector.spool.read_bytes() + b"".join(
            envelope for (envelope,) in self.aggregator.query("SELECT envelope FROM batch"))
        for secret in (*login.tokens, *user, "p%26ss"):
            self.assertNotIn(secret.encode(), told)
        self.assertEqual(process.stop(), 0)


if __name__ == "__main__":
    unittest.main()
