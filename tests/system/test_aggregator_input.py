# SPDX-License-Identifier: Apache-2.0
"""What the aggregator says to each kind of batch, good and bad, from a real client over real DTLS and TLS. Every
refusal must be clear to the sender, counted, logged where a person would look, and lose nothing."""
import unittest

import harness
import wire
from probe import Probe

AIS = bytes(21)  # the payload bits of a position report


class InputTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.device = self.site.enrol("gw1")
        self.key = wire.Key(self.device.record_key)
        self.stream = wire.Stream(self.device.device_id)
        self.aggregator = self.own(harness.Aggregator(self.site))

    def start(self, **kwargs):
        self.aggregator.start(**kwargs)
        self.probe = self.own(Probe(self.aggregator.coaps, self.device))

    def records(self, n=3):
        return [wire.ais_record(AIS, dt_ms=i) for i in range(n)]

    def commit_next(self):
        batch = self.stream.next(self.records())
        answer = self.probe.post(batch.envelope(self.key))
        self.assertEqual((answer.code, answer.ack.status), ("2.04", wire.OK), answer)
        self.assertEqual((answer.ack.cum_seq, answer.ack.cum_digest), (batch.seq, batch.digest[:8]))
        return batch

    def leaves(self):
        return self.aggregator.query("SELECT size FROM log_head")[0][0]

    def assert_still_works(self):
        """Nothing was lost, and the next batch is taken as if nothing had happened."""
        before = self.leaves()
        self.assertEqual(before, self.stream.seq)
        self.commit_next()
        self.assertEqual(self.leaves(), before + 1)

    # ---- what is right ----

    def test_batches_are_committed_in_order_and_published(self):
        self.start()
        head = self.probe.head()
        self.assertEqual((head.code, head.ack.status, head.ack.cum_seq), ("2.05", wire.OK, wire.SEQ_NONE))
        for _ in range(5):
            self.commit_next()
        self.assertEqual(self.probe.head().ack.cum_seq, 4)
        self.assertEqual(self.leaves(), 5)
        self.aggregator.wait_metric('headrace_published_records_total{sink="files"}', 15)
        self.assertEqual(self.aggregator.metric("headrace_records_committed_total"), 15)

    def test_a_batch_over_tcp_is_committed_whole(self):
        self.aggregator.start()
        self.probe = self.own(Probe(self.aggregator.coaps_tcp, self.device))
        self.assertEqual(self.probe.head().ack.cum_seq, wire.SEQ_NONE)
        batch = self.stream.next(self.records(550))  # about 15 KB in one message
        envelope = batch.envelope(self.key)
        self.assertGreater(len(envelope), 14000)
        answer = self.probe.post(envelope)
        self.assertEqual((answer.code, answer.ack.status), ("2.04", wire.OK), answer)
        self.aggregator.wait_metric("headrace_coap_answers_streamed_total", 2)
        self.commit_next()

    def test_a_batch_in_blocks_is_committed_whole(self):
        self.start()
        batch = self.stream.next(self.records(550))
        answer = self.probe.post(batch.envelope(self.key))
        self.assertEqual((answer.code, answer.ack.status), ("2.04", wire.OK), answer)
        self.assertGreaterEqual(self.aggregator.metric("headrace_coap_blocks_received_total"), 14)
        self.assert_still_works()

    def test_many_at_once_are_answered_each(self):
        self.start()
        batches = [self.stream.next(self.records()) for _ in range(8)]
        tokens = [self.probe.send(b.envelope(self.key)) for b in batches]
        for token in tokens:
            self.assertEqual(self.probe.answer(token).ack.status, wire.OK)
        self.assertEqual(self.leaves(), 8)

    # ---- what is bad, each told to the sender ----

    def refused(self, envelope, code, status, content_format=65001):
        answer = self.probe.post(envelope, content_format)
        self.assertEqual((answer.code, answer.ack and answer.ack.status), (code, status), answer)
        return answer

    def test_a_replayed_batch_is_a_duplicate(self):
        self.start()
        first = self.commit_next()
        self.commit_next()
        answer = self.refused(first.envelope(self.key), "2.04", wire.DUPLICATE)
        self.assertEqual(answer.ack.cum_seq, 1)
        self.assertEqual(self.aggregator.metric('headrace_answers_total{status="duplicate"}'), 1)
        self.assert_still_works()

    def test_a_bad_signature_is_refused(self):
        self.start()
        self.commit_next()
        envelope = bytearray(self.stream.peek(self.records()).envelope(self.key))
        envelope[120] ^= 1
        self.refused(bytes(envelope), "4.22", wire.BAD_SIGNATURE)
        self.refused(self.stream.peek(self.records()).envelope(wire.Key(12345)), "4.22", wire.BAD_SIGNATURE)
        self.assertEqual(self.aggregator.metric('headrace_answers_total{status="bad_signature"}'), 2)
        self.assert_still_works()

    def test_changed_records_are_refused(self):
        self.start()
        envelope = bytearray(self.stream.peek(self.records()).envelope(self.key))
        envelope[-1] ^= 1
        self.refused(bytes(envelope), "4.22", wire.BAD_ROOT)
        self.assertEqual(self.aggregator.metric('headrace_answers_total{status="bad_root"}'), 1)
        self.assert_still_works()

    def test_an_unknown_key_epoch_is_refused(self):
        self.start()
        self.refused(self.stream.peek(self.records(), epoch=7).envelope(self.key), "4.01", wire.UNKNOWN_KEY)
        self.assertEqual(self.aggregator.metric('headrace_answers_total{status="unknown_key"}'), 1)
        self.assert_still_works()

    def test_another_devices_batch_is_refused(self):
        other = self.site.enrol("gw2")
        self.start()
        stranger = wire.Stream(other.device_id).next(self.records())
        self.refused(stranger.envelope(wire.Key(other.record_key)), "4.03", wire.UNKNOWN_DEVICE)
        self.assertEqual(self.aggregator.metric('headrace_answers_total{status="unknown_device"}'), 1)
        self.assert_still_works()

    def test_malformed_envelopes_are_refused(self):
        self.start()
        good = self.stream.peek(self.records()).envelope(self.key)
        for bad in (good[:-1], good + b"\0", good[:107], b"\0"):
            answer = self.probe.post(bad)
            self.assertIn((answer.code, answer.ack.status),
                          (("4.00", wire.MALFORMED), ("4.15", wire.UNSUPPORTED)), (len(bad), answer))
        self.refused(b"", "4.00", wire.MALFORMED)
        self.assert_still_works()

    def test_malformed_protobuf_under_a_good_signature_is_kept_and_told(self):
        self.start()
        batch = self.stream.next([b"\xff\xff\xff", self.records(1)[0]])
        self.refused(batch.envelope(self.key), "2.04", wire.OK)
        self.aggregator.wait_metric('headrace_published_records_total{sink="files"}', 2)
        # The record can't be understood, so it is an event of its own: nothing signed disappears.
        self.aggregator.wait_metric('headrace_published_events_total{sink="files"}', 2)
        self.assert_still_works()

    def test_unknown_magic_and_schema_are_unsupported(self):
        self.start()
        self.refused(self.stream.peek(self.records(), magic=0x45B2).envelope(self.key), "4.15", wire.UNSUPPORTED)
        self.refused(self.stream.peek(self.records(), schema_id=9).envelope(self.key), "4.15", wire.UNSUPPORTED)
        self.assert_still_works()

    def test_another_content_format_is_unsupported(self):
        self.start()
        self.refused(self.stream.peek(self.records()).envelope(self.key), "4.15", wire.UNSUPPORTED, content_format=42)
        self.assertEqual(self.aggregator.metric("headrace_coap_wrong_format_total"), 1)
        self.aggregator.process.wait_event("request_refused", device_id=self.device.device_id)
        self.assert_still_works()

    def test_an_oversized_body_is_refused_over_dtls_and_tcp(self):
        self.start()
        huge = bytes(15361)
        self.refused(huge, "4.00", wire.MALFORMED)
        self.refused(bytes(100000), "4.00", wire.MALFORMED)
        over_tcp = self.own(Probe(self.aggregator.coaps_tcp, self.device))
        over_tcp.head()
        answer = over_tcp.post(huge)
        self.assertEqual((answer.code, answer.ack.status), ("4.00", wire.MALFORMED), answer)
        self.assertEqual(self.aggregator.metric("headrace_coap_oversized_total"), 3)
        self.assert_still_works()

    def test_a_fork_is_evidence_and_quarantines_the_device(self):
        self.start()
        self.commit_next()
        forked = self.stream.peek(self.records(), prev=bytes(32))
        self.refused(forked.envelope(self.key), "4.09", wire.FORK)
        self.refused(self.stream.peek(self.records()).envelope(self.key), "4.03", wire.QUARANTINED)
        self.assertEqual(self.aggregator.metric("headrace_forks_total"), 1)
        self.assertEqual(self.leaves(), 1)
        self.aggregator.process.wait_event("fork", device_id=self.device.device_id)
        self.assertEqual(len(self.aggregator.query("SELECT * FROM conflict")), 1)
        # A person decides; then it goes on where it was.
        self.site.decide("activate", self.device.device_id, "looked at it")
        harness.wait_for("the device to be active", lambda: self.probe.head().ack.status == wire.OK)
        self.assert_still_works()

    def test_two_contents_for_one_place_are_equivocation(self):
        self.start()
        twin = self.stream.peek(self.records(2))
        self.commit_next()
        self.refused(twin.envelope(self.key), "4.09", wire.EQUIVOCATION)
        self.assertEqual(self.aggregator.metric("headrace_equivocations_total"), 1)
        self.assertEqual(self.leaves(), 1)

    def test_a_gap_is_held_and_filled(self):
        self.start()
        first, second = self.stream.next(self.records()), self.stream.next(self.records())
        ahead = self.probe.send(second.envelope(self.key))
        harness.wait_for("the batch to be held", lambda: self.aggregator.metric("headrace_batches_held") == 1)
        self.assertEqual(self.probe.post(first.envelope(self.key)).ack.status, wire.OK)
        answer = self.probe.answer(ahead)
        self.assertEqual((answer.ack.status, answer.ack.cum_seq), (wire.OK, 1))
        self.assert_still_works()

    def test_a_gap_that_stays_is_told_by_a_separate_answer(self):
        self.start()
        first, second = self.stream.next(self.records()), self.stream.next(self.records())
        answer = self.probe.post(second.envelope(self.key))
        self.assertEqual((answer.code, answer.ack.status, answer.ack.cum_seq), ("2.04", wire.GAP, wire.SEQ_NONE))
        self.assertEqual(answer.type, 0, "the answer came late, so it is a confirmable message of its own")
        self.assertEqual(answer.ack.sack & 1, 1, "and says that the batch is held")
        self.aggregator.wait_metric("headrace_coap_answers_separate_total", 1)
        self.assertEqual(self.probe.post(first.envelope(self.key)).ack.cum_seq, 1)
        self.assert_still_works()

    def test_get_without_a_stream_and_other_paths_are_refused(self):
        self.start()
        for query in ("s=", "s=4294967296", "x=1", "s=1&t=2"):
            answer = self.probe.answer(self.probe.send_head(query))
            self.assertEqual((answer.code, answer.ack.status), ("4.00", wire.MALFORMED), (query, answer))
        self.assertEqual(self.aggregator.metric("headrace_coap_bad_query_total"), 4)
        for method, path in ((1, "nowhere"), (2, "nowhere"), (1, ".well-known"), (3, "b"), (4, "h")):
            answer = self.probe.answer(self.probe.send_path(method, path))
            self.assertIn(answer.code, ("4.04", "4.05"), (method, path, answer))
        self.assert_still_works()

    def test_malformed_coap_is_dropped_counted_and_harmless(self):
        self.start()
        self.commit_next()
        for message in (b"\x40\x02\x00", b"\x49\x02\x12\x34", b"\x40\x02\x12\x34\xff", b"\x40\x02\x12\x34\xf0",
                        b"\x44\x02\x12\x34", b"\xff" * 200, b"\x40\x02\x12\x34\xb1b\xff", b"\x00"):
            self.probe.raw(message)
        self.aggregator.wait_metric("headrace_coap_malformed_messages_total", 3)
        self.aggregator.process.wait_event("malformed_message", device_id=self.device.device_id)
        self.assert_still_works()


if __name__ == "__main__":
    unittest.main(verbosity=2)
