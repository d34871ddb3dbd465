#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A publisher that can't know how its transaction ended: EndTxn requests and answers that a proxy delays or loses,
brokers killed in each phase of a transaction, a publisher that wakes up after its successor, a cursor that is gone.

In each, every record is in Kafka's read_committed view once and in order, and the producer that was in doubt is never
used again: its next EndTxn would be under a new epoch, which is what a late copy of the old one fails on."""
import shutil
import subprocess
import sys
import tempfile
import threading
import pathlib
import unittest

from harness import ROOT, program, wait_for
from kafka_proxy import ADD_PARTITIONS, END_TXN, FETCH, INIT_PRODUCER_ID, PRODUCE, KafkaProxy
from publishing import DEADLINE_S, TOPICS, Publisher, assert_exactly_once

LEAVES = 480  # 30 transactions
FENCED = {47, 90}  # INVALID_PRODUCER_EPOCH, PRODUCER_FENCED


class Doubt:
    """A broker behind a proxy, for a class of tests."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="headrace-doubt-"))
        cls.proxy = KafkaProxy()
        direct, behind = cls.kafka("start", "--through", str(cls.proxy.port)).split()
        cls.direct = direct
        host, port = behind.rsplit(":", 1)
        cls.proxy.target = (host, int(port))

    @classmethod
    def tearDownClass(cls):
        cls.proxy.close()
        cls.kafka("clean")
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def kafka(cls, *words):
        return subprocess.run([ROOT / "tools/dev/kafka", *words, "--data", cls.folder / "kafka"], stdout=subprocess.PIPE,
                              text=True, check=True).stdout

    def setUp(self):
        self.proxy.set_rule(None)
        self.addCleanup(self.proxy.set_rule, None)

    def publisher(self, name, origin, leaves=LEAVES, direct=False, **settings):
        out = Publisher(self.folder, f"{self.id().split('.')[-1]}.{name}",
                        self.direct if direct else self.proxy.address, leaves, origin, **settings)
        self.addCleanup(out.close)
        return out

    def assert_exactly_once(self, origin, leaves=LEAVES):
        assert_exactly_once(self, self.kafka("read", "--topics", TOPICS).splitlines(), origin, leaves)

    def run_with(self, rule, origin):
        """A publisher run to its end under the rule; it, and its figures."""
        self.proxy.set_rule(rule)
        publisher = self.publisher("publisher", origin)
        return publisher, publisher.finish()

    def assert_replaced(self, publisher, figures, why):
        """The producer was given up for this reason, and another one took over."""
        self.assertIn(why, publisher.log())
        self.assertGreaterEqual(figures["failures"], 1)
        self.assertGreaterEqual(publisher.log().count("kafka_recovered"), 1)
        print(f"{self.id().split('.')[-1]}: {figures['recoveries']} incarnations, {figures['failures']} doubts", flush=True)


