#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks on the way from a device to the ledger, each by a real client against a real aggregator. The rows are those of
the threat table in tests/README.md, which says where the others are tested."""
import base64
import contextlib
import json
import random
import re
import shutil
import sqlite3
import sys
import threading
import time
import unittest

import wire
from harness import ROOT, Aggregator, Site, SystemTest, program, run, wait_for
from pipeline import Collector
from probe import Probe, Relay
from proxies import UdpProxy
from test_collector import sentence

AIS = bytes(21)
SETTLED_S = 3
DATA_TYPES = (23, 25)  # of DTLS records, with and without a connection id
EVENT_FORK, EVENT_AGGREGATOR_AHEAD = 1, 3
HELLOS, FLOODERS = 20000, 200
FLOOD_MAX_KIB = 24 * 1024  # what a flood may add to the aggregator, sanitizers and allocator included


class Attacks(SystemTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.device = self.site.enrol("gw1")
        self.key = wire.Key(self.device.record_key)
        self.stream = wire.Stream(self.device.device_id)
        self.aggregator = self.own(Aggregator(self.site))

    def connect(self, uri=None, device=None):
        return self.own(Probe(uri or self.aggregator.coaps, device or self.device))

    def records(self, n=2):
        return [wire.ais_record(AIS, dt_ms=i) for i in range(n)]

    def post(self, probe, batch, status, code=None, key=None):
        """What this answer must say, to a batch or to the bytes of one."""
        envelope = batch if isinstance(batch, bytes) else batch.envelope(key or self.key)
        answer = probe.post(envelope)
        self.assertEqual(answer.ack and answer.ack.status, status, answer)
        if code is not None:
            self.assertEqual(answer.code, code, answer)
        return answer

    def commit_next(self, probe):
        batch = self.stream.next(self.records())
        self.post(probe, batch, wire.OK)
        return batch

    def leaves(self):
        return self.aggregator.query("SELECT size FROM log_head")[0][0]

    def digests(self):
        return [bytes(digest) for (digest,) in self.aggregator.query("SELECT digest FROM batch ORDER BY leaf")]

    def evidence(self):
        """(kind, the digest that stood there, of the envelope that came) of each conflict."""
        return [(kind, bytes(known), bytes(envelope)) for kind, known, envelope in
                self.aggregator.query("SELECT kind, known_digest, envelope FROM conflict ORDER BY id")]

    def collector(self, address, n_sentences, name="recording", **more):
        recording = self.folder / f"{name}.nmea"
        recording.write_text("".join(sentence(i) for i in range(n_sentences)))
        return self.own(Collector(self.device, [address], f"  - {{type: ais, source: file, path: {recording}}}\n", **more))

    def registered(self, device=None):
        return self.aggregator.query("SELECT state FROM device WHERE device = ?", (device or self.device).device_id)[0][0]

    # ---- T1 ----

    def test_T1_batches_that_are_replayed_in_any_session_add_nothing(self):
        self.aggregator.start()
        relay = self.own(Relay(self.aggregator.port))
        probe = self.connect(f"coaps://127.0.0.1:{relay.port}")
        sent = [self.commit_next(probe) for _ in range(5)]
        recorded = list(relay.to_server)
        for _ in range(2):  # the datagrams, as they were recorded, from where they came and from elsewhere
            for datagram in recorded:
                relay.back.sendto(datagram, relay.server)
            relay.rebind()
        other = self.connect()
        for batch in sent:
            self.post(other, batch, wire.DUPLICATE)
        self.assertEqual(self.digests(), [batch.digest for batch in sent])
        self.assertEqual(self.evidence(), [])
        self.commit_next(other)

    # ---- T5 ----

    def test_T5_a_flood_of_client_hellos_takes_no_memory_and_no_service(self):
        self.aggregator.start()
        probe = self.connect()
        self.commit_next(probe)
        relay = self.own(Relay(self.aggregator.port))
        self.own(Probe(f"coaps://127.0.0.1:{relay.port}", self.device)).head()
        hello = relay.to_server[0]
        self.assertEqual((hello[0], hello[13]), (22, 1), "a ClientHello")
        before = self.resident_kib()
        sockets = [relay._new_back() for _ in range(FLOODERS)]
        sent, is_over = [0], threading.Event()

        def flood():
            while not is_over.is_set() or sent[0] < HELLOS:
                sockets[sent[0] % FLOODERS].sendto(hello, relay.server)
                sent[0] += 1

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            for _ in range(5):
                self.commit_next(probe)
        finally:
            is_over.set()
            flooding.join()
        for socket in sockets:
            socket.close()
        grown = self.resident_kib() - before
        print(f"T5: {sent[0]} hellos from {FLOODERS} addresses, meanwhile 5 batches committed; {grown} KiB more resident",
              flush=True)
        self.assertLess(grown, FLOOD_MAX_KIB)
        self.commit_next(probe)

    def resident_kib(self):
        with open(f"/proc/{self.aggregator.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    # ---- T7 ----

    def test_T7_a_relay_that_changes_and_forges_what_it_carries_frees_and_alters_nothing(self):
        self.aggregator.start()
        relay = self.own(Forger(self.aggregator.port, random.Random(7)))
        collector = self.collector(f"coaps://127.0.0.1:{relay.port}", 3000, more="seal: {max_bytes: 1000}\n")
        collector.start()
        wait_for("answers to be forged", lambda: relay.counts["forged_answers"] > 0)
        settled = time.time() + SETTLED_S  # what was true has been heard by then, and a status is written each second
        before = collector.wait_status("a status of since then", lambda s: s["acked_batches"] > 0 and s["next_record_seq"] >= 3000
                                       and collector.status_path.stat().st_mtime > settled)["acked_batches"]
        at = relay.counts["forged_answers"]
        wait_for("answers to be forged", lambda: relay.counts["forged_answers"] > at, 180)
        self.assertEqual(collector.status()["acked_batches"], before, "nothing is freed for a forged answer")
        relay.forging = None
        status = collector.wait_status("all to be acknowledged", lambda s: s["drained"] and s["next_record_seq"] >= 3000)
        headers = [bytes(header) for (header,) in
                   self.aggregator.query("SELECT substr(envelope, 1, 108) FROM batch ORDER BY leaf")]
        next_record = 0
        for header in headers:
            self.assertEqual(int.from_bytes(header[22:28], "big"), next_record)
            next_record += int.from_bytes(header[28:30], "big")
        self.assertEqual(next_record, status["next_record_seq"])
        self.assertEqual(self.evidence(), [])
        print(f"T7: {relay.counts['forged']} datagrams changed or made up, {relay.counts['forged_answers']} answers forged; "
              f"{next_record} records once", flush=True)

    # ---- T9 ----

    def test_T9_two_batches_for_one_place_in_either_order_and_at_once_leave_one_and_the_evidence(self):
        self.aggregator.start()
        probes = [self.connect(), self.connect()]
        for round_, is_swapped in enumerate((False, True, False, True)):
            if round_ > 0:
                self.release()
            twins = [self.stream.peek(self.records(2)), self.stream.peek(self.records(3))]
            if is_swapped:
                twins.reverse()
            tokens = [probe.send(twin.envelope(self.key)) for probe, twin in zip(probes, twins)]
            statuses = [probe.answer(token).ack.status for probe, token in zip(probes, tokens)]
            self.assertEqual(sorted(statuses), [wire.OK, wire.EQUIVOCATION])
            won, lost = twins if statuses[0] == wire.OK else reversed(twins)
            self.assertEqual(self.digests()[round_:], [won.digest])
            kind, known, envelope = self.evidence()[round_]
            self.assertEqual((kind, known, envelope[:108]), ("equivocation", won.digest, lost.header))
            self.stream.next(won.records)

    def release(self):
        self.site.decide("activate", self.device.device_id, "looked at it")
        probe = self.connect()
        wait_for("the device to be active", lambda: probe.head().ack.status == wire.OK)

    # ---- T10 ----

    def test_T10_a_clone_is_found_with_its_second_batch_at_the_latest(self):
        self.aggregator.start()
        probe, clone = self.connect(), self.connect()
        for _ in range(3):
            last = self.commit_next(probe)
        head = clone.head()
        self.assertEqual(head.ack.cum_seq, 2, "a clone without the spool finds a stream that it does not know")
        other = wire.Stream(self.device.device_id, stream=1, last_digest=last.digest)
        self.post(clone, other.next(self.records()), wire.OK)
        original = self.stream.next(self.records())
        self.post(probe, original, wire.FORK, "4.09")
        self.post(clone, other.next(self.records()), wire.QUARANTINED, "4.03")
        self.post(probe, original, wire.QUARANTINED, "4.03")
        (kind, _, envelope), = self.evidence()
        self.assertEqual((kind, envelope[:108]), ("fork", original.header))
        self.assertEqual(self.leaves(), 4)

    # ---- T11 ----

    def test_T11_a_thief_of_the_old_key_signs_nothing_that_fits(self):
        self.aggregator.start()
        probe = self.connect()
        self.commit_next(probe)
        new = wire.Key(0x123456789)
        records = self.records() + [wire.key_switch_record(self.stream, new)]
        switch = self.stream.next(records, flags=wire.KEY_SWITCH)
        self.post(probe, switch, wire.OK)
        self.stream.epoch = 2
        self.post(probe, self.stream.next(self.records()), wire.OK, key=new)
        before = self.digests()
        forged = self.stream.peek(self.records(), epoch=1)
        self.post(probe, forged, wire.BAD_SIGNATURE, "4.22")           # behind the switch, as the old epoch
        self.post(probe, self.stream.peek(self.records()), wire.BAD_SIGNATURE, "4.22")  # as the new epoch
        self.assertEqual(self.evidence(), [], "a key that may not sign there proves nothing")
        self.post(probe, self.stream.next(self.records()), wire.OK, key=new)
        past = wire.Batch(self.device.device_id, 1, self.records(3), switch.prev, first_record=2)
        self.post(probe, past, wire.EQUIVOCATION, "4.09")              # before it: that place is taken
        self.assertEqual(self.digests()[:3], before)

    # ---- T12 ----

    def test_T12_a_key_made_to_fit_a_signature_does_not_verify_it(self):
        batch = self.stream.next(self.records())
        envelope = batch.envelope(self.key)
        signature, message = envelope[108:172], batch.tbs(self.key)
        other = wire.other_key_of(signature, message, self.key.spki)
        self.assertNotEqual(other, self.key.spki)
        self.assertTrue(wire.verifies(other, message, signature), "by ECDSA alone it is a signature of that key too")
        entry = self.site.registry / f"{self.device.device_id}.yaml"
        text = entry.read_text()
        own, wrong = (base64.b64encode(spki).decode() for spki in (self.key.spki, other))
        self.assertIn(own, text)
        entry.write_text(text.replace(own, wrong))
        self.aggregator.start()
        self.post(self.connect(), envelope, wire.BAD_SIGNATURE, "4.22")
        self.assertEqual(self.leaves(), 0)

    # ---- T13 ----

    def test_T13_the_other_form_of_a_signature_is_the_same_batch(self):
        self.aggregator.start()
        probe = self.connect()
        batch = self.stream.next(self.records())
        envelope = batch.envelope(self.key)
        s = int.from_bytes(envelope[140:172], "big")
        twin = envelope[:140] + (wire.N - s).to_bytes(32, "big") + envelope[172:]
        self.assertTrue(wire.verifies(self.key.spki, batch.tbs(self.key), twin[108:172]))
        self.post(probe, envelope, wire.OK)
        self.post(probe, twin, wire.DUPLICATE, "2.04")
        self.assertEqual(self.leaves(), 1)
        self.assertEqual(self.evidence(), [])
        after = self.stream.next(self.records())
        bare = after.envelope(self.key)
        s = int.from_bytes(bare[140:172], "big")
        self.post(probe, bare[:140] + (wire.N - s).to_bytes(32, "big") + bare[172:], wire.OK)
        self.post(probe, bare, wire.DUPLICATE)

    # ---- T15 ----

    def test_T15_a_spool_that_is_rolled_back_opens_a_new_stream_and_says_so(self):
        self.aggregator.start()
        collector = self.deliver(500, "first")
        shutil.copy(collector.spool, self.folder / "old-spool")
        self.deliver(400, "second")
        shutil.copy(self.folder / "old-spool", collector.spool)
        collector = self.deliver(300, "third")
        self.assertIn(collector.process.wait_event("uplink_event")["code"], (EVENT_FORK, EVENT_AGGREGATOR_AHEAD))
        streams = [stream for (stream,) in self.aggregator.query("SELECT stream FROM batch ORDER BY leaf")]
        self.assertEqual((streams[0], streams[-1]), (0, 1))
        self.assertEqual(streams, sorted(streams))
        self.assertEqual(self.evidence(), [])

    def deliver(self, n_sentences, name):
        """A collector on the device's spool that has delivered a recording and ended."""
        collector = self.collector(self.aggregator.coaps_tcp, n_sentences, name)
        collector.start("--once")
        self.assertEqual(collector.process.wait(), 0)
        self.assertTrue(json.loads(collector.status_path.read_text())["drained"])
        return collector

    # ---- T18 ----

    def test_T18_a_key_that_was_swapped_in_the_ledger_is_found_and_costs_no_data(self):
        self.aggregator.start()
        self.deliver(200, "first")
        self.aggregator.stop()
        fsck = [program("headrace"), "ledger", "fsck", self.aggregator.ledger]
        run(*fsck)
        with contextlib.closing(sqlite3.connect(self.aggregator.ledger)) as ledger, ledger:
            ledger.execute("UPDATE device_key SET spki = ?", (wire.Key(0x5117).spki,))
        print(run(*fsck, expect=1).stdout)
        self.aggregator.start()
        leaves = self.leaves()
        late = self.collector(self.aggregator.coaps_tcp, 100, "late").start()
        late.process.wait_event("uplink_event")
        status = late.wait_status("a status", lambda s: s["next_record_seq"] >= 300)
        self.assertGreater(status["sealed_batches"], status["acked_batches"])
        self.assertEqual(self.leaves(), leaves)


