#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Transport keys as the registry has them: a device is asked for another one and followed to its first session, the older
one is over an overlap later, and an operator can let it in again."""
import json
import sqlite3
import unittest

import harness
from postgres import Postgres
from test_renewal import PKCS10, Gateway, Renewals

HINT_RENEW = 1 << 4


class TransportKeys(Renewals):
    def setUp(self):
        super().setUp()
        self.id = str(self.device.device_id)

    def headrace(self, *words, expect=0):
        return self.site.headrace(*words, "--config", self.aggregator.config, expect=expect)

    def rotate(self, *words, expect=0):
        return self.headrace("device", "rotate", self.id, "--transport", *words, expect=expect)

    def hints(self, probe):
        return probe.head().ack.hints

    def actions(self):
        rows = json.loads(self.headrace("audit", self.id, "--json").stdout)
        return [row["action"] for row in rows if row["action"] not in ("registered", "activated")]

    def refusals(self):
        return [event["text"] for event in self.aggregator.process.events("session_refused")]

    def refused(self, **identity):
        """The handshake fails; what the aggregator says of it."""
        n = len(self.refusals())
        probe = self.connect(**identity)
        probe.send_head("s=0")
        harness.wait_for("the refusal", lambda: len(self.refusals()) > n)
        probe.wait_closed()
        self.assertEqual([e for e in probe.entries if e["event"] == "response"], [])
        return self.refusals()[-1]

    def by_hand(self, key, name):
        """A certificate for that key of the device, from an authority that is believed."""
        request, out = self.folder / "request.pem", self.folder / f"{name}.crt"
        harness.run("openssl", "req", "-new", "-key", key, "-subj", f"/CN=headrace-device-{self.device.device_id:016x}", "-out", request)
        harness.run("openssl", "x509", "-req", "-in", request, "-CA", self.site.ca / "device-ca.crt", "-CAkey",
                    self.site.ca / "device-ca.key", "-out", out, "-days", "10")
        return {"certificate": out, "key": key}

    def states(self):
        return [row["key_state"] for row in self.transport_keys()]

    def wait_states(self, *states):
        harness.wait_for(f"the keys to be {states}", lambda: self.states() == list(states))


class RequestTest(TransportKeys):
    def test_a_device_is_asked_until_it_has_got_the_certificate_and_not_longer(self):
        self.start()
        probe, key = self.connect(), self.key("new")
        self.assertEqual(self.hints(probe) & HINT_RENEW, 0)
        self.rotate("--dry-run")
        self.assertEqual((self.hints(probe) & HINT_RENEW, self.actions()), (0, []))
        self.assertIn("is asked", self.rotate("--reason", "two years").stdout)
        self.assertIn("was asked", self.rotate().stdout)
        # It stands in the ledger: nobody has to remember it.
        self.aggregator.kill()
        self.aggregator.start()
        probe = self.connect()
        self.assertEqual(self.hints(probe) & HINT_RENEW, HINT_RENEW)
        self.assertEqual(json.loads(self.rotate("--wait", "--timeout", "1s", "--json", expect=2).stdout)["outcome"], "asked")
        new = self.as_pem(self.renewed(probe, self.request(key)), "new")
        self.assertEqual(self.hints(probe) & HINT_RENEW, 0)
        self.assertEqual(self.actions(), ["transport_asked", "certified"])
        self.assertEqual(self.states(), ["in use", "issued"])
        # Asked while that is on its way, it is the same request.
        told = json.loads(self.rotate("--wait", "--timeout", "1s", "--json", expect=2).stdout)
        self.assertEqual((told["outcome"], told["old_number"], told["number"]), ("certified", 1, 2))
        self.assertEqual(self.hints(probe) & HINT_RENEW, 0)
        self.connect(certificate=new, key=key).head()
        self.wait_states("superseded", "in use")
        self.assertEqual(json.loads(self.headrace("device", "show", self.id, "--json").stdout)["devices"][0]["wants_transport"], False)
        self.assertEqual(self.actions(), ["transport_asked", "certified", "transport_used"])
        shown = self.headrace("device", "show", self.id).stdout
        for word in ("superseded", "in use", "first used", "certificate until", self.transport_keys()[1]["transport_key"][:16]):
            self.assertIn(word, shown)

    def test_without_an_issuer_the_request_is_refused_with_what_to_do(self):
        self.start(extra="")
        self.assertIn("renewal:", self.rotate(expect=1).stderr)
        self.assertEqual(self.actions(), [])


class RefusalTest(TransportKeys):
    """With an overlap that a test can wait for."""

    def start(self, extra=None, **more):
        self.renewal = self.renewal.replace("}", ", overlap: 3s}")
        super().start(extra, **more)

    def changed(self):
        """A device that has changed its key, and its session with the older one; the newer identity."""
        old, key = self.connect(), self.key("new")
        new = {"certificate": self.as_pem(self.renewed(old, self.request(key)), "new"), "key": key}
        self.connect(**new).head()
        harness.wait_for("the newer key to be in use", lambda: self.states()[1] == "in use")
        return old, new

    def test_an_older_key_is_over_an_overlap_after_the_first_session_of_a_newer(self):
        self.start()
        old, new = self.changed()
        old.wait_closed()  # the session that was open is closed too
        why = self.refused()
        digest = self.transport_keys()[0]["transport_key"]
        self.assertIn(f"transport key {digest} is over", why)
        self.assertIn("headrace device readmit", why)
        self.assertEqual(self.aggregator.metric("headrace_coap_transport_keys_refused_total"), 1)
        self.connect(**new).head()
        self.aggregator.kill()
        self.aggregator.extra = self.aggregator.extra.replace("overlap: 3s", "overlap: 1h")
        self.aggregator.start()
        self.assertIn("is over", self.refused())
        # The device has lost the newer key: an operator lets it in, and it is asked for another.
        self.assertIn("nothing was changed", self.headrace("device", "readmit", self.id, "--reason", "flash broke", "--dry-run").stdout)
        self.assertEqual(self.states(), ["over", "in use"])
        self.headrace("device", "readmit", self.id, "--reason", "flash broke")
        back, key = self.connect(), self.key("third")
        self.assertEqual(self.hints(back) & HINT_RENEW, HINT_RENEW)
        third = {"certificate": self.as_pem(self.renewed(back, self.request(key)), "third"), "key": key}
        self.connect(**third).head()
        self.wait_states("superseded", "superseded", "in use")
        self.assertEqual(self.actions(), ["certified", "transport_used", "readmitted", "certified", "transport_used"])

    def test_a_thief_of_an_older_key_gets_no_newer_one_and_shuts_nobody_out(self):
        self.renewal = self.renewal.replace("}", ", overlap: 1h}")
        Renewals.start(self)
        old, new = self.changed()
        self.assertEqual(self.ask(old, self.request(self.key("thief"))).code, "4.03")
        [event] = self.aggregator.process.events("certificate_refused")
        self.assertIn("superseded", event["why"])
        self.connect().head()
        self.aggregator.process.wait_event("transport_key_superseded")
        self.assertEqual(self.states(), ["superseded", "in use"])
        self.connect(**new).head()

    def test_a_key_that_is_not_the_devices_opens_nothing_though_its_certificate_is_good(self):
        self.start()
        stranger = self.by_hand(self.key("stranger"), "stranger")
        self.connect(**stranger).head()  # of a device that is enrolled by files no key is known
        self.changed()
        why = self.refused(**stranger)
        self.assertIn("is not the device's", why)
        digest = why.split()[2]
        self.headrace("device", "readmit", self.id, "--key", digest, "--reason", "by hand")
        self.connect(**stranger).head()
        self.assertEqual(self.transport_keys()[2]["transport_key"], digest)
        self.assertIn("nothing keeps", self.headrace("device", "readmit", self.id, "--key", digest, "--reason", "again").stdout)
        self.headrace("device", "readmit", self.id, "--key", "12ab", "--reason", "typed", expect=3)


class PostgresTest(TransportKeys):
    def test_another_aggregator_on_the_same_ledger_goes_on_where_one_died(self):
        server = self.own(Postgres(self.folder))
        self.start(ledger=server.ledger(), name="first", env={"HEADRACE_FAILPOINT": "certificate_audited:1"})
        self.rotate()
        key = self.key("new")
        request = self.request(key)
        self.connect().send(request, PKCS10, "sren")
        harness.wait_for("the first aggregator to have died", lambda: not self.aggregator.process.alive())
        self.start(ledger=server.ledger(), name="second")
        [(_, issued)] = server.query("SELECT number, encode(certificate, 'hex') FROM certificate WHERE number > 1")
        probe = self.connect()
        self.assertEqual(self.hints(probe) & HINT_RENEW, 0)
        der = self.renewed(probe, request)
        self.assertEqual(der.hex(), issued)
        self.assertEqual(self.renewed(probe, self.request(key)), der)
        self.assertEqual(self.actions(), ["transport_asked", "certified"])
        self.connect(certificate=self.as_pem(der, "new"), key=key).head()
        self.wait_states("superseded", "in use")
        self.assertIn("is not the device's", self.refused(**self.by_hand(self.key("stranger"), "stranger")))


class RebuildTest(TransportKeys):
    def test_a_ledger_that_is_made_again_knows_who_is_asked_and_which_keys_are_good(self):
        self.start()
        old, key = self.connect(), self.key("new")
        new = {"certificate": self.as_pem(self.renewed(old, self.request(key)), "new"), "key": key}
        self.connect(**new).head()
        self.wait_states("superseded", "in use")
        self.rotate()
        self.headrace("device", "rotate", self.id)
        self.headrace("device", "claim", "--serial", "SN-7", "--name", "lock-7", "--site", "lower lock")
        before = self.transport_keys()
        self.aggregator.stop()
        archives = [self.folder / name for name in ("first.export", "second.export")]
        rebuilt = self.folder / "rebuilt.db"
        self.site.headrace("ledger", "export", self.aggregator.ledger, "--out", archives[0])
        self.site.headrace("ledger", "rebuild", rebuilt, "--from", archives[0])
        self.site.headrace("ledger", "export", rebuilt, "--out", archives[1])
        self.assertEqual(archives[0].read_bytes(), archives[1].read_bytes())
        for table in ("enrolment", "certificate", "device", "device_key"):
            rows = [sqlite3.connect(path).execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for path in (self.aggregator.ledger, rebuilt)]
            self.assertEqual(*rows)
            self.assertNotEqual(rows[0], [], table)
        for suffix in ("", "-wal", "-shm"):
            (self.aggregator.folder / f"ledger.db{suffix}").unlink(missing_ok=True)
        rebuilt.rename(self.aggregator.ledger)
        self.aggregator.start()
        self.assertEqual(self.transport_keys(), before)
        probe = self.connect(**new)
        self.assertEqual(self.hints(probe) & HINT_RENEW, HINT_RENEW)
        self.assertEqual(self.renewed(probe, self.request(key)), new["certificate"].with_suffix(".der").read_bytes())
        self.assertIn("is not the device's", self.refused(**self.by_hand(self.key("stranger"), "stranger")))


class GatewayTest(TransportKeys, Gateway):
    def test_a_gateway_is_asked_and_followed_to_its_first_session(self):
        self.start()
        collector = self.collector()
        self.delivers(collector)
        told = json.loads(self.rotate("--wait", "--json").stdout)
        self.assertEqual((told["outcome"], told["old_number"], told["number"]), ("rotated", 0, 2))
        collector.process.wait_event("transport_key_changed")
        self.delivers(collector)
        self.assertEqual(self.actions()[:2], ["transport_asked", "certified"])
        self.assertEqual(self.states(), ["superseded", "in use"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