class Requests(Doubt, unittest.TestCase):
    """One request of the transaction protocol, of which EndTxn is the one that decides."""

    def test_a_late_copy_of_an_end_txn_ends_no_later_transaction(self):
        """The case of Jepsen's bufstream-0.1.0: the copy is delayed past the request's timeout, the library sends another
        and says that all is well; the copy arrives while a later transaction is open."""
        late = []
        state = {}

        def rule(request):
            if request.api_key == END_TXN and request.number == 6:
                request.hold()
                late.append(request)
                return True
            if late and request.api_key == END_TXN and request.number > 6:
                state["ended"] = state.get("ended", 0) + 1
            # A Produce after the next incarnation's first transactions: that transaction is open.
            if request.api_key == PRODUCE and state.get("ended", 0) >= 4 and "released" not in state:
                state["released"] = True
                request.forward()
                request.answered.wait(DEADLINE_S)
                late[0].forward()
                late[0].answered.wait(DEADLINE_S)
                return True
            return False

        publisher, figures = self.run_with(rule, "a1" * 16)
        self.assertIn("released", state)
        self.assertIn(late[0].end_txn_error(0), FENCED, "the late copy was obeyed")
        self.assert_replaced(publisher, figures, "kafka_commit_doubtful: an EndTxn")
        self.assert_exactly_once("a1" * 16)

    def lose(self, what, origin, api_key=END_TXN, number=6, why="doubtful: an EndTxn"):
        done = []

        def rule(request):
            if request.api_key != api_key or request.number != number:
                return False
            done.append(request)
            what(request)
            return True

        publisher, figures = self.run_with(rule, origin)
        self.assertEqual(len(done), 1, "the request never came")
        self.assert_replaced(publisher, figures, why)
        self.assert_exactly_once(origin)

    def test_an_end_txn_that_is_lost_with_its_connection(self):
        self.lose(lambda request: request.link.reset(), "a2" * 16)

    def test_an_end_txn_whose_answer_is_lost_with_its_connection(self):
        def cut(request):
            request.answer_to_client = False
            request.forward()
            request.answered.wait(DEADLINE_S)
            request.link.reset()
        self.lose(cut, "a3" * 16)

    def test_an_end_txn_whose_answer_never_comes(self):
        def swallow(request):
            request.answer_to_client = False
            request.forward()
        self.lose(swallow, "a4" * 16)

    def test_a_request_to_add_partitions_that_is_lost(self):
        self.lose(lambda request: request.link.reset(), "a5" * 16, ADD_PARTITIONS, 4, "doubtful: an AddPartitionsToTxn")

    def test_a_request_for_a_producer_id_that_is_lost(self):
        self.lose(lambda request: request.link.reset(), "a6" * 16, INIT_PRODUCER_ID, 1, "doubtful: an InitProducerId")

    def test_no_end_txn_is_answered_until_the_commit_times_out(self):
        """Every EndTxn is obeyed and none answered, for longer than the publisher waits; then the network is well."""
        state = {"ends": 0}
        publisher = self.publisher("publisher", "a7" * 16, transaction_ms=15000)

        def rule(request):
            if request.api_key != END_TXN or request.number < 6 or "kafka_commit_unknown" in publisher.log():
                return False
            request.answer_to_client = False
            request.forward()
            state["ends"] += 1
            return True

        self.proxy.set_rule(rule)
        figures = publisher.finish()
        self.assertGreaterEqual(state["ends"], 2)
        self.assert_replaced(publisher, figures, "kafka_commit_unknown")
        self.assert_exactly_once("a7" * 16)


class Brokers(Doubt, unittest.TestCase):
    """Two publishers, and a broker that dies."""

    def test_a_zombie_whose_end_txn_comes_after_its_successor_is_fenced(self):
        held = []
        release = threading.Event()

        def rule(request):
            if request.api_key == END_TXN and request.number >= 6 and not release.is_set():
                request.hold()
                held.append(request)
                return True
            return False

        self.proxy.set_rule(rule)
        zombie = self.publisher("zombie", "b1" * 16)
        wait_for("the zombie's EndTxn", lambda: held, DEADLINE_S)
        figures = self.publisher("successor", "b1" * 16, direct=True).finish()
        self.assertEqual(figures["next_leaf"], LEAVES)
        release.set()
        for request in list(held):
            request.forward()
        self.assertIn(held[0].end_txn_error(DEADLINE_S), FENCED, "the zombie's EndTxn was obeyed")
        self.assertGreaterEqual(zombie.finish()["failures"], 1)
        self.assert_exactly_once("b1" * 16)

    def restart_at(self, api_key, number, before, origin):
        """The broker is killed when the request comes, before it was forwarded or after it was answered."""
        done = []

        def rule(request):
            if done or request.api_key != api_key or request.number != number:
                return False
            done.append(request)
            request.answer_to_client = False
            if not before:
                request.forward()
                request.answered.wait(DEADLINE_S)
            self.kafka("stop", "--kill")
            self.kafka("start")
            request.link.reset()
            return True

        _, figures = self.run_with(rule, origin)
        self.assertEqual(len(done), 1, "the request never came")
        print(f"{self.id().split('.')[-1]}: {figures['recoveries']} incarnations", flush=True)
        self.assert_exactly_once(origin)

    def test_the_broker_dies_before_a_producer_id_is_given(self):
        self.restart_at(INIT_PRODUCER_ID, 1, True, "c1" * 16)

    def test_the_broker_dies_with_partitions_added(self):
        self.restart_at(ADD_PARTITIONS, 5, False, "c2" * 16)

    def test_the_broker_dies_with_records_produced(self):
        self.restart_at(PRODUCE, 8, False, "c3" * 16)

    def test_the_broker_dies_before_a_transaction_is_ended(self):
        self.restart_at(END_TXN, 6, True, "c4" * 16)

    def test_the_broker_dies_with_a_transaction_ended_and_not_answered(self):
        self.restart_at(END_TXN, 6, False, "c5" * 16)


