#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts of a microcontroller board under load, at random moments and at every flash operation.

QEMU is killed with SIGKILL, or ends itself at the flash operation that the test names: before it, in the middle of it,
or just after. Power comes back on the same memory. In the end each record that the board ever sealed is in Kafka once,
under the number that it was sealed with; what is missing of the messages that went in went with the board's RAM, between
the last record of one boot and the first of the next, nowhere else.

HEADRACE_LONG=1 cuts ten times as often at random."""
import itertools
import sys
import time
import unittest

import nmea_oracle
from boards import BOARD, CUT_EXIT_CODE, DEADLINE_S, Board, Died, Feeder, coaps, enrol_board, wait_progress
from harness import Aggregator, Site, SystemTest
from lives import assert_whole_within_boots
from pipeline import AIS, EVENTS, LONG, Broker, Topics, body_of, seeded, wait_published
from test_board import assert_all_arrived, fleet
from test_crashes import LOSS_BODY

KILLS = {"qemu_mps2_an385": 50, "qemu_lm3s6965": 25}[BOARD] * (10 if LONG else 1)
LEAVES = "headrace_ledger_leaves"
LOG_MESSAGES = 60000
BYTES_PER_S = 4000
TAIL_MESSAGES = 100
SWEEP_MESSAGES = 1000 if LONG else 110  # of one run: more than a sector of flash takes
SEAL_AGE = ["--seal-max-age", "300ms"]


class PowerTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.broker = self.own(Broker(self.folder))
        site = Site(self.folder)
        self.aggregator = self.own(Aggregator(site, sinks=self.broker.sinks())).start()
        self.device = enrol_board(site, "board", [coaps(self.aggregator.port)], more=SEAL_AGE)
        self.board = self.own(Board(self.device.folder, self.device.memory))

    def finish(self, sent):
        """Lets everything arrive with power on; then what was promised must be true."""
        self.board.start()
        tail = fleet(TAIL_MESSAGES, seed=99)
        self.board.feed(tail)
        self.board.wait_messages(len(nmea_oracle.Log(tail).messages))
        spool = self.board.wait_drained()
        self.board.close()
        wait_published(self.aggregator, DEADLINE_S)

        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once()
        assert_all_arrived(self, n_records, spool)
        self.assertEqual(spool["stream"], 0, "a number had been given twice: a new stream began")
        self.assertEqual([r for batch in topics.batches for r in batch.records() if body_of(r) == LOSS_BODY], [])
        for name in ("forks", "equivocations", "bad_signatures"):
            self.assertEqual(self.aggregator.metric(f"headrace_{name}_total"), 0, name)
        self.compare(nmea_oracle.Log(sent + tail).messages)
        return n_records

    def compare(self, messages):
        """Within a boot not one message is missing, and none came twice."""
        sent = [payload for _, _, _, payload, _ in messages]
        events = sorted((e["record_seq"], e["payload"]) for e in self.broker.tail(AIS))
        boots = sorted({e["record_seq"] for e in self.broker.tail(EVENTS) if e["kind"] == "boot"})
        assert_whole_within_boots(self, sent, events, boots)
        print(f"{BOARD}: {len(sent)} messages went in, {len(events)} are in Kafka, the others went with the RAM; {len(boots)} "
              "boots are told", flush=True)


class RandomCuts(PowerTest):
    def wait_leaf(self):
        """Until a further batch is committed: however slow the machine, the board gets somewhere."""
        goal = self.aggregator.metric(LEAVES) + 1
        wait_progress("a further batch", lambda: self.aggregator.metric(LEAVES) >= goal,
                      lambda: (self.aggregator.metric(LEAVES), self.board.lines[-1:]))

    def test_nothing_sealed_is_lost_doubled_or_renumbered_when_power_goes_at_any_moment(self):
        feeder = self.own(Feeder(self.board, fleet(LOG_MESSAGES).splitlines(keepends=True), BYTES_PER_S))
        for number in range(KILLS):
            self.board.start()
            if number % 5 == 4:
                self.wait_leaf()
            elif number % 5 != 0:
                self.board.wait_said("collector_started")
            time.sleep(self.random.random() * 1.5)
            self.board.kill()
        feeder.close()
        n_records = self.finish(b"".join(feeder.lines[:feeder.sent]))
        print(f"{BOARD}: killed {KILLS} times; {n_records} records once each", flush=True)


class EveryOperation(PowerTest):
    def run_until_cut(self, data, cut):
        """Feeds the data to a board whose power goes at the cut. False: it got through without one."""
        self.board.start("--cut", cut)
        try:
            self.board.feed(data)
            self.board.wait_messages(self.n_messages)
            self.board.wait_drained()
        except Died:
            self.assertEqual(self.board.wait_off(), CUT_EXIT_CODE, self.board.qemu_log())
            return True
        self.board.close()
        return False

    def test_nothing_sealed_is_lost_doubled_or_renumbered_whichever_flash_operation_is_the_last(self):
        sent, reached = [], {}
        for how in ("before", "torn", "after"):
            for number in itertools.count(1):
                data = fleet(SWEEP_MESSAGES, seed=1000 * len(reached) + number)
                self.n_messages = len(nmea_oracle.Log(data).messages)
                sent.append(data)
                if not self.run_until_cut(data, f"{number}:{how}"):
                    break
                reached[how] = number
        self.assertEqual(set(reached), {"before", "torn", "after"})
        n_records = self.finish(b"".join(sent))
        print(f"{BOARD}: power went {reached} at the last; {n_records} records once each", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
