# SPDX-License-Identifier: Apache-2.0
"""Envelopes in parts (proto/SPEC.md 4.8) at the aggregator: written from the text, message by message, in any order, any
number of times, and wrongly."""
import unittest

import harness
import wire
from probe import Answer
from test_aggregator_sessions import SessionTest

PART = 1024
CONTINUE, INCOMPLETE = "2.31", "4.08"


def option(delta, value):
    """An option of RFC 7252 section 3.1."""
    head, more = (delta, b"") if delta < 13 else (13, bytes([delta - 13])) if delta < 269 else \
        (14, (delta - 269).to_bytes(2, "big"))
    return bytes([head << 4 | len(value)]) + more + value


def part_message(token, mid, tag, number, data, more, szx=6):
    """NON POST /b, Content-Format 65001, Block1, Request-Tag."""
    block1 = (number << 4 | more << 3 | szx).to_bytes(3, "big").lstrip(b"\0") or b"\0"
    return (bytes([0x50 | len(token), 0x02]) + mid.to_bytes(2, "big") + token + option(11, b"b") + option(1, b"\xfd\xe9")
            + option(15, block1) + (option(265, tag) if tag else b"") + b"\xff" + data)


class PartsTest(SessionTest):
    def setUp(self):
        super().setUp()
        self._number = 0

    def connect(self, uri=None, device=None, **kwargs):
        """A probe whose session is open: raw messages don't wait for that."""
        probe = super().connect(uri, device, **kwargs)
        self.assertEqual(probe.head().ack.status, wire.OK)
        return probe

    def send_part(self, probe, tag, body, number, part_bytes=PART, end=None):
        """Sends one part of `body`; returns the token of this transmission, which no other has."""
        self._number += 1
        token = b"\xbe" + self._number.to_bytes(6, "big")
        end = len(body) if end is None else end
        data = body[number * part_bytes:min((number + 1) * part_bytes, end)]
        probe.raw(part_message(token, self._number & 0xFFFF, tag, number, data, (number + 1) * part_bytes < end,
                               (part_bytes // 16).bit_length() - 1))
        return token.hex()

    def told(self, probe, token):
        """Code, and which parts the aggregator says are there."""
        entry = harness.wait_for(f"an answer to {token}", lambda: probe.answers(token))[0]
        return entry["code"], int(entry["payload"], 16) if entry["code"] == CONTINUE else None

    def parts(self, body):
        return range((len(body) + PART - 1) // PART)

    def answer(self, probe, token) -> Answer:
        return probe.answer(token)

    def test_parts_come_in_any_order_and_any_number_of_times(self):
        self.aggregator.start()
        probe = self.connect()
        envelope = self.next_envelope(200)
        last = self.parts(envelope)[-1]
        self.assertGreater(last, 3)
        here = 0
        for number in [last, 2, 2, *[n for n in self.parts(envelope) if n not in (last, 2, 1)], 0]:
            here |= 1 << number
            self.assertEqual(self.told(probe, self.send_part(probe, b"\1", envelope, number)), (CONTINUE, here))
        answer = self.answer(probe, self.send_part(probe, b"\1", envelope, 1))
        self.assertEqual((answer.code, answer.type, answer.ack.status, answer.ack.cum_seq), ("2.04", 1, wire.OK, 0), answer)
        for number in (1, 0, last):  # what was lost on the way is told again, from memory
            again = self.answer(probe, self.send_part(probe, b"\1", envelope, number))
            self.assertEqual((again.code, again.ack), (answer.code, answer.ack))
        self.assertEqual((self.leaves(), self.aggregator.metric("headrace_coap_batches_received_total")), (1, 1))
        self.assertEqual(self.aggregator.metric("headrace_coap_blocks_received_total"), last + 1)
        self.assertEqual(self.aggregator.metric("headrace_coap_duplicate_requests_total"), 3)

    def test_a_part_of_a_body_that_waits_for_its_answer_is_not_taken_twice(self):
        self.aggregator.start()
        probe = self.connect()
        self.commit_next(probe)
        self.stream.next([])  # a gap: the answer to what follows comes two seconds later
        envelope = self.next_envelope(200)
        tokens = [self.send_part(probe, b"\2", envelope, number) for number in self.parts(envelope)]
        harness.wait_for("the batch to be held", lambda: self.aggregator.metric("headrace_batches_held") == 1)
        self.assertEqual(self.told(probe, self.send_part(probe, b"\2", envelope, 0)), (CONTINUE, 0xFFFF))
        self.assertEqual(self.answer(probe, tokens[-1]).ack.status, wire.GAP)
        self.assertEqual(self.aggregator.metric("headrace_coap_batches_received_total"), 2)

    def test_bodies_of_several_tags_and_sessions_are_kept_apart(self):
        self.aggregator.start()
        probes = [self.connect(), self.connect()]
        envelopes = [self.next_envelope(80) for _ in range(4)]
        for number in self.parts(envelopes[0])[1:]:
            for index, envelope in enumerate(envelopes):
                tag, probe = bytes([7 + index // 2]), probes[index % 2]
                self.assertEqual(self.told(probe, self.send_part(probe, tag, envelope, number))[0], CONTINUE)
        for index, envelope in enumerate(envelopes):
            tag, probe = bytes([7 + index // 2]), probes[index % 2]
            answer = self.answer(probe, self.send_part(probe, tag, envelope, 0))
            self.assertEqual((answer.code, answer.ack.status, answer.ack.cum_seq), ("2.04", wire.OK, index))

    def test_small_parts_and_one_part_make_a_body_too(self):
        self.aggregator.start()
        probe = self.connect()
        envelope = self.next_envelope(2)
        answer = self.answer(probe, self.send_part(probe, b"\3", envelope, 0))
        self.assertEqual((answer.code, answer.ack.status), ("2.04", wire.OK))
        envelope = self.next_envelope(40)
        n_parts = (len(envelope) + 15) // 16
        tokens = [self.send_part(probe, b"\4", envelope, number, 16) for number in reversed(range(n_parts))]
        self.assertEqual(self.answer(probe, tokens[-1]).ack.status, wire.OK)
        self.assertEqual(self.told(probe, tokens[n_parts // 2])[0], CONTINUE)

    def test_a_session_that_begins_a_fifth_body_gives_up_the_one_it_left_longest(self):
        self.aggregator.start()
        probe = self.connect()
        envelope = self.next_envelope(80)
        for tag in range(1, 6):
            self.assertEqual(self.told(probe, self.send_part(probe, bytes([tag]), envelope, 0)), (CONTINUE, 1))
        self.assertEqual(self.aggregator.metric("headrace_coap_bodies_abandoned_total"), 1)
        self.assertEqual(self.told(probe, self.send_part(probe, b"\2", envelope, 1)), (CONTINUE, 3))
        self.assertEqual(self.told(probe, self.send_part(probe, b"\1", envelope, 1)), (CONTINUE, 2), "forgotten, and said so")
        tokens = [self.send_part(probe, b"\1", envelope, number) for number in self.parts(envelope)]
        self.assertEqual([self.answer(probe, t).ack.status for t in tokens if self.told(probe, t)[0] != CONTINUE], [wire.OK])

    def test_without_room_a_body_is_told_to_wait(self):
        self.aggregator.limits = {"max_bodies": 1, "retry_after": "7s"}
        self.aggregator.start()
        probes = [self.connect(), self.connect()]
        envelope = self.next_envelope(80)
        self.assertEqual(self.told(probes[0], self.send_part(probes[0], b"\1", envelope, 0)), (CONTINUE, 1))
        answer = self.answer(probes[1], self.send_part(probes[1], b"\1", envelope, 0))
        self.assertEqual((answer.code, answer.ack.status, answer.max_age), ("5.03", wire.UNAVAILABLE, 7))
        probes[0].close()  # and its body with it
        harness.wait_for("the other session to end", lambda: self.aggregator.metric("headrace_coap_sessions") == 1)
        tokens = [self.send_part(probes[1], b"\1", envelope, number) for number in self.parts(envelope)]
        self.assertEqual(self.answer(probes[1], tokens[-1]).ack.status, wire.OK)

    def test_parts_that_contradict_each_other_must_all_come_again(self):
        self.aggregator.start()
        probe = self.connect()
        envelope = self.next_envelope(200)
        last = self.parts(envelope)[-1]
        self.assertEqual(self.told(probe, self.send_part(probe, b"\1", envelope, 3)), (CONTINUE, 8))
        self.assertEqual(self.told(probe, self.send_part(probe, b"\1", envelope, 1, end=2 * PART)), (INCOMPLETE, None))
        self.assertEqual(self.told(probe, self.send_part(probe, b"\1", envelope, last)), (CONTINUE, 1 << last))
        self.assertEqual(self.told(probe, self.send_part(probe, b"\1", envelope, 3, end=4 * PART)), (INCOMPLETE, None))
        tokens = [self.send_part(probe, b"\1", envelope, number) for number in self.parts(envelope)]
        self.assertEqual(self.answer(probe, tokens[-1]).ack.status, wire.OK)
        self.assertEqual(self.aggregator.metric("headrace_coap_bodies_abandoned_total"), 2)

    def test_parts_beyond_an_envelope_and_of_a_false_size_are_malformed(self):
        self.aggregator.start()
        probe = self.connect()
        wrong = [(15, bytes(1024), False, 6), (2**20 - 1, bytes(1024), True, 6),  # beyond
                 (0, bytes(1000), True, 6), (0, bytes(17), False, 0)]  # false size
        for mid, (number, data, more, szx) in enumerate(wrong):
            probe.raw(part_message(bytes([0xbd, mid]), mid, b"\3", number, data, more, szx))
            answer = self.answer(probe, f"bd{mid:02x}")
            self.assertEqual((answer.code, answer.ack.status), ("4.00", wire.MALFORMED))
        self.assertEqual(self.aggregator.metric("headrace_coap_oversized_total"), 2)
        self.assertEqual(self.aggregator.metric("headrace_coap_blocks_refused_total"), 2)
        self.commit_next(probe)

    def test_blocks_without_a_tag_come_in_order(self):
        """Nothing but block 0 tells one such body from the next."""
        self.aggregator.start()
        probe = self.connect()
        envelope = self.next_envelope(80)
        self.assertEqual(self.told(probe, self.send_part(probe, b"", envelope, 1))[0], INCOMPLETE)
        for number in list(self.parts(envelope))[:-1]:
            entry = harness.wait_for("an answer", lambda t=self.send_part(probe, b"", envelope, number): probe.answers(t))[0]
            self.assertEqual((entry["code"], entry["payload"]), (CONTINUE, ""))
        answer = self.answer(probe, self.send_part(probe, b"", envelope, self.parts(envelope)[-1]))
        self.assertEqual(answer.ack.status, wire.OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