class Memory(Doubt, unittest.TestCase):
    """What the broker remembers, and where."""

    def test_a_lost_cursor_is_made_up_for_by_the_tails_behind_another_logs_open_transaction(self):
        """What was published stands partly behind a transaction of another log that is still open, so that a
        read_committed reader does not see it yet. A publisher without the cursor (it looks into another topic) must wait
        for that transaction instead of publishing again what it can't see."""
        for attempt in range(1, 6):
            if self.recover_behind_an_open_transaction(f"{attempt}d" * 16, f"{attempt}e" * 16, attempt):
                return
        self.fail("the open transaction timed out before the test could use it, five times")

    def recover_behind_an_open_transaction(self, origin, other_origin, attempt):
        """False: things did not come in the order that the test needs."""
        held, ends = [], {"first": 0, "behind": 0}
        fetches = []
        release = threading.Event()

        def rule(request):
            if request.api_key == FETCH:
                fetches.append(request.number)
            if request.api_key != END_TXN or release.is_set():
                return False
            if request.is_of(origin):
                ends["behind" if held else "first"] += 1
            elif ends["first"] >= 10:
                request.hold()
                held.append(request)
                return True
            return False

        patient = {"timeout_ms": 60000}
        self.proxy.set_rule(rule)
        other = self.publisher(f"other{attempt}", other_origin, 1000000, **patient)
        wait_for("the other log to be published", lambda: self.proxy.counts[END_TXN] > 3, DEADLINE_S)
        first = self.publisher(f"first{attempt}", origin, 3 * LEAVES, **patient)
        first.finish()
        # Another cursor topic: there is no cursor to be found.
        third = self.publisher(f"third{attempt}", origin, 4 * LEAVES, cursor=f"cursor.{attempt}", **patient)
        begin = len(fetches)  # one that waits for what it can't see asks again and again
        wait_for("the third to read back, or to wait", lambda: "kafka_recovered" in third.log()
                 or "kafka_cursor_missing" in third.log() or len(fetches) - begin >= 500, DEADLINE_S)
        stayed_open = "kafka_commit" not in other.log() and ends["behind"] >= 10
        waited = "kafka_cursor_missing" not in third.log()
        release.set()
        for request in list(held):
            request.forward()
        third.finish()
        other.process.terminate()
        other.finish()
        if stayed_open:
            self.assertTrue(waited, "recovered before what it had published could be seen")
            self.assertIn("kafka_cursor_missing", third.log())
            self.assert_exactly_once(origin, 4 * LEAVES)
        return stayed_open

    def test_partitions_are_added_while_a_publisher_runs(self):
        def declare(partitions):
            path = self.folder / "topics.yaml"
            path.write_text("defaults: {replication_factor: 1, config: {}}\ntopics:\n" + "".join(
                f"  - {{name: {name}, holds: x, key: k, partitions: {partitions}}}\n" for name in TOPICS.split(",")))
            return path

        origin = "e1" * 16
        self.publisher("first", origin, 16).finish()  # makes the topics
        grown = threading.Event()
        reached = threading.Event()

        def rule(request):
            if request.api_key == END_TXN and request.number == 10:
                reached.set()
                grown.wait(DEADLINE_S)
            return False

        self.proxy.set_rule(rule)
        publisher = self.publisher("second", origin, LEAVES)
        self.assertTrue(reached.wait(DEADLINE_S))
        subprocess.run([program("headrace"), "topics", "apply", "--kafka", self.direct, "--topics", declare(9),
                        "--add-partitions"], check=True, timeout=DEADLINE_S)
        grown.set()
        publisher.finish()
        self.publisher("third", origin, LEAVES + 200).finish()
        self.assert_exactly_once(origin, LEAVES + 200)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
