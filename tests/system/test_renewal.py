#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""POST /sren: a device that has made itself another transport key gets a certificate for it, the same one however often
it asks, over the session of the old one; and nobody gets one for another."""
import json
import sqlite3
import time
import unittest

import harness
import pipeline
import wire
from probe import Probe

PKCS10, PKIX_CERT = 286, 287
AIS = bytes(21)


class Renewals(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.device = self.site.enrol("gw1")
        self.issued = self.folder / "issued"
        self.issued.mkdir()
        ca = self.site.ca
        self.site.headrace("ca", "bundle", "--dir", ca)
        self.renewal = (f"renewal: {{issuer_certificate: {ca / 'device-ca.crt'}, issuer_key: {ca / 'device-ca.key'}, "
                        f"folder: {self.issued}}}\n")

    def start(self, extra=None, env=None, **more):
        self.aggregator = self.own(harness.Aggregator(
            self.site, extra=(self.renewal if extra is None else extra) + f"trust_bundle: {self.site.ca / 'trust.bundle'}\n", **more))
        self.aggregator.start(env=env)

    def connect(self, **identity):
        return self.own(Probe(self.aggregator.coaps, self.device, **identity))

    def key(self, name, curve="P-256"):
        path = self.folder / f"{name}.key"
        harness.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", path)
        return path

    def request(self, key, device_id=None):
        """PKCS#10 of the key, in DER, as OpenSSL makes it: another one each time."""
        out = self.folder / "request.der"
        subject = f"/CN=headrace-device-{device_id or self.device.device_id:016x}"
        harness.run("openssl", "req", "-new", "-key", key, "-subj", subject, "-outform", "DER", "-out", out)
        return out.read_bytes()

    def ask(self, probe, request, content_format=PKCS10):
        """The answer, once it is another than to come again."""
        def look():
            answer = probe.answer(probe.send(request, content_format, "sren"))
            self.assertTrue(answer.code != "5.03" or answer.max_age == 1, answer)
            if answer.code == "5.03":
                time.sleep(0.05)
            return answer if answer.code != "5.03" else None
        return harness.wait_for("an answer to /sren", look)

    def renewed(self, probe, request):
        answer = self.ask(probe, request)
        self.assertEqual(answer.code, "2.04", answer)
        return bytes.fromhex(answer.entry["payload"])

    def as_pem(self, der, name):
        out = self.folder / f"{name}.crt"
        kept = self.folder / f"{name}.der"
        kept.write_bytes(der)
        harness.run("openssl", "x509", "-inform", "DER", "-in", kept, "-out", out)
        return out

    def audit(self):
        rows = json.loads(self.site.headrace("audit", str(self.device.device_id), "--json", "--config", self.aggregator.config).stdout)
        return [(row["actor"], row["reason"]) for row in rows if row["action"] == "certified"]

    def transport_keys(self):
        shown = json.loads(self.site.headrace("device", "show", str(self.device.device_id), "--json", "--config",
                                              self.aggregator.config).stdout)
        return shown.get("transport_keys", [])

    def commit(self, probe, stream, key):
        self.assertEqual(probe.post(stream.next([wire.ais_record(AIS)]).envelope(key)).ack.status, wire.OK)

    def expired(self):
        """The device's certificate as it was years ago."""
        out, state, request = self.folder / "expired.crt", self.folder / "openssl-ca", self.folder / "request.pem"
        (state / "new").mkdir(parents=True)
        (state / "index").write_text("")
        (state / "serial").write_text("01\n")
        (state / "conf").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={state}/index\nserial={state}/serial\nnew_certs_dir={state}/new\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        harness.run("openssl", "req", "-new", "-key", self.device.key, "-subj",
                    f"/CN=headrace-device-{self.device.device_id:016x}", "-out", request)
        harness.run("openssl", "ca", "-batch", "-config", state / "conf", "-cert", self.site.ca / "device-ca.crt", "-keyfile",
                    self.site.ca / "device-ca.key", "-in", request, "-out", out, "-notext", "-startdate", "20200101000000Z",
                    "-enddate", "20210101000000Z")
        return out


