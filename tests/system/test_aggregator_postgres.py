# SPDX-License-Identifier: Apache-2.0
"""The aggregator on PostgreSQL as its operator meets it: a server that goes away and comes back, a second aggregator that
takes over, a commit whose end nobody knows, and a password that nobody sees."""
import contextlib
import json
import pathlib
import unittest

import harness
import wire
from postgres import Postgres
from probe import Probe

PATIENCE_S = 120


class PostgresTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.postgres = self.own(Postgres(self.folder))
        self.device = self.site.enrol("gw1")
        self.key, self.stream = wire.Key(self.device.record_key), wire.Stream(self.device.device_id)
        self.aggregator = self.own(self.make("aggregator"))

    def make(self, name, **more):
        return harness.Aggregator(self.site, name=name, limits={"retry_after": "1s"}, ledger=self.postgres.ledger(**more))

    def connect(self, aggregator=None):
        return self.own(Probe((aggregator or self.aggregator).coaps, self.device))

    def next_envelope(self):
        return self.stream.next([wire.ais_record(bytes(21))]).envelope(self.key)

    def post_until_taken(self, probe, envelope):
        """What a collector does: again and again while it is told to wait. Gives what it was told on the way."""
        refusals = []

        def post():
            answer = probe.post(envelope)
            if answer.ack.status == wire.UNAVAILABLE:
                refusals.append(answer)
                return None
            self.assertIn(answer.ack.status, (wire.OK, wire.DUPLICATE), answer)
            return answer

        harness.wait_for("the batch to be taken", post, PATIENCE_S)
        return refusals

    def leaves(self):
        return [(int(leaf), int(seq)) for leaf, seq in self.postgres.query("SELECT leaf, seq FROM batch ORDER BY leaf")]

    def test_a_server_that_is_away_makes_collectors_wait_and_loses_nothing(self):
        self.aggregator.ledger_section = self.postgres.ledger(connect_timeout="1s", commit_timeout="120s")
        self.aggregator.start()
        probe = self.connect()
        self.assertEqual(self.post_until_taken(probe, self.next_envelope()), [])
        for kill in (self.postgres.kill, self.postgres.stop):
            kill()
            envelope = self.next_envelope()
            answer = probe.post(envelope)
            self.assertEqual((answer.code, answer.ack.status, answer.max_age), ("5.03", wire.UNAVAILABLE, 1), answer)
            status, text = self.aggregator.http("/readyz")
            self.assertEqual(status, 503)
            self.assertIn('"ledger":"away"', text)
            self.assertEqual(self.aggregator.metric("headrace_ledger_health"), 3)
            self.aggregator.process.wait_event("ledger_away")
            self.postgres.start()
            harness.wait_for("it to be ready again", lambda: self.aggregator.http("/readyz")[0] == 200, PATIENCE_S)
            self.post_until_taken(probe, envelope)
        self.assertEqual(self.leaves(), [(0, 0), (1, 1), (2, 2)])
        self.assertGreater(self.aggregator.metric("headrace_commit_groups_away_total"), 0)

    def test_a_second_aggregator_takes_over_and_the_first_ends_with_its_own_exit_code(self):
        self.aggregator.start()
        self.post_until_taken(self.connect(), self.next_envelope())
        second = self.own(self.make("second")).start()
        self.assertEqual(self.aggregator.process.wait(PATIENCE_S), 5)
        self.assertIn("another process", self.aggregator.process.wait_event("taken_over")["text"])
        self.post_until_taken(self.connect(second), self.next_envelope())
        self.aggregator.start()
        self.assertEqual(second.process.wait(PATIENCE_S), 5)
        self.post_until_taken(self.connect(), self.next_envelope())
        self.assertEqual(self.leaves(), [(0, 0), (1, 1), (2, 2)])

    def test_a_commit_whose_end_can_not_be_read_back_ends_the_process_without_an_answer(self):
        """A standby that never answers: COMMIT stands in the server's own log and nowhere else."""
        self.aggregator.ledger_section = self.postgres.ledger(connect_timeout="1s", commit_timeout="3s")
        self.aggregator.start()
        probe = self.connect()
        self.post_until_taken(probe, self.next_envelope())
        self.postgres.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        self.postgres.psql("SELECT pg_reload_conf()")
        harness.wait_for("the server to want a standby", lambda: self.postgres.psql("SHOW synchronous_standby_names")
                         == "nobody\n", PATIENCE_S)
        envelope = self.next_envelope()
        token = probe.send(envelope)
        self.assertEqual(self.aggregator.process.wait(PATIENCE_S), 4)
        self.aggregator.process.wait_event("ledger_outcome_unknown")
        self.assertEqual(probe.answers(token), [])
        self.postgres.psql("ALTER SYSTEM RESET synchronous_standby_names")
        self.postgres.psql("SELECT pg_reload_conf()")
        self.aggregator.start()
        self.post_until_taken(self.connect(), envelope)
        self.assertEqual(self.leaves(), [(0, 0), (1, 1)])

    def test_the_password_is_told_to_nobody(self):
        password = self.postgres.password_file.read_text().strip()
        self.aggregator.start()
        self.post_until_taken(self.connect(), self.next_envelope())
        self.assertNotIn(password.encode(), pathlib.Path(f"/proc/{self.aggregator.process.pid}/cmdline").read_bytes())
        self.assertNotIn(password.encode(), pathlib.Path(f"/proc/{self.aggregator.process.pid}/environ").read_bytes())
        self.postgres.psql("ALTER ROLE headrace PASSWORD 'another'")
        self.postgres.kill()
        self.postgres.start()
        harness.wait_for("it to complain", lambda: any("password authentication failed" in line
                                                       for line in self.aggregator.process.lines), PATIENCE_S)
        self.postgres.password_file.write_text("another\n")  # it is read again at each connect
        harness.wait_for("it to be ready again", lambda: self.aggregator.http("/readyz")[0] == 200, PATIENCE_S)
        self.post_until_taken(self.connect(), self.next_envelope())
        self.assertEqual([line for line in self.aggregator.process.lines if password in line or "another" in line], [])

    def test_the_ledger_is_looked_into_by_the_configuration(self):
        self.aggregator.start()
        probe = self.connect()
        for _ in range(3):
            self.post_until_taken(probe, self.next_envelope())
        words = ("ledger", "inspect", "--config", self.aggregator.config)
        told = json.loads(self.site.headrace(*words, "--json").stdout)
        self.assertEqual((told["size"], told["streams"][0]["cum_seq"], told["devices"][0]["state"]), (3, 2, "active"))
        self.assertIn("seq      2", self.site.headrace(*words, "--leaf", 2).stdout)
        self.site.headrace(*words, self.aggregator.ledger, expect=3)
        self.site.headrace("ledger", "inspect", expect=3)
        self.site.headrace("ledger", "inspect", "--config", self.folder / "none", expect=1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
