# SPDX-License-Identifier: Apache-2.0
"""Who is let in, what networks and forgers can do to a session, and what a crash leaves behind: the aggregator under
real certificates, a relay that behaves like a network, and SIGKILL."""
import contextlib
import os
import re
import signal
import socket
import sqlite3
import unittest

import harness
import wire
from probe import Probe, Relay

AIS = bytes(21)


def has_failpoints():
    return b"HEADRACE_FAILPOINT" in (harness.BIN / "headrace-aggregator").read_bytes()


class SessionTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.device = self.site.enrol("gw1")
        self.key = wire.Key(self.device.record_key)
        self.stream = wire.Stream(self.device.device_id)
        self.aggregator = self.own(harness.Aggregator(self.site))

    def connect(self, uri=None, device=None, **kwargs):
        return self.own(Probe(uri or self.aggregator.coaps, device or self.device, **kwargs))

    def next_envelope(self, n=2):
        return self.stream.next([wire.ais_record(AIS, dt_ms=i) for i in range(n)]).envelope(self.key)

    def commit_next(self, probe):
        answer = probe.post(self.next_envelope())
        self.assertEqual((answer.code, answer.ack.status, answer.ack.cum_seq), ("2.04", wire.OK, self.stream.seq - 1),
                         answer)

    def leaves(self):
        return self.aggregator.query("SELECT size FROM log_head")[0][0]