class RequestTest(Renewals):
    """By a client that says exactly what the test wants."""

    def test_a_key_has_one_certificate_however_often_it_is_asked_for(self):
        self.start()
        probe, key = self.connect(), self.key("new")
        first = self.request(key)
        der = self.renewed(probe, first)
        # Asked again with the same bytes, with another request of the same key, and after a SIGKILL.
        self.assertEqual(self.renewed(probe, first), der)
        self.assertEqual(self.renewed(probe, self.request(key)), der)
        self.aggregator.kill()
        self.aggregator.start()
        self.assertEqual(self.renewed(self.connect(), self.request(key)), der)
        [(actor, reason)] = self.audit()
        self.assertEqual((actor, list(self.issued.iterdir())), ("device", []))
        rows = self.transport_keys()
        self.assertEqual([row["number"] for row in rows], [1, 2])
        self.assertTrue(rows[1]["transport_key"].startswith(reason.removeprefix("transport key ")), (rows, reason))
        # What it says: this device, this key, this issuer.
        certificate = self.as_pem(der, "new")
        harness.run("openssl", "verify", "-partial_chain", "-purpose", "sslclient", "-trusted", self.site.ca / "device-ca.crt", certificate)
        public = [harness.run("openssl", *words).stdout for words in (("x509", "-in", certificate, "-pubkey", "-noout"),
                                                                      ("pkey", "-in", key, "-pubout"))]
        self.assertEqual(*public)
        # It opens a session, and so does the old one.
        stream, record_key = wire.Stream(self.device.device_id), wire.Key(self.device.record_key)
        self.commit(self.connect(certificate=certificate, key=key), stream, record_key)
        self.commit(self.connect(), stream, record_key)

    def test_requests_that_are_none_or_for_somebody_else_are_refused(self):
        self.start()
        probe, key = self.connect(), self.key("new")
        good = self.request(key)
        other = self.request(key, self.device.device_id + 1)
        bent = good[:-1] + bytes([good[-1] ^ 1])
        for request, content_format, code in ((other, PKCS10, "4.03"), (bent, PKCS10, "4.00"), (b"", PKCS10, "4.00"), (good + b"\0", PKCS10, "4.00"),
                                              (self.request(self.key("p384", "P-384")), PKCS10, "4.00"), (bytes(1100), PKCS10, "4.00"),
                                              (good, 65001, "4.15")):
            self.assertEqual(self.ask(probe, request, content_format).code, code)
        self.assertEqual((self.audit(), self.transport_keys()), ([], []))
        self.assertEqual(self.aggregator.metric("headrace_coap_renewals_refused_total"), 6)

    def test_whoever_dies_in_between_leaves_the_certificate_that_is_handed_out(self):
        self.start()
        self.aggregator.stop()
        self.aggregator.start(env={"HEADRACE_FAILPOINT": "certificate_audited:1"})
        key = self.key("new")
        probe = self.connect()
        probe.send(self.request(key), PKCS10, "sren")
        harness.wait_for("the aggregator to have died", lambda: not self.aggregator.process.alive())
        self.aggregator.start()
        [(_, reason)] = self.audit()
        [_, row] = self.transport_keys()
        der = self.renewed(self.connect(), self.request(key))
        self.assertEqual((len(self.audit()), self.transport_keys()[1]["transport_key"]), (1, row["transport_key"]))
        self.assertTrue(row["transport_key"].startswith(reason.removeprefix("transport key ")))
        certificate = self.as_pem(der, "new")
        self.connect(certificate=certificate, key=key).head()

    def test_a_certificate_that_an_earlier_version_kept_in_its_folder_is_the_one(self):
        self.start()
        key = self.key("new")
        der = self.renewed(self.connect(), self.request(key))
        digest = self.transport_keys()[1]["transport_key"]
        self.aggregator.stop()
        # As that version left it: a file, and nothing in the ledger.
        (self.issued / f"{self.device.device_id}-{digest}.der").write_bytes(der)
        database = sqlite3.connect(self.aggregator.ledger)
        with database:
            database.execute("DELETE FROM certificate")
        database.close()
        self.aggregator.start()
        self.assertEqual(self.transport_keys(), [])
        self.connect(certificate=self.as_pem(der, "new"), key=key).head()  # it is not judged by keys that are not known
        self.assertEqual(self.renewed(self.connect(), self.request(key)), der)
        self.assertEqual(self.transport_keys()[1]["transport_key"], digest)

    def test_an_aggregator_without_an_issuer_says_so(self):
        self.start(extra="")
        self.assertEqual(self.ask(self.connect(), self.request(self.key("new"))).code, "4.04")

    def test_with_an_expired_certificate_a_device_delivers_and_renews_and_nothing_else(self):
        self.start()
        expired = self.expired()
        probe = self.connect(certificate=expired)
        stream, record_key = wire.Stream(self.device.device_id), wire.Key(self.device.record_key)
        self.commit(probe, stream, record_key)
        self.assertEqual(probe.head().code, "2.05")
        self.assertEqual(probe.answer(probe.send_head("v=1&o=0", "t")).code, "4.03")
        self.assertEqual(self.aggregator.metric("headrace_coap_expired_refused_total"), 1)
        self.assertEqual(self.aggregator.metric("headrace_coap_certificates_expired_total"), 1)
        key = self.key("new")
        renewed = self.connect(certificate=self.as_pem(self.renewed(probe, self.request(key)), "new"), key=key)
        self.assertEqual(renewed.answer(renewed.send_head("v=1&o=0", "t")).code, "2.05")
        self.commit(renewed, stream, record_key)
        self.assertEqual(self.aggregator.metric("headrace_coap_certificates_expired_total"), 1)


