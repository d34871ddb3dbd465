#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Eight clients at once, before eight verifying threads: four sessions of one device send the same batches in orders of their
own, and four of another send two histories that contradict each other. Each place of the log is given once."""
import collections
import json
import subprocess
import sys
import threading
import unittest

import harness
import wire
from pipeline import EVENTS, seeded
from probe import Probe

N_BATCHES, FORK_AT, N_SESSIONS, WINDOW = 40, 20, 4, 4
PATIENCE_S = 240
TAKEN = (wire.OK, wire.DUPLICATE)
REFUSED = (wire.FORK, wire.EQUIVOCATION, wire.QUARANTINED)


def history(device, fork_at=None):
    """(digests, envelopes) of a device's batches; those of a fork say other things from its place on."""
    key, stream = wire.Key(device.record_key), wire.Stream(device.device_id)
    batches = [stream.next([wire.event_record(1, f"{'b' if fork_at is not None and seq >= fork_at else 'a'}{seq}")])
               for seq in range(N_BATCHES)]
    return [batch.digest.hex() for batch in batches], [batch.envelope(key) for batch in batches]


class Client(threading.Thread):
    """A session that sends every batch in an order of its own, some of them twice at once, until each has its answer."""

    def __init__(self, uri, device, envelopes, order):
        super().__init__(daemon=True)
        self.uri, self.device, self.envelopes, self.order = uri, device, envelopes, order
        self.answers = collections.Counter()
        self.failure = None

    def run(self):
        try:
            probe = Probe(self.uri, self.device)
            try:
                self.send_all(probe)
            finally:
                probe.close()
        except Exception as failure:  # told by the test's own thread
            self.failure = failure

    def send_all(self, probe):
        left = list(self.order)
        while left:
            window = left[:WINDOW]
            tokens = [(seq, probe.send(self.envelopes[seq])) for seq in [*window, window[0]]]
            told = {}
            for seq, token in tokens:
                status = probe.answer(token, PATIENCE_S).ack.status
                self.answers[status] += 1
                told[seq] = status
            if any(status in REFUSED for status in told.values()):
                return
            # What came too early goes to the end of the line.
            left = left[WINDOW:] + [seq for seq in window if told[seq] not in TAKEN]


class Threads(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.site = harness.Site(self.folder)
        self.good, self.cloned = self.site.enrol("good"), self.site.enrol("cloned")
        self.aggregator = self.own(harness.Aggregator(self.site, extra="verify_threads: 8\n")).start()

    def clients(self, device, histories):
        """A session for each history; the beginning of the order is nearly that of the device, as on a bad network."""
        for envelopes in histories:
            order = sorted(range(N_BATCHES), key=lambda seq: seq + self.random.random() * 6)
            yield Client(self.aggregator.coaps, device, envelopes, order)

    def digests(self, device):
        return [row[0] for row in self.aggregator.query(
            "SELECT lower(hex(digest)) FROM batch WHERE device = ? ORDER BY leaf", device.device_id)]

    def test_duplicates_and_conflicts_from_eight_clients_at_once(self):
        digests, envelopes = history(self.good)
        (one, ones), (two, twos) = history(self.cloned), history(self.cloned, FORK_AT)
        clients = [*self.clients(self.good, [envelopes] * N_SESSIONS), *self.clients(self.cloned, [ones, twos, ones, twos])]
        for client in clients:
            client.start()
        for client in clients:
            client.join(PATIENCE_S)
            self.assertFalse(client.is_alive(), f"{client.answers} and no end")
            if client.failure is not None:
                raise client.failure
        self.assertEqual(self.digests(self.good), digests)
        cloned = self.digests(self.cloned)
        self.assertIn(cloned, (one[:len(cloned)], two[:len(cloned)]), "one history of the two, without a hole")
        self.assertGreater(len(cloned), 0)
        self.assertGreater(self.aggregator.query("SELECT count(*) FROM conflict")[0][0], 0)
        answers = sum((client.answers for client in clients), collections.Counter())
        self.assertGreater(answers[wire.DUPLICATE], N_BATCHES)
        n_leaves = len(digests) + len(cloned)
        self.assert_published_once(n_leaves)
        print(f"{answers.total()} answers {dict(answers)}: {n_leaves} leaves, each published once", flush=True)

    def assert_published_once(self, n_leaves):
        self.aggregator.wait_metric('headrace_publish_next_leaf{sink="files"}', n_leaves)
        tail = subprocess.run([harness.program("headrace"), "tail", "--files", self.aggregator.files, "--topic", EVENTS],
                              stdout=subprocess.PIPE, text=True, check=True)
        leaves = collections.Counter(json.loads(line)["leaf"] for line in tail.stdout.splitlines())
        self.assertEqual(leaves, collections.Counter(range(n_leaves)))


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
