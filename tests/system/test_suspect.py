#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A device is revoked from the place on at which it was stolen (`headrace device revoke ID --from-seq STREAM/SEQ`), against
a running aggregator, on SQLite and on PostgreSQL: what the thief delivered until then is marked and stays, what comes
afterwards is refused, and a backlog from before the theft is taken up to that place, across a SIGKILL."""
import contextlib
import json
import subprocess
import unittest

import harness
import wire
from pipeline import BrokerTest
from postgres import Postgres
from test_registry import RegistryTest


class SuspectTest(RegistryTest):
    def revoke_from(self, place, *more, expect=0):
        return self.decide("revoke", "--from-seq", place, *more, reason="taken from its mast", expect=expect)

    def fsck(self):
        """The report on the ledger, in which nothing is wrong."""
        report = json.loads(self.headrace("ledger", "fsck", "--json", "--offline").stdout)
        self.assertEqual((report["findings"], report["complete"]), ([], True))
        return report

    def assert_refused(self):
        """It gets no session any more."""
        probe = self.connect()
        probe.send_head("s=0")
        probe.wait_closed()

    def published(self):
        """The events of headrace.trust, as a consumer sees them."""
        return [json.loads(line) for line in harness.run(harness.program("headrace"), "tail", "--files", self.aggregator.files,
                                                         "--topic", "headrace.trust").stdout.splitlines()]

    def assert_published(self):
        """Each audit entry is an event, once, in their order."""
        wanted = [(i + 1, r["action"], f"{r['device_id']:016x}", r["after"], r["leaf"]) for i, r in enumerate(self.audit())]
        harness.wait_for("the audit to be published", lambda: len(self.published()) >= len(wanted))
        events = self.published()
        self.assertEqual([(e["entry"], e["action"], e["device_id"], e["state_after"], e["leaf"]) for e in events], wanted)
        return events

    def check_theft(self):
        self.connect()
        for _ in range(5):  # from batch 3 on it is the thief
            self.assertEqual(self.post(), wire.OK)
        told = self.revoke_from("0/3", "--dry-run").stdout
        self.assertIn("2 committed batches with 2 records would be marked", told)
        self.assertNotIn("awaited", told)
        self.assertEqual(self.shown()["state"], "active")
        self.assertIn("--yes", self.revoke_from("0/3", expect=3).stderr)
        self.assertIn("2 committed batches with 2 records are marked, none is deleted", self.revoke_from("0/3", "--yes").stdout)
        self.probe.wait_closed()
        self.assert_refused()
        row = self.audit(self.id)[-1]
        self.assertEqual((row["action"], row["after"], row["leaf"]), ("revoked_from", "revoked", 5))
        self.assertEqual([row[key] for key in ("from_stream", "from_seq", "to_stream", "to_seq")], [0, 3, 0, 5])
        self.assertIn("revoked from 0/3 on; nothing more is taken", self.headrace("device", "show", self.id).stdout)
        self.assertIn("is revoked already", self.revoke_from("0/3", "--yes").stdout)
        self.assertIn("from an earlier place", self.revoke_from("0/4", "--yes", expect=1).stderr)
        event = self.assert_published()[-1]
        self.assertEqual([event[name] for name in ("is_suspect", "suspect_from_stream", "suspect_from_seq", "suspect_to_stream",
                                                   "suspect_to_seq", "is_empty")], [True, 0, 3, 0, 5, False])
        report = self.fsck()
        self.assertEqual(report["batches"], 5)  # nothing is deleted
        (marked,) = report["suspect"]
        self.assertEqual((marked["device"], marked["batches"], marked["records"], marked["first_leaf"], marked["last_leaf"]),
                         (f"{self.device.device_id:016x}", 2, 2, 3, 4))

    def check_backlog(self):
        """A second device, which is offline when it is revoked."""
        self.device = self.site.enrol("gw2")
        self.id = str(self.device.device_id)
        self.stream = wire.Stream(self.device.device_id)
        self.key = wire.Key(self.device.record_key)
        harness.wait_for("the device to be enrolled",
                         lambda: any(r["name"] == "gw2" for r in json.loads(self.headrace("device", "list", "--json").stdout)))
        self.connect()
        for _ in range(2):
            self.assertEqual(self.post(), wire.OK)
        self.probe.close()
        told = self.revoke_from("0/5", "--yes").stdout
        self.assertIn("0 committed batches", told)
        self.assertIn("awaited: what stands before it, from 0/2 on", told)
        self.aggregator.kill()
        self.aggregator.start()
        self.assertEqual(self.shown()["cut"], "open")
        self.connect()
        self.assertEqual(self.post(), wire.OK)
        thief = wire.Stream(self.device.device_id)
        thief.__dict__.update(self.stream.__dict__)
        for _ in range(2):
            thief.next([wire.ais_record(bytes(21))])
        behind = thief.next([wire.ais_record(bytes(21))])
        self.assertEqual(self.probe.post(behind.envelope(self.key)).ack.status, wire.REVOKED)
        for _ in range(2):
            self.assertEqual(self.post(), wire.OK)
        self.assertEqual(self.post(), wire.REVOKED)
        self.assert_refused()
        self.assertEqual([r["action"] for r in self.audit(self.id)][-2:], ["revoked_from", "cut_reached"])
        self.assertEqual(self.fsck()["batches"], 5 + 5)
        self.assertTrue(self.assert_published()[-2]["is_empty"])

    def test_from_the_theft_on_nothing_is_believed_and_nothing_is_deleted(self):
        self.begin()
        self.revoke_from("3", "--yes", expect=3)
        self.revoke_from("0/4294967295", "--yes", expect=3)
        self.decide("retire", "--from-seq", "0/3", "--yes", expect=3)
        path = f"/devices/{self.id}/decision"
        for body, says in (('{"decision": "revoke", "reason": "x", "seq": 1}', "together"),
                           ('{"decision": "revoke", "reason": "x", "stream": 1}', "together"),
                           ('{"decision": "retire", "reason": "x", "stream": 1, "seq": 1}', "only with revoke"),
                           ('{"decision": "revoke", "reason": "x", "stream": -1, "seq": 1}', "is a number")):
            status, text = self.ask(path, body)
            self.assertEqual(status, 400, (body, text))
            self.assertIn(says, text)
        self.check_theft()
        self.check_backlog()

    def test_the_same_with_postgresql(self):
        self.begin(self.own(Postgres(self.folder)).ledger())
        self.check_theft()
        self.check_backlog()


class TrustTopicTest(BrokerTest):
    """The same events out of Kafka."""

    assert_published = SuspectTest.assert_published
    headrace, audit, decide = RegistryTest.headrace, RegistryTest.audit, RegistryTest.decide

    def published(self):
        with contextlib.suppress(subprocess.CalledProcessError):  # the topic is not there yet
            return self.broker.tail("headrace.trust")
        return []

    def test_each_decision_is_one_event_whenever_the_publisher_dies(self):
        self.site = harness.Site(self.folder)
        self.id = str(self.site.enrol("gw1").device_id)
        self.aggregator = self.own(harness.Aggregator(self.site, sinks=self.broker.sinks()))
        self.aggregator.start()
        self.assert_published()
        for i, failpoint in enumerate(("publish_begun:1", "publish_before_commit:1", "kafka_cursor_put:1", "publish_after_commit:1")):
            self.aggregator.stop()
            self.aggregator.start(env={"HEADRACE_FAILPOINT": failpoint})
            with contextlib.suppress(AssertionError):  # it may die before it answers
                self.decide("release" if i % 2 else "quarantine")
            harness.wait_for("the aggregator to have died", lambda: not self.aggregator.process.alive())
            self.aggregator.start()
            self.decide("release" if i % 2 else "quarantine")
            self.assertEqual(len(self.assert_published()), 2 + i)
        # Kafka forgot the cursor: what stands in the topic tells it.
        self.aggregator.stop()
        self.broker.run("forget", "--whole", "--topics", "headrace.cursor")
        self.aggregator.start()
        self.decide("quarantine")
        self.assertEqual(len(self.assert_published()), 6)


if __name__ == "__main__":
    unittest.main()