class AdmissionTest(SessionTest):
    """Certificates and the registry."""

    def assert_refused(self, probe, metric, event="session_refused", **fields):
        probe.send_head("s=0")
        probe.wait_closed()
        self.aggregator.wait_metric(metric, 1)
        self.aggregator.process.wait_event(event, **fields)
        good = self.connect()
        self.commit_next(good)

    def test_a_certificate_of_another_authority_is_refused(self):
        self.aggregator.start()
        other = harness.Site(self.folder / "other")
        stranger = other.enrol("gw1", device_id=self.device.device_id)
        self.assert_refused(self.connect(device=stranger, trusted=self.device.trusted),
                            "headrace_coap_certificates_untrusted_total")
        self.assertGreaterEqual(self.aggregator.metric("headrace_coap_handshakes_failed_total"), 1)

    def test_a_certificate_of_another_authority_is_refused_over_tcp(self):
        self.aggregator.start()
        other = harness.Site(self.folder / "other")
        stranger = other.enrol("gw1", device_id=self.device.device_id)
        self.assert_refused(self.connect(self.aggregator.coaps_tcp, stranger, trusted=self.device.trusted),
                            "headrace_coap_certificates_untrusted_total")

    def test_a_server_certificate_does_not_open_a_session(self):
        self.aggregator.start()
        self.site.headrace("ca", "server", "--dir", self.site.ca, "--name", "impostor")
        self.assert_refused(self.connect(certificate=self.site.ca / "impostor.crt", key=self.site.ca / "impostor.key"),
                            "headrace_coap_certificates_untrusted_total")

    def test_a_device_that_is_not_in_the_registry_is_refused(self):
        self.aggregator.start()
        stranger = self.site.enrol("gw9", device_id=9, registry=self.folder / "elsewhere")
        self.assert_refused(self.connect(device=stranger), "headrace_coap_devices_refused_total", device_id=9)

    def test_a_server_of_another_authority_is_refused_by_the_client_and_told_here(self):
        self.aggregator.start()
        other = harness.Site(self.folder / "other")
        probe = self.connect(trusted=other.ca / "server-ca.crt")
        probe.send_head("s=0")
        probe.wait_closed()
        self.aggregator.wait_metric("headrace_coap_handshakes_failed_total", 1)
        self.aggregator.process.wait_event("handshake_failed")
        self.commit_next(self.connect())

    def test_an_expired_certificate_is_accepted_and_told(self):
        self.aggregator.start()
        expired = self.device.folder / "expired.crt"
        harness.issue_expired(self.site.ca / "device-ca", self.device.key, f"/CN=headrace-device-{self.device.device_id:016x}",
                              "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth", expired)
        self.commit_next(self.connect(certificate=expired))
        self.assertEqual(self.aggregator.metric("headrace_coap_certificates_expired_total"), 1)
        self.aggregator.process.wait_event("certificate_expired", device_id=self.device.device_id)

    def test_revocation_ends_the_session_and_refuses_the_next(self):
        self.aggregator.start()
        probe = self.connect()
        self.commit_next(probe)
        self.site.decide("revoke", self.device.device_id, "stolen")
        self.aggregator.wait_metric("headrace_coap_sessions_dropped_total", 1)
        again = self.connect()
        again.send_head("s=0")
        again.wait_closed()
        self.aggregator.wait_metric("headrace_coap_devices_refused_total", 1)
        self.assertEqual(self.leaves(), 1)
        self.site.decide("activate", self.device.device_id, "found")
        harness.wait_for("the entry to be taken", lambda: self.aggregator.query(
            "SELECT revision FROM device")[0][0] == 3)
        self.commit_next(self.connect())

    def test_quarantine_is_told_and_ends_without_a_restart(self):
        self.aggregator.start()
        probe = self.connect()
        self.commit_next(probe)
        self.site.decide("quarantine", self.device.device_id)
        harness.wait_for("the quarantine", lambda: probe.head().ack.status == wire.QUARANTINED)
        envelope = self.next_envelope()
        answer = probe.post(envelope)
        self.assertEqual((answer.code, answer.ack.status), ("4.03", wire.QUARANTINED))
        self.site.decide("activate", self.device.device_id)
        harness.wait_for("the end of the quarantine", lambda: probe.head().ack.status == wire.OK)
        self.assertEqual(probe.post(envelope).ack.status, wire.OK)

    def test_a_new_device_is_let_in_without_a_restart(self):
        self.aggregator.start()
        second = self.site.enrol("gw2")
        harness.wait_for("two devices", lambda: self.aggregator.metric("headrace_devices") == 2)
        probe = self.connect(device=second)
        batch = wire.Stream(second.device_id).next([wire.ais_record(AIS)])
        self.assertEqual(probe.post(batch.envelope(wire.Key(second.record_key))).ack.status, wire.OK)

    def test_a_broken_registry_entry_is_told_with_line_and_key_and_changes_nothing(self):
        self.aggregator.start()
        entry = self.site.registry / f"{self.device.device_id}.yaml"
        good = entry.read_text()
        entry.write_text(good.replace("state: active", "state: asleep").replace("revision: 1", "revision: x"))
        self.aggregator.wait_metric("headrace_registry_file_errors_total", 1)
        told = self.aggregator.process.wait_event("registry_entry_unreadable", key="state")
        self.assertEqual((told["file"], told["line"]), (str(entry), 4))
        self.aggregator.process.wait_event("registry_entry_unreadable", key="revision")
        self.commit_next(self.connect())
        (self.site.registry / "77.yaml").write_text(good)
        self.aggregator.process.wait_event("registry_entry_unreadable", file=str(self.site.registry / "77.yaml"))
        entry.write_text(good)
        self.commit_next(self.connect())

    def test_a_sixth_session_of_a_device_takes_the_place_of_the_oldest(self):
        self.aggregator.start()
        for _ in range(6):
            newest = self.connect()
            self.commit_next(newest)
        self.aggregator.wait_metric("headrace_coap_sessions_evicted_total", 2)
        harness.wait_for("four sessions", lambda: self.aggregator.metric("headrace_coap_sessions") == 4)
        self.commit_next(newest)

    def test_sessions_are_bounded(self):
        self.aggregator.limits = {"max_sessions": 2}
        devices = [self.device, self.site.enrol("gw2"), self.site.enrol("gw3")]
        self.aggregator.start()
        for device in devices:
            self.assertEqual(self.connect(device=device).head().ack.status, wire.OK)
        harness.wait_for("two sessions", lambda: self.aggregator.metric("headrace_coap_sessions") == 2)
        self.commit_next(self.connect())

    def test_strangers_end_nobodys_session(self):
        """With every place taken, and whatever strangers send."""
        self.aggregator.limits = {"max_sessions": 2}
        second = self.site.enrol("gw2")
        self.aggregator.start()
        relay = self.own(Relay(self.aggregator.port))
        probes = [self.connect(f"coaps://127.0.0.1:{relay.port}"), self.connect(device=second)]
        self.commit_next(probes[0])
        self.assertEqual(probes[1].head().ack.status, wire.OK)
        hello = relay.to_server[0]
        self.assertEqual((hello[0], hello[13]), (22, 1), "a ClientHello")
        for number in range(40):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for datagram in (os.urandom(60), hello, relay.to_server[-1], bytes([25]) + os.urandom(80)):
                    stranger.sendto(datagram, ("127.0.0.1", self.aggregator.port))
            with socket.create_connection(("127.0.0.1", self.aggregator.port)) as stranger:
                stranger.sendall(os.urandom(60))
            if number % 10 == 0:
                self.commit_next(probes[0])  # and with it all that came before has been read
        other = harness.Site(self.folder / "other")
        foreign = other.enrol("gw1")

        def refused():  # strangers' hellos may hold every place of a handshake for a while
            self.connect(device=foreign, trusted=self.device.trusted).wait_closed()
            return self.aggregator.metric("headrace_coap_certificates_untrusted_total") >= 1
        harness.wait_for("a certificate of another authority to be refused", refused)
        self.commit_next(probes[0])
        self.assertEqual(probes[1].head().ack.status, wire.OK)
        metrics = self.aggregator.metrics()
        self.assertEqual([metrics[f"headrace_coap_sessions_{what}_total"] for what in ("opened", "closed", "evicted")],
                         [2, 0, 0])

    def test_a_session_that_is_silent_too_long_is_closed(self):
        self.aggregator.limits = {"session_idle": "5s"}
        self.aggregator.start()
        for uri in (self.aggregator.coaps, self.aggregator.coaps_tcp):
            probe = self.connect(uri)
            self.commit_next(probe)
            probe.wait_closed()
        harness.wait_for("no session", lambda: self.aggregator.metric("headrace_coap_sessions") == 0)
        self.assertEqual(self.aggregator.metric("headrace_coap_sessions_closed_total"), 2)
        self.commit_next(self.connect())

    def test_connections_that_say_nothing_are_ended(self):
        self.aggregator.limits = {"max_handshakes": 4}
        self.aggregator.start()
        silent = [socket.create_connection(("127.0.0.1", self.aggregator.port)) for _ in range(12)]
        self.addCleanup(lambda: [s.close() for s in silent])
        self.aggregator.wait_metric("headrace_coap_handshakes_expired_total", 8)
        self.commit_next(self.connect(self.aggregator.coaps_tcp))


