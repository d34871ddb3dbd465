#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The registry in the ledger, by way of `headrace device list|show|quarantine|release|revoke|retire` and `headrace audit`
against a running aggregator, on SQLite and on PostgreSQL: what is decided counts from the next batch on, has one audit
entry, and is finished by being asked for again, wherever the aggregator died."""
import contextlib
import hashlib
import http.server
import json
import os
import pty
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import harness
import wire
from postgres import Postgres
from probe import Probe

AIS = bytes(21)
N_MANY = 150  # devices, for more pages than one
LARGE = 9223372036854775000  # a device id of 19 digits


class RegistryTest(harness.SystemTest):
    """An aggregator with a device that sends."""

    def begin(self, ledger=None):
        self.site = harness.Site(self.folder)
        self.device = self.site.enrol("gw1")
        self.id = str(self.device.device_id)
        self.stream = wire.Stream(self.device.device_id)
        self.key = wire.Key(self.device.record_key)
        self.ledger = ledger
        self.probe = None
        self.start()

    def start(self):
        self.aggregator = self.own(harness.Aggregator(self.site, ledger=self.ledger))
        self.aggregator.start()

    def headrace(self, *words, expect=0):
        return self.site.headrace(*words, "--config", self.aggregator.config, expect=expect)

    def decide(self, verb, *more, reason="test", expect=0):
        return self.headrace("device", verb, self.id, "--reason", reason, *more, expect=expect)

    def shown(self):
        return json.loads(self.headrace("device", "show", self.id, "--json").stdout)["devices"][0]

    def audit(self, *words):
        return json.loads(self.headrace("audit", *words, "--json").stdout)

    def connect(self):
        if self.probe is not None:
            self.probe.close()
        self.probe = self.own(Probe(self.aggregator.coaps_tcp, self.device))
        return self.probe

    def post(self):
        """The ack of the next batch of the device, which stays the next one unless it was taken."""
        records = [wire.ais_record(AIS)]
        answer = self.probe.post(self.stream.peek(records).envelope(self.key))
        if answer.ack.status == wire.OK:
            self.stream.next(records)
        return answer.ack.status

    def ask(self, path, body=None, host=None, forwarded=None):
        """(status, text) of a request to the admin API."""
        headers = {"Content-Type": "application/json", **({"Host": host} if host else {}),
                   **({"X-Forwarded-For": forwarded} if forwarded else {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.aggregator.http_port}{path}", headers=headers,
                                         data=os.fsencode(body) if body is not None else None)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def assert_history(self, *wanted):
        """The audit entries of the device are these: (who, what, before, after)."""
        rows = self.audit(self.id)
        self.assertEqual([(r["actor"].split(":")[0], r["action"], r["before"], r["after"]) for r in rows], list(wanted))
        self.assertEqual([r["id"] for r in rows], sorted(r["id"] for r in rows))
        return rows

    def check_decisions(self):
        self.connect()
        self.assertEqual(self.shown()["state"], "enrolled")
        self.assertEqual(self.post(), wire.OK)
        self.assertEqual(self.shown()["state"], "active")
        self.assertIn("active > quarantined", self.decide("quarantine", reason='it "forks" \\').stdout)
        self.assertEqual(self.post(), wire.QUARANTINED)
        self.assertIn("is quarantined already", self.decide("quarantine").stdout)
        self.decide("release")
        self.assertEqual(self.post(), wire.OK)
        told = json.loads(self.decide("revoke", "--dry-run", "--json").stdout)
        self.assertEqual((told["before"], told["after"], told["changed"], told["dry_run"]),
                         ("active", "revoked", True, True))
        self.assertEqual(self.post(), wire.OK)
        self.assertIn("--yes", self.decide("revoke", expect=3).stderr)
        self.decide("revoke", "--yes", reason="stolen")
        self.probe.wait_closed()
        self.assertIn("not from the state that the device is in: revoked", self.decide("release", expect=1).stderr)
        rows = self.assert_history(("registry", "registered", "", "enrolled"), ("device", "activated", "enrolled", "active"),
                                   ("local", "quarantined", "active", "quarantined"),
                                   ("local", "released", "quarantined", "active"), ("local", "revoked", "active", "revoked"))
        self.assertEqual([r["reason"] for r in rows][2:], ['it "forks" \\', "test", "stolen"])
        self.assertRegex(rows[0]["at"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual({(r["old_key"], r["new_key"]) for r in rows[1:]}, {(rows[0]["new_key"],) * 2})
        self.assertEqual(rows[0]["new_key"], hashlib.sha256(self.key.spki).hexdigest())

    def check_restart(self):
        """After a SIGKILL all of it is there, and the file of the registry changes nothing."""
        before, history = self.shown(), self.audit()
        self.aggregator.kill()
        self.aggregator.start()
        self.assertEqual(self.shown(), before)
        self.assertEqual(self.audit(), history)
        self.aggregator.process.wait_event("registry_outdated", device_id=self.device.device_id)
        probe = self.connect()
        probe.send_head("s=0")
        probe.wait_closed()

    def check_dying(self, failpoint):
        """Dies in the middle of a decision; asked again it is made, and there is one entry of it."""
        self.aggregator.stop()
        self.aggregator.start(env={"HEADRACE_FAILPOINT": failpoint})
        self.assertIn("no aggregator, or ended in the middle", self.decide("retire", "--yes", expect=1).stderr)
        harness.wait_for("the aggregator to have died", lambda: not self.aggregator.process.alive())
        self.aggregator.start()
        stands = self.shown()["state"] == "retired"
        self.assertEqual(stands, failpoint.startswith("after_commit"))
        self.assertIn("is retired already" if stands else "revoked > retired", self.decide("retire", "--yes").stdout)
        self.assertEqual([r["action"] for r in self.audit(self.id)].count("retired"), 1)


class SqliteTest(RegistryTest):
    def test_a_decision_counts_at_once_and_for_ever(self):
        self.begin()
        self.check_decisions()
        self.check_restart()
        self.check_dying("before_commit:1")

    def test_a_decision_that_was_committed_unsaid_is_found_when_it_is_asked_for_again(self):
        self.begin()
        self.decide("revoke", "--yes")
        self.check_dying("after_commit:1")

    def test_many_devices_are_listed_page_by_page_and_found(self):
        self.begin()
        entry = (self.site.registry / f"{self.id}.yaml").read_text()
        for i in range(1, N_MANY):
            text = re.sub(r"device_id: \d+", f"device_id: {1000 + i}", entry).replace('name: "gw1"', f'name: "many-{i}"')
            (self.site.registry / f"{1000 + i}.yaml").write_text(text)
        harness.wait_for("the entries to be taken", lambda: self.aggregator.metric("headrace_devices") == N_MANY)
        rows = harness.wait_for("the list", lambda: [r for r in [json.loads(self.headrace("device", "list", "--json").stdout)]
                                                     if len(r) == N_MANY])[0]
        self.assertEqual([r["device_id"] for r in rows], [self.device.device_id] + [1000 + i for i in range(1, N_MANY)])
        table = self.headrace("device", "list", "--name", "many-14", "--state", "enrolled").stdout.splitlines()
        self.assertEqual(len(table), 1 + 11)  # many-14 and many-140 to many-149, below a heading
        self.assertRegex(table[1], r"^1014 +many-14 +enrolled +1 +1 +[0-9a-f]{16} +default")
        self.assertEqual(self.headrace("device", "list", "--state", "revoked").stdout, "")
        self.assertEqual(len(self.audit()), N_MANY)
        self.assertRegex(self.headrace("audit", "1014").stdout.splitlines()[1], r" 1014 +registry +registered +enrolled +[0-9a-f]{16} ")

    def test_wrong_use_is_told(self):
        self.begin()
        self.headrace("device", "show", "77", expect=1)
        self.assertIn("there is no such device",
                      self.headrace("device", "revoke", "77", "--reason", "x", "--yes", expect=1).stderr)
        self.headrace("device", "list", "--state", "lost", expect=3)
        self.headrace("audit", "x", expect=3)
        self.decide("quarantine", reason="x" * 64, expect=3)
        self.decide("quarantine", reason="two\nlines", expect=3)
        self.decide("quarantine", reason=os.fsdecode(b"caf\xe9"), expect=3)
        self.site.headrace("device", "list", "--admin", "ftp://x", expect=1)
        self.assertIn("no aggregator answers",
                      self.site.headrace("device", "list", "--admin", f"http://127.0.0.1:{harness.free_port()}", expect=1).stderr)

    def type(self, typed, *words):
        """(exit code, stderr) of the tool with somebody at a terminal who types that."""
        ours, theirs = pty.openpty()
        with subprocess.Popen([harness.program("headrace"), *words], stdin=theirs, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as tool:
            os.write(ours, typed)
            _, asked = tool.communicate(timeout=120)
        os.close(ours)
        os.close(theirs)
        return tool.returncode, asked

    def test_a_person_is_asked_before_what_cannot_be_undone(self):
        self.begin()
        for typed, state in ((b"no\n", "enrolled"), (b"\n", "enrolled"), (b"\x04", "enrolled"), (b"gw1\n", "revoked")):
            code, asked = self.type(typed, "device", "revoke", self.id, "--reason", "lost", "--config", self.aggregator.config)
            self.assertIn('"gw1", which is enrolled? It can\'t be undone. Type its name:', asked)
            self.assertEqual(code, 0 if state == "revoked" else 1)
            self.assertEqual(self.shown()["state"], state)

    def test_a_device_with_an_id_of_19_digits_is_one_like_any(self):
        self.begin()
        entry = (self.site.registry / f"{self.id}.yaml").read_text()
        text = re.sub(r"device_id: \d+", f"device_id: {LARGE}", entry).replace('name: "gw1"', 'name: "large"')
        (self.site.registry / f"{LARGE}.yaml").write_text(text)
        row = harness.wait_for("the entry to be committed", lambda: next(
            (line for line in self.headrace("device", "list").stdout.splitlines() if line.startswith(str(LARGE))), None))
        self.assertRegex(row, rf"^{LARGE} +large +enrolled ")
        words = ("device", "revoke", str(LARGE), "--reason", "lost", "--config", self.aggregator.config)
        self.assertEqual(self.type(b"\n", *words)[0], 1)
        self.assertEqual(self.type(b"large\n", *words)[0], 0)
        rows = [(r["device_id"], r["action"]) for r in self.audit(str(LARGE))]
        self.assertEqual(rows, [(LARGE, "registered"), (LARGE, "revoked")])

    def test_rows_that_cannot_be_read_are_an_error(self):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                asked.append(self.command)
                body = b'{"devices":[\n{"device_id":0,"name":"","state":"active","revision":1}]}\n'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.site = harness.Site(self.folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            admin = ("--admin", f"http://127.0.0.1:{server.server_address[1]}")
            self.assertIn("a row that can't be read", self.site.headrace("device", "list", *admin, expect=1).stderr)
            for typed in (b"\n", b"\x04"):
                code, told = self.type(typed, "device", "revoke", "5", "--reason", "lost", *admin)
                self.assertEqual(code, 1)
                self.assertIn("no name to ask for", told)
            server.shutdown()
        self.assertEqual(set(asked), {"GET"})

    def test_the_admin_api_doubts_what_it_is_sent(self):
        self.begin()
        path = f"/devices/{self.id}/decision"
        good = '{"decision": "quarantine", "reason": "x"}'
        for body, says in (("", "no JSON"), ("[]", "no JSON"), ('{"decision": "quarantine"}', "reason is missing"),
                           ('{"reason": "x"}', "decision is missing"), ('{"decision": "burn", "reason": "x"}', "decision is"),
                           ('{"decision": "revoke", "reason": ""}', "reason is"),
                           ('{"decision": "revoke", "reason": "a\\nb"}', "reason is"),
                           ('{"decision": "revoke", "reason": "%s"}' % ("x" * 64), "reason is"),
                           (os.fsdecode(b'{"decision": "revoke", "reason": "caf\xe9"}'), "reason is"),
                           ('{"decision": "revoke", "reason": "x", "reason": "y"}', "twice"),
                           ('{"decision": "revoke", "reason": "x", "dry_run": 1}', "dry_run is"),
                           ('{"decision": "revoke", "reason": "x", "operator": "a b"}', "operator is"),
                           ('{"decision": "revoke", "reason": "x", "by": "y"}', "no key here")):
            status, text = self.ask(path, body)
            self.assertEqual(status, 400, (body, text))
            self.assertIn(says, text)
        self.assertEqual(self.ask("/devices/77/decision", good)[0], 404)
        for missing in ("/devices/0", "/devices/x", f"/devices/{2**64}", f"/devices/{self.id}/x", "/devices/after/x", "/auditx",
                        "/devicesx"):
            self.assertEqual(self.ask(missing)[0], 404, missing)
        self.assertEqual(self.ask("/devices", good)[0], 404)
        # A name that somebody made to lead here, in a browser of this machine.
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example"):
            self.assertEqual(self.ask(path, good, host)[0], 403, host)
            self.assertEqual(self.ask("/devices", host=host)[0], 403, host)
        self.assertEqual(self.shown()["state"], "enrolled")
        # Somebody elsewhere, through a proxy on this machine.
        self.assertEqual(self.ask(path, good, forwarded="192.0.2.9")[0], 403)
        for host in ("evil.example", None):
            self.assertEqual(self.ask("/reprocess", "{}", host, forwarded=None if host else "192.0.2.9")[0], 403)
        for host in ("localhost", f"localhost:{self.aggregator.http_port}", "[::1]"):
            self.assertEqual(self.ask("/devices", host=host)[0], 200, host)
        status, text = self.ask(path, good[:-1] + ', "operator": "maria@example"}')
        self.assertEqual((status, json.loads(text)["after"]), (200, "quarantined"))
        self.assertEqual(self.audit(self.id)[-1]["actor"], "local:maria@example")


class OperatorTest(RegistryTest):
    """The admin API over mutual TLS."""

    def begin(self, ledger=None):
        self.admin_port = harness.free_port()
        self.revoked = self.folder / "operators.revoked"
        self.revoked.write_text("# nobody yet\n")
        super().begin(ledger)

    def start(self):
        server = self.site.ca / harness.SERVER_NAME
        self.aggregator = self.own(harness.Aggregator(self.site, extra=(
            f"admin:\n  address: 127.0.0.1\n  port: {self.admin_port}\n  certificate: {server}.crt\n  key: {server}.key\n"
            f"  operator_ca: {self.site.ca / 'operator-ca.crt'}\n  revoked: {self.revoked}\n")))
        self.aggregator.start()

    def operator(self, name, role, *more):
        self.site.headrace("ca", "operator", "--dir", self.site.ca, "--name", name, "--role", role, *more)
        return self.site.ca / f"operator-{name}"

    def ask_as(self, identity, *words, expect=0, ca=None, host="127.0.0.1"):
        return self.site.headrace(*words, "--admin", f"https://{host}:{self.admin_port}", "--identity", identity, "--ca",
                                  ca or self.site.ca / "server-ca.crt", expect=expect)

    def test_a_role_may_do_what_it_is_for_and_the_name_stands_in_the_audit(self):
        self.begin()
        anna, otto, maria = self.operator("anna", "viewer"), self.operator("otto", "operator"), self.operator("maria", "admin")
        why = ("--reason", "test")
        rows = json.loads(self.ask_as(anna, "device", "list", "--json").stdout)
        self.assertEqual([r["device_id"] for r in rows], [self.device.device_id])
        refused = self.ask_as(anna, "device", "quarantine", self.id, *why, expect=1)
        self.assertIn("role operator or admin may do that (403)", refused.stderr)
        self.ask_as(otto, "device", "quarantine", self.id, *why)
        self.assertIn("role admin may do that (403)",
                      self.ask_as(otto, "device", "revoke", self.id, *why, "--yes", expect=1).stderr)
        self.ask_as(otto, "device", "release", self.id, *why)
        self.ask_as(maria, "device", "revoke", self.id, *why, "--yes", host="localhost")
        rows = json.loads(self.ask_as(anna, "audit", self.id, "--json").stdout)
        self.assertEqual([(r["actor"], r["action"]) for r in rows],
                         [("registry", "registered"), ("operator:otto", "quarantined"), ("operator:otto", "released"),
                          ("operator:maria", "revoked")])

    def test_in_plain_one_only_looks_when_there_is_a_way_to_say_who_one_is(self):
        self.begin()
        decision = '{"decision": "quarantine", "reason": "x"}'
        self.assertEqual(self.ask("/devices")[0], 200)
        for path, body in ((f"/devices/{self.id}/decision", decision), ("/reprocess", "{}")):
            status, text = self.ask(path, body)
            self.assertEqual(status, 403, text)
            self.assertIn("over https, a certificate with the role operator or admin may do that", text)
        self.assertIn("over https, a certificate with the role admin may do that (403)", self.decide("revoke", "--yes", expect=1).stderr)
        self.assertEqual(self.shown()["state"], "enrolled")

    def test_a_certificate_that_was_called_back_opens_nothing_from_the_next_request_on(self):
        self.begin()
        anna, maria = self.operator("anna", "admin"), self.operator("maria", "admin")
        self.ask_as(anna, "device", "list")
        told = self.site.headrace("ca", "revoke", "--dir", self.site.ca, "--name", "anna").stdout
        self.assertRegex(told, r"^added [0-9A-F]{30,40} to ")
        self.assertIn("already", self.site.headrace("ca", "revoke", "--dir", self.site.ca, "--name", "anna").stdout)
        shutil.copyfile(self.site.ca / "operators.revoked", self.revoked)
        self.assertIn("certificate opens this", self.ask_as(anna, "device", "list", expect=1).stderr)
        self.ask_as(maria, "device", "list")
        # Who is given another role has that one alone: the certificate that is replaced is called back.
        otto = self.operator("otto", "admin")
        before = self.folder / "otto-before"
        for kind in (".crt", ".key"):
            shutil.copyfile(otto.with_suffix(kind), before.with_suffix(kind))
        self.operator("otto", "viewer", "--force")
        shutil.copyfile(self.site.ca / "operators.revoked", self.revoked)
        self.assertIn("certificate opens this", self.ask_as(before, "device", "list", expect=1).stderr)
        self.ask_as(otto, "device", "list")
        # OpenSSL says what the number is; a list that can't be read lets nobody in.
        serial = harness.run("openssl", "x509", "-serial", "-noout", "-in", maria.with_suffix(".crt")).stdout.strip()
        self.site.headrace("ca", "revoke", "--dir", self.site.ca, "--serial", serial.removeprefix("serial=").lower())
        for text, opens in (((self.site.ca / "operators.revoked").read_text(), False), ("no number\n", False), ("", True), (None, False)):
            self.revoked.unlink() if text is None else self.revoked.write_text(text)
            told = self.ask_as(maria, "device", "list", expect=0 if opens else 1)
            self.assertEqual("certificate opens this" in told.stderr, not opens, text)
        self.site.headrace("ca", "revoke", "--dir", self.site.ca, "--serial", "xyz", expect=3)
        self.site.headrace("ca", "revoke", "--dir", self.site.ca, "--name", "nobody", expect=1)

    def test_who_is_no_operator_gets_nothing(self):
        self.begin()
        anna = self.operator("anna", "viewer")
        # A device of ours, a server of ours, and an operator of another authority.
        other = self.folder / "other"
        self.site.headrace("ca", "init", "--dir", other)
        self.site.headrace("ca", "operator", "--dir", other, "--name", "eve", "--role", "admin")
        for stranger in (self.device.folder / "device", self.site.ca / harness.SERVER_NAME, other / "operator-eve"):
            told = self.ask_as(stranger, "device", "list", expect=1).stderr
            self.assertRegex(told, r"certificate opens this|no TLS|ended in the middle|no aggregator", stranger)
        expired = self.expired(anna)
        self.assertIn("certificate opens this", self.ask_as(expired, "device", "list", expect=1).stderr)
        # No certificate at all, for no page.
        context = ssl.create_default_context(cafile=self.site.ca / "server-ca.crt")
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        for path in ("/devices", "/metrics", "/healthz"):
            with self.assertRaises((urllib.error.HTTPError, OSError)) as refused:
                urllib.request.urlopen(f"https://127.0.0.1:{self.admin_port}{path}", context=context, timeout=60)
            if isinstance(refused.exception, urllib.error.HTTPError):
                self.assertEqual(refused.exception.code, 403)
        # And no operator tells his secrets to a server that is none of ours.
        told = self.ask_as(anna, "device", "list", ca=other / "server-ca.crt", expect=1).stderr
        self.assertIn("the certificate of 127.0.0.1", told)
        self.assertIn("https wants --identity", self.site.headrace("device", "list", "--admin",
                                                                   f"https://127.0.0.1:{self.admin_port}", expect=1).stderr)
        self.ask_as(anna, "device", "list")

    def test_who_is_no_operator_is_told_before_he_sends_a_body(self):
        self.begin()
        context = ssl.create_default_context(cafile=self.site.ca / "server-ca.crt")
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with socket.create_connection(("127.0.0.1", self.admin_port), timeout=60) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as stranger:
                stranger.sendall(f"POST /devices/{self.id}/decision HTTP/1.1\r\nHost: localhost\r\n"
                                 "Content-Type: application/json\r\nContent-Length: 400\r\n\r\n{".encode())
                answer = b""
                with contextlib.suppress(OSError):
                    while part := stranger.recv(4096):
                        answer += part
        self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer)
        self.assertIn(b"certificate opens this", answer)
        # Whoever is one is heard to the end.
        maria = self.operator("maria", "admin")
        self.ask_as(maria, "device", "quarantine", self.id, "--reason", "test")

    def expired(self, identity):
        """The identity with a certificate that was valid once."""
        out = self.folder / "expired"
        out.with_suffix(".key").write_bytes(identity.with_suffix(".key").read_bytes())
        harness.issue_expired(self.site.ca / "operator-ca", out.with_suffix(".key"), "/OU=viewer/CN=anna",
                              "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth", out.with_suffix(".crt"))
        return out

    def test_an_authority_of_before_there_were_operators_gets_their_issuer(self):
        self.begin()
        for name in ("operator-ca.key", "operator-ca.crt"):
            (self.site.ca / name).unlink()
        self.operator("anna", "viewer", "--days", "7")
        harness.run("openssl", "verify", "-partial_chain", "-trusted", self.site.ca / "operator-ca.crt",
                    self.site.ca / "operator-anna.crt")
        self.assertEqual((self.site.ca / "operator-anna.key").stat().st_mode & 0o777, 0o600)
        for bad in (("--name", "a b"), ("--role", "king"), ("--days", "0")):
            words = {"--name": "x", "--role": "viewer", "--days": "7", **dict([bad])}
            self.site.headrace("ca", "operator", "--dir", self.site.ca, *[w for pair in words.items() for w in pair], expect=3)

    def test_no_certificate_takes_the_place_of_an_authoritys(self):
        self.begin()
        ca = self.site.ca
        of_authority = [ca / f"{name}.{end}" for name in ("root", "device-ca", "server-ca", "operator-ca") for end in ("key", "crt")]
        before = [file.read_bytes() for file in of_authority]
        wrong = [("server", "--name", name) for name in ("root", "device-ca", "server-ca", "operator-ca")]
        for words in wrong + [("operator", "--role", "admin", "--name", "ca")]:
            for force in ((), ("--force",)):
                told = self.site.headrace("ca", *words, "--dir", ca, *force, expect=3).stderr
                self.assertIn("choose another name", told)
        self.assertEqual([file.read_bytes() for file in of_authority], before)


class PostgresTest(RegistryTest):
    def test_a_decision_counts_at_once_and_for_ever(self):
        self.begin(self.own(Postgres(self.folder)).ledger())
        self.check_decisions()
        self.check_restart()
        self.check_dying("after_commit:1")

    def test_a_decision_that_the_ledger_is_slow_to_take_does_not_keep_others_waiting(self):
        server = self.own(Postgres(self.folder))
        self.begin(server.ledger(commit_timeout="60s"))
        writer = int(server.query("SELECT writer_pid FROM log_head")[0][0])
        os.kill(writer, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            status, text = self.ask(f"/devices/{self.id}/decision", '{"decision": "revoke", "reason": "stolen"}')
            self.assertEqual(status, 503)
            self.assertIn("no answer yet; it may still be made", text)
            self.assertEqual(self.ask("/healthz")[0], 200)
            self.assertLess(time.monotonic() - begun, 30)
            self.assertEqual(self.shown()["state"], "enrolled")
        finally:
            os.kill(writer, signal.SIGCONT)
        harness.wait_for("the decision", lambda: self.shown()["state"] == "revoked")
        self.assertIn("is revoked already", self.decide("revoke", "--yes").stdout)
        self.assertEqual([r["action"] for r in self.audit(self.id)], ["registered", "revoked"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
