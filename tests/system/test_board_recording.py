#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The recordings of the corpus that two independent decoders have read, through a microcontroller board into Kafka.

Each recording comes in at a board of its own; the events are compared field by field with the decodes of gpsd and pyais,
by the rules by which those of a gateway are. Exit code 77: no corpus."""
import pathlib
import sys
import unittest

import nmea_oracle
import test_ais_corpus as rules
from boards import BOARD, Board, coaps, enrol_board
from harness import Aggregator, Site, SystemTest
from pipeline import AIS, CORPUS, Broker, Topics, wait_published

DERIVED = pathlib.Path(CORPUS) / "ais" / "derived"


class Recording(SystemTest):
    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks())).start()
        self.log_of = {}  # device id: name of its recording

    def deliver(self, stem):
        device = enrol_board(self.site, f"board{len(self.log_of)}", [coaps(self.aggregator.port)],
                             more=["--seal-max-age", "500ms"])
        self.log_of[device.device_id] = stem
        data = (DERIVED / f"{stem}.clean.nmea").read_bytes()
        board = self.own(Board(device.folder, device.memory)).start()
        board.feed(data)
        messages = nmea_oracle.Log(data).messages
        board.wait_messages(len(messages))
        board.wait_drained()
        self.assertEqual(board.status()["device"]["serial_dropped"], 0)
        board.close()
        print(f"{stem}: {len(messages)} messages", flush=True)
        return [(m[0], *m[2:]) for m in messages]

    def test_the_events_of_a_board_say_what_gpsd_and_pyais_say(self):
        expected = {stem: self.deliver(stem) for stem in rules.DERIVED}
        wait_published(self.aggregator)
        n_records = Topics(self, self.broker).assert_exactly_once()
        events = {stem: [] for stem in rules.DERIVED}
        for event in sorted(self.broker.tail(AIS), key=lambda e: (e["device_id"], e["record_seq"])):
            events[self.log_of[int(event["device_id"], 16)]].append(event)
        comparison = rules.Comparison()
        for stem in rules.DERIVED:
            said = [(e["talker"] or "AI", e["channel"] or "", e["payload"], e["fill_bits"]) for e in events[stem]]
            self.assertEqual(said, expected[stem], stem)
            lines = rules.lines_of(DERIVED / f"{stem}.clean.nmea")
            pyais, gpsd = (rules.json_lines(DERIVED / f"{stem}.{decoder}.jsonl") for decoder in ("pyais", "gpsdecode_uj"))
            rules.compare_pyais(comparison, stem, events[stem], pyais, lines)
            rules.compare_gpsd(comparison, stem, events[stem], gpsd, lines)
        n_equal = sum(comparison.compared.values())
        print(f"{BOARD}: {n_records} records once each, {n_equal} fields compared and equal, "
              f"{sum(comparison.explained.values())} explained, {len(comparison.differences)} different", flush=True)
        self.assertEqual(comparison.differences, [])
        self.assertGreater(n_equal, 50000)


if __name__ == "__main__":
    if not DERIVED.is_dir():
        print(f"skipped: no corpus at {DERIVED} (HEADRACE_CORPUS)")
        sys.exit(77)
    unittest.main(verbosity=2, argv=sys.argv)