class NetworkTest(SessionTest):
    """Loss, duplication, a change of address, and forgers."""

    def relay(self):
        relay = self.own(Relay(self.aggregator.port))
        return relay, self.connect(f"coaps://127.0.0.1:{relay.port}")

    def forge(self, datagram):
        forger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(forger.close)
        forger.settimeout(0)
        forger.sendto(datagram, ("127.0.0.1", self.aggregator.port))
        return forger

    def assert_nothing_came(self, forger):
        with self.assertRaises(BlockingIOError):
            forger.recv(2048)

    def test_a_session_goes_on_when_its_address_changes(self):
        self.aggregator.start()
        relay, probe = self.relay()
        self.commit_next(probe)
        for _ in range(3):
            relay.rebind()
            self.commit_next(probe)
        self.assertEqual(self.aggregator.metric("headrace_coap_sessions_opened_total"), 1)

    def test_who_is_behind_the_address_of_anothers_session_is_served_as_itself(self):
        """A device goes without a word, and the next one is given its port by the NAT."""
        second = self.site.enrol("gw2")
        self.aggregator.start()
        relay, first = self.relay()
        self.commit_next(first)
        relay.ignored = relay.client  # its last words don't arrive
        first.close()
        probe = self.connect(f"coaps://127.0.0.1:{relay.port}", second)
        batch = wire.Stream(second.device_id).next([wire.ais_record(AIS)])
        answer = probe.post(batch.envelope(wire.Key(second.record_key)))
        self.assertEqual((answer.code, answer.ack.status, answer.ack.cum_seq), ("2.04", wire.OK, 0), answer)
        self.assertEqual(self.aggregator.metric("headrace_coap_handshakes_renewed_total"), 1)
        self.assertEqual(self.aggregator.metric("headrace_coap_sessions"), 1)
        self.assertEqual(probe.post(self.next_envelope()).ack.status, wire.UNKNOWN_DEVICE)

    def test_a_forged_datagram_does_not_move_a_session(self):
        self.aggregator.start()
        relay, probe = self.relay()
        self.commit_next(probe)
        self.stream.next([])  # a gap: the answer to what follows comes two seconds later
        ahead = probe.send(self.stream.next([]).envelope(self.key))
        harness.wait_for("the batch to be held", lambda: self.aggregator.metric("headrace_batches_held") == 1)
        genuine = relay.to_server[-1]
        self.assertEqual(genuine[0], 25, "a record with a connection id (RFC 9146)")
        newer = genuine[:5] + (int.from_bytes(genuine[5:11], "big") + 1000).to_bytes(6, "big") + genuine[11:]
        forgers = [self.forge(genuine[:19] + os.urandom(len(genuine) - 19)),  # the right id, and nothing else
                   self.forge(newer),                                        # a number from the future
                   self.forge(genuine)]                                      # a replay from elsewhere
        answer = probe.answer(ahead)
        self.assertEqual(answer.ack.status, wire.GAP)
        for forger in forgers:
            self.assert_nothing_came(forger)
        self.assertEqual(self.aggregator.metric("headrace_coap_sessions"), 1)

    def test_garbage_datagrams_are_harmless(self):
        self.aggregator.start()
        relay, probe = self.relay()
        self.commit_next(probe)
        hello = relay.to_server[0]
        for size in (0, 1, 12, 13, 14, 60, 1472, 9000):
            self.assert_nothing_came(self.forge(os.urandom(size)))
            self.forge(hello[:size])
            self.forge(bytes([25]) + os.urandom(size))
            self.forge(bytes([22, 254, 253]) + bytes(10) + os.urandom(size))
        self.commit_next(probe)
        self.commit_next(self.connect())

    def test_garbage_over_tcp_is_counted_and_harmless(self):
        self.aggregator.start()
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(500), b"\x16\x03\x01\xff\xff" + os.urandom(100)):
            with socket.create_connection(("127.0.0.1", self.aggregator.port)) as stranger:
                stranger.sendall(garbage)
                stranger.settimeout(harness.DEADLINE_S)
                try:
                    while stranger.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        self.aggregator.wait_metric("headrace_coap_handshakes_failed_total", 3)
        harness.wait_for("three lines in the log",
                         lambda: len(self.aggregator.process.events("handshake_failed")) == 3)
        self.commit_next(self.connect(self.aggregator.coaps_tcp))
        self.assertEqual(self.aggregator.metric("headrace_coap_handshakes_failed_total"), 3)

    def test_a_lost_answer_is_sent_again_and_the_batch_committed_once(self):
        self.aggregator.start()
        relay, probe = self.relay()
        self.commit_next(probe)
        relay.drop_to_client = 1
        self.commit_next(probe)  # the client sends again after two to three seconds
        self.assertEqual(self.leaves(), 2)
        self.assertGreaterEqual(self.aggregator.metric("headrace_coap_duplicate_requests_total"), 1)
        self.assertEqual(self.aggregator.metric("headrace_coap_batches_received_total"), 2)

    def test_a_lost_last_block_and_its_lost_answer_cost_nothing(self):
        self.aggregator.start()
        relay, probe = self.relay()
        self.commit_next(probe)
        token = probe.send(self.next_envelope(200))
        self.assertEqual(probe.answer(token).ack.status, wire.OK)
        before = self.aggregator.metric("headrace_coap_blocks_received_total")
        self.assertGreater(before, 3)
        token = probe.send(self.next_envelope(200))
        harness.wait_for("the blocks", lambda: self.aggregator.metric("headrace_coap_blocks_received_total") >= before + 2)
        relay.drop_to_client = 2
        self.assertEqual(probe.answer(token).ack.status, wire.OK)
        self.assertEqual(self.leaves(), 3)

    def test_a_retransmitted_message_is_answered_twice_and_taken_once(self):
        self.aggregator.start()
        probe = self.connect()
        self.commit_next(probe)
        envelope = self.next_envelope()
        message = bytes.fromhex("44021d1dcafe0001") + b"\xb1b" + b"\x12\xfd\xe9" + b"\xff" + envelope
        for _ in range(3):
            probe.raw(message)
        self.aggregator.wait_metric("headrace_coap_duplicate_requests_total", 2)
        harness.wait_for("the answers", lambda: len(probe.answers("cafe0001")) >= 1)
        probe.raw(message)
        self.aggregator.wait_metric("headrace_coap_duplicate_requests_total", 3)
        self.assertEqual(self.leaves(), 2)
        self.assertEqual(self.aggregator.metric("headrace_coap_batches_received_total"), 2)

    def test_doubled_and_lossy_datagrams_neither_lose_nor_double(self):
        self.aggregator.start()
        relay, probe = self.relay()
        relay.double_to_server = True
        for i in range(10):
            if i % 3 == 1:
                relay.drop_to_server = 1
            self.commit_next(probe)
        self.assertEqual(self.leaves(), 10)
        self.assertEqual(self.aggregator.query("SELECT count(DISTINCT seq) FROM batch")[0][0], 10)


