# SPDX-License-Identifier: Apache-2.0
"""NOT Vault: a stand-in for the part of its HTTP API that the collector uses (KV version 2; token, AppRole, Kubernetes;
lookup-self and renew-self), written from its documentation, because no registry that tests may use has a Vault server.
Tokens end when their time is over, and a renewal gives the whole time again. It counts what it was asked."""
import collections
import http.server
import json
import secrets
import ssl
import threading
import time
import urllib.parse

import iso_sim


class Handler(iso_sim.Handler):
    def do_GET(self):
        self.answer(self.server.vault.get(self.path, self.headers))

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Type") == "application/x-www-form-urlencoded" and hasattr(self.server.vault, "form"):
            self.answer(self.server.vault.form(self.path, dict(urllib.parse.parse_qsl(data.decode()))))
        else:
            self.answer(self.server.vault.post(self.path, self.headers, json.loads(data or b"{}")))

    def answer(self, found):
        status, value = found
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that gives up is no fault of the test


class VaultStandIn:
    """Serves HTTPS on a free port until it is closed. `values` is the one secret, at `path` of the engine `secret`."""

    def __init__(self, certificate, key, path, token_s):
        self.path, self.token_s = path, token_s
        self.values, self.version = {}, 1
        self.role_id, self.secret_id, self.role, self.jwt = (secrets.token_hex(12) for _ in range(4))
        self.told = set()  # every token that was ever given
        self.counts = collections.Counter()
        self.broken = False  # answers as a sealed one
        self._tokens = {}    # token: when it ends
        self._lock = threading.Lock()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.vault = self
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def give_token(self):
        token = "hvs." + secrets.token_hex(20)
        self.told.add(token)
        self._tokens[token] = time.monotonic() + self.token_s
        return token

    def revoke_all(self):
        with self._lock:
            self._tokens.clear()

    def put(self, **values):
        with self._lock:
            self.values, self.version = values, self.version + 1

    def _is_good(self, headers):
        return time.monotonic() < self._tokens.get(headers.get("X-Vault-Token"), 0)

    def _refuse(self, what):
        self.counts["refused " + what] += 1
        return 403, {"errors": ["permission denied"]}

    def _auth(self, token):
        return 200, {"auth": {"client_token": token, "policies": ["default"], "lease_duration": self.token_s, "renewable": True},
                     "data": None, "lease_duration": 0}

    def get(self, path, headers):
        with self._lock:
            if self.broken:
                return 503, {"errors": ["Vault is sealed"]}
            if not self._is_good(headers):
                return self._refuse("token")
            self.counts[path] += 1
            if path == "/v1/auth/token/lookup-self":
                return 200, {"data": {"ttl": self.token_s, "renewable": True, "id": headers["X-Vault-Token"]}}
            if path == f"/v1/secret/data/{self.path}":
                return 200, {"lease_id": "", "renewable": False, "lease_duration": 0,
                             "data": {"data": self.values, "metadata": {"version": self.version, "destroyed": False}}}
            return 404, {"errors": []}

    def post(self, path, headers, body):
        with self._lock:
            if self.broken:
                return 503, {"errors": ["Vault is sealed"]}
            self.counts[path] += 1
            if path == "/v1/auth/approle/login":
                good = body.get("role_id") == self.role_id and body.get("secret_id") == self.secret_id
                return self._auth(self.give_token()) if good else (400, {"errors": ["invalid role or secret ID"]})
            if path == "/v1/auth/kubernetes/login":
                good = body.get("role") == self.role and body.get("jwt") == self.jwt
                return self._auth(self.give_token()) if good else self._refuse("login")
            if not self._is_good(headers):
                return self._refuse("token")
            if path == "/v1/auth/token/renew-self":
                token = headers["X-Vault-Token"]
                self._tokens[token] = time.monotonic() + self.token_s
                return self._auth(token)
            return 404, {"errors": []}

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)