class Gateway(Renewals):
    """With a gateway that does it by itself."""

    def collector(self, before="1d"):
        self.keys = self.folder / "keys"
        self.keys.mkdir(mode=0o700, exist_ok=True)
        tap = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {harness.free_port()}}}\n"
        made = self.own(pipeline.Collector(
            self.device, [self.aggregator.coaps], tap, "stats_interval: 1s\nseal: {max_age: 200ms}\nshutdown_flush: 0s\n"
            f"renewal: {{folder: {self.keys}, before: {before}}}\n"))
        return made.start()

    def delivers(self, collector):
        before = (collector.status() or {"stats": {"uplink": {"accepted": 0}}})["stats"]["uplink"]["accepted"]
        collector.wait_status("what it says to be taken", lambda s: s["stats"]["uplink"]["accepted"] >= before + 2)

    def spki(self, key):
        return harness.run("openssl", "pkey", "-in", key, "-pubout").stdout


class CollectorTest(Gateway):
    def test_a_key_is_changed_when_somebody_asks_for_it_and_the_data_goes_on(self):
        self.start()
        collector = self.collector()
        self.delivers(collector)
        self.assertEqual((list(self.keys.iterdir()), self.audit()), ([], []))
        (self.keys / "renew").touch()
        collector.process.wait_event("transport_key_changed")
        self.delivers(collector)
        current = self.keys / "current.pem"
        self.assertEqual(list(self.keys.iterdir()), [current])
        self.assertEqual(current.stat().st_mode & 0o777, 0o600)
        self.assertEqual(len(self.audit()), 1)
        self.assertNotEqual(self.spki(current), self.spki(self.device.key))
        harness.run("openssl", "verify", "-partial_chain", "-trusted", self.site.ca / "device-ca.crt", current)
        # It is what a restart begins with.
        collector.process.kill()
        opened = self.aggregator.metric("headrace_coap_sessions_opened_total")
        collector.start()
        self.aggregator.wait_metric("headrace_coap_sessions_opened_total", opened + 1)
        self.delivers(collector)
        self.assertEqual(collector.process.events("transport_key_unusable"), [])

    def test_a_certificate_that_has_expired_is_renewed_by_the_aggregators_clock(self):
        """The configured one ended years ago: it delivers, and gets a new one."""
        self.start()
        self.device.certificate.write_text(self.expired().read_text())
        collector = self.collector()
        collector.process.wait_event("transport_key_changed")
        self.delivers(collector)
        self.assertEqual(self.aggregator.metric("headrace_coap_certificates_expired_total"), 1)
        self.assertEqual(len(self.audit()), 1)

    def test_wherever_it_died_it_goes_on_from_there(self):
        """Each state that a power cut can leave behind."""
        self.start()
        self.keys = self.folder / "keys"
        self.keys.mkdir(mode=0o700)
        waiting = self.key("waiting")
        # A key without a certificate: it is the one that gets it. And what was half written.
        (self.keys / "next.key").write_text(waiting.read_text())
        (self.keys / "next.key").chmod(0o600)
        (self.keys / "new").write_text("-----BEGIN")
        (self.keys / "renew").touch()
        collector = self.collector()
        collector.process.wait_event("transport_key_changed")
        self.assertEqual(self.spki(self.keys / "current.pem"), self.spki(waiting))
        collector.process.kill()
        # The pair is there, and beside it still the key and who asked: it is done, and not done again with that key.
        (self.keys / "current.pem").rename(self.keys / "next.pem")
        (self.keys / "next.key").write_text(waiting.read_text())
        (self.keys / "renew").touch()
        collector.start()
        collector.process.wait_event("transport_key_changed")
        self.assertEqual([path.name for path in self.keys.iterdir()], ["current.pem"])
        self.delivers(collector)
        collector.process.kill()
        # A pair that nobody believes: the one before it is used.
        good = (self.keys / "current.pem").read_text()
        other = self.folder / "other"
        self.site.headrace("ca", "init", "--dir", other)
        foreign = self.site.enrol("foreign", registry=other, ca=other)
        (self.keys / "next.pem").write_text(foreign.key.read_text() + foreign.certificate.read_text())
        (self.keys / "next.pem").chmod(0o600)
        collector.start()
        collector.process.wait_event("transport_key_refused")
        self.delivers(collector)
        self.assertEqual((self.keys / "current.pem").read_text(), good)
        collector.process.kill()
        # Damaged files: the configured key is there.
        for name in ("next.pem", "current.pem"):
            (self.keys / name).write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            (self.keys / name).chmod(0o600)
        collector.start()
        collector.process.wait_event("transport_key_unusable")
        self.delivers(collector)
        self.assertFalse((self.keys / "next.pem").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
