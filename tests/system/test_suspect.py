#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A device is revoked from the place on at which it was stolen (`headrace device revoke ID --from-seq STREAM/SEQ`), against
a running aggregator, on SQLite and on PostgreSQL: what the thief delivered until then is marked and stays, what comes
afterwards is refused, and a backlog from before the theft is taken up to that place, across a SIGKILL."""
import json
import unittest

import harness
import wire
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


if __name__ == "__main__":
    unittest.main()