class Table(unittest.TestCase):
    def test_every_row_names_tests_that_are_there(self):
        table = (ROOT / "tests/README.md").read_text().split("## Attacks")[1]
        rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| T")]
        for row, attack, shown_by, _ in rows:
            file, n_names = None, 0
            for name in re.findall(r"`([^`]+)`", shown_by):
                if "/" in name:
                    file = (ROOT / "tests" / name).read_text()
                    n_names += name.startswith("fuzz/")
                else:
                    self.assertRegex(file, rf"\b{name.replace('*', '')}", row)
                    n_names += 1
            self.assertGreater(n_names, 0, attack)
        print("attacks:", ", ".join(row.strip() for row, *_ in rows), flush=True)


class Forger(UdpProxy):
    """A relay that changes, cuts and makes up what it carries, without the keys of either side."""

    forging = "some"  # a third of the data, either way; "answers": each answer, so that none that is true arrives; None
    SOME = 40         # data records of the server, then answers

    def change(self, data, is_to_server):
        self.counts["answers"] += not is_to_server and data[0] in DATA_TYPES
        if self.forging == "some" and self.counts["answers"] > self.SOME:
            self.forging = "answers"
        draw = self._random.random()
        if self.forging == "answers" and not is_to_server:
            self.counts["forged_answers"] += 1
            return [self.forged(data), data[:13] + self._random.randbytes(len(data) - 13)]
        if self.forging != "some" or draw > 1 / 3 or data[0] not in DATA_TYPES:
            return [data]
        self.counts["forged"] += 1
        return [self.forged(data), data] if draw > 1 / 6 else [self.forged(data)]

    def forged(self, data):
        kind = self._random.randrange(3)
        if kind == 0:
            at = self._random.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << self._random.randrange(8)]) + data[at + 1:]
        if kind == 1:
            return data[:self._random.randrange(1, len(data))]
        return data[:13] + self._random.randbytes(self._random.randrange(1, 200))


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