class CrashTest(SessionTest):
    """What is acknowledged is there after SIGKILL; what is not, may be sent again."""

    FAILPOINTS = ("after_verify", "before_commit", "after_commit", "after_ack")

    def test_kill_at_each_place_loses_and_doubles_nothing(self):
        if not has_failpoints():
            self.skipTest("built without HEADRACE_FAULTS")
        acknowledged = 0
        for name in self.FAILPOINTS:
            # The registry's own commit passes the last three places once at each start that has something new.
            self.aggregator.start(env={"HEADRACE_FAILPOINT": f"{name}:3"})
            probe = self.connect()
            envelope = None
            for _ in range(4):
                envelope = self.next_envelope()
                token = probe.send(envelope)
                harness.wait_for("an answer or the end", lambda: probe.answers(token)
                                 or not self.aggregator.process.alive())
                if not self.aggregator.process.alive():
                    break
                acknowledged = self.stream.seq
            self.assertEqual(self.aggregator.process.wait(), -signal.SIGKILL, f"{name} was reached")
            self.aggregator.start()
            probe = self.connect()
            head = probe.head().ack
            committed = (head.cum_seq + 1) % 2**32
            self.assertIn(committed, (self.stream.seq - 1, self.stream.seq), name)
            self.assertGreaterEqual(committed, acknowledged, "what was acknowledged is there")
            status = probe.post(envelope).ack.status
            self.assertEqual(status, wire.OK if committed == self.stream.seq - 1 else wire.DUPLICATE, name)
            self.assertEqual(self.leaves(), self.stream.seq)
            self.assertEqual(self.aggregator.stop(), 0)
            acknowledged = self.stream.seq
        self.assertEqual([row[0] for row in self.aggregator.query("SELECT leaf FROM batch ORDER BY leaf")],
                         list(range(self.stream.seq)))

    def test_random_kills_lose_and_double_nothing(self):
        for _ in range(20):
            self.aggregator.start()
            probe = self.connect()
            self.commit_next(probe)
            tokens = [probe.send(self.next_envelope()) for _ in range(6)]
            harness.wait_for("some answers", lambda: any(probe.answers(t) for t in tokens))
            self.aggregator.kill()
            acknowledged = max(wire.Ack.of(bytes.fromhex(probe.answers(t)[0]["payload"])).cum_seq
                               for t in tokens if probe.answers(t))
            self.aggregator.start()
            cum_seq = self.connect().head().ack.cum_seq
            self.assertGreaterEqual(cum_seq, acknowledged)
            self.aggregator.stop()
            # The device goes on behind what is committed, with other content where nothing was acknowledged.
            rows = self.aggregator.query("SELECT digest FROM batch ORDER BY seq")
            self.assertEqual(len(rows), cum_seq + 1)
            self.stream.seq, self.stream.prev = cum_seq + 1, rows[-1][0]
            self.stream.first_record = 2 * (cum_seq + 1)

    def test_a_full_ledger_says_so_and_takes_nothing(self):
        # A Kafka that is not there: nothing is delivered, so nothing may be deleted to make room.
        self.aggregator.sinks = f'  kafka:\n    properties:\n      bootstrap.servers: "127.0.0.1:{harness.free_port()}"\n' \
            "  transaction_max_batches: 1\n"
        self.aggregator.start()
        self.commit_next(self.connect())
        self.aggregator.stop()
        pages = os.path.getsize(self.aggregator.ledger) // 1024
        self.aggregator.limits = {"retry_after": "7s"}
        self.aggregator.write_config()
        original = harness.Aggregator.write_config

        def bounded():
            original(self.aggregator)
            text = self.aggregator.config.read_text()
            self.aggregator.config.write_text(
                text.replace(f"  sqlite: {self.aggregator.ledger}\n",
                             f"  sqlite: {self.aggregator.ledger}\n  max_bytes: {pages + 24}KiB\n"))

        self.aggregator.write_config = bounded
        self.aggregator.start()
        probe = self.connect()
        answer = None
        for _ in range(40):
            before = (self.stream.seq, self.stream.prev, self.stream.first_record)
            answer = probe.post(self.stream.next([wire.event_record(1, "x" * 900)] * 10).envelope(self.key))
            if answer.ack.status != wire.OK:
                self.stream.seq, self.stream.prev, self.stream.first_record = before
                break
        self.assertEqual((answer.code, answer.ack.status, answer.max_age), ("5.03", wire.UNAVAILABLE, 7), answer)
        self.assertEqual(self.aggregator.http("/readyz")[0], 503)
        self.assertEqual(self.aggregator.metric("headrace_ledger_health"), 1)
        self.aggregator.process.wait_event("ledger_full")
        self.assertEqual(self.leaves(), self.stream.seq, "what was acknowledged, and nothing else, is there")
        self.aggregator.stop()
        self.aggregator.write_config = lambda: original(self.aggregator)
        self.aggregator.start()
        self.commit_next(self.connect())

    def test_a_disk_that_fails_at_fsync_ends_the_process_without_an_answer(self):
        gone = self.folder / "disk-is-gone"
        self.aggregator.start(env={"LD_PRELOAD": harness.program("libfsync_fault.so"), "HEADRACE_FSYNC_FAULT": str(gone),
                                   "ASAN_OPTIONS": "verify_asan_link_order=0"})
        probe = self.connect()
        self.commit_next(probe)
        gone.touch()
        envelope = self.next_envelope()
        token = probe.send(envelope)
        self.assertEqual(self.aggregator.process.wait(), 4)
        self.aggregator.process.wait_event("ledger_outcome_unknown")
        self.assertEqual(probe.answers(token), [])
        self.aggregator.start()
        answer = self.connect().post(envelope)
        self.assertIn(answer.ack.status, (wire.OK, wire.DUPLICATE))
        self.assertEqual((answer.ack.cum_seq, self.leaves()), (1, 2))

    def test_a_process_that_lost_the_ledger_to_another_takes_nothing_and_ends(self):
        self.aggregator.start()
        probe = self.connect()
        self.commit_next(probe)
        with contextlib.closing(sqlite3.connect(self.aggregator.ledger, timeout=60)) as other:
            other.execute("UPDATE log_head SET writer_epoch = writer_epoch + 1")
            other.commit()
        token = probe.send(self.next_envelope())
        self.assertEqual(self.aggregator.process.wait(), 5)
        self.aggregator.process.wait_event("taken_over")
        for answer in probe.answers(token):  # it may have noticed before the batch came
            self.assertEqual(answer["code"], "5.03")
        self.assertEqual(self.leaves(), 1)

    def test_an_idle_process_notices_that_it_was_taken_over(self):
        self.aggregator.start()
        with contextlib.closing(sqlite3.connect(self.aggregator.ledger, timeout=10)) as other:
            other.execute("UPDATE log_head SET writer_epoch = writer_epoch + 1")
            other.commit()
        self.assertEqual(self.aggregator.process.wait(), 5)
        self.aggregator.process.wait_event("taken_over")

    def test_a_second_instance_is_refused(self):
        self.aggregator.start()
        second = self.own(harness.Aggregator(self.site, name="second"))
        second.ledger = self.aggregator.ledger
        second.start(ready=False)
        self.assertEqual(second.process.wait(), 1)
        self.assertTrue(any(str(self.aggregator.process.pid) in line for line in second.process.lines), second.process.lines)
        self.commit_next(self.connect())

    def test_sigterm_answers_what_was_taken(self):
        self.aggregator.start()
        probe = self.connect()
        tokens = [probe.send(self.next_envelope()) for _ in range(8)]
        harness.wait_for("the first answer", lambda: probe.answers(tokens[0]))
        self.assertEqual(self.aggregator.stop(), 0)
        committed = self.leaves()

        def told():
            return [probe.answer(t).ack.status for t in tokens if probe.answers(t)]

        harness.wait_for("each batch that was committed to be acknowledged", lambda: told().count(wire.OK) >= committed,
                         seen=told)
        self.assertEqual(told().count(wire.OK), committed)
        self.assertLessEqual(set(told()), {wire.OK, wire.UNAVAILABLE})

    def test_health_and_readiness(self):
        self.aggregator.start()
        self.assertEqual(self.aggregator.http("/healthz"), (200, "ok\n"))
        status, text = self.aggregator.http("/readyz")
        self.assertEqual(status, 200)
        self.assertIn('"ledger":"good"', text)
        self.assertEqual(self.aggregator.http("/elsewhere")[0], 404)
        metrics = self.aggregator.http("/metrics")[1]
        self.assertEqual(len(re.findall(r"^# TYPE headrace_answers_total counter$", metrics, re.M)), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
