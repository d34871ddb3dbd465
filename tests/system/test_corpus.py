#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every AIS log of the corpus through the whole pipeline into a real Kafka.

Each log is brought by a collector of its own, over TLS and one over DTLS. What comes out is compared with what a second
reading of the logs finds (nmea_oracle), and, field by field, with the decodes of gpsd and pyais by the rules of
test_ais_corpus. Exit code 77: no corpus."""
import collections
import json
import pathlib
import sys
import unittest

import nmea_oracle
import test_ais_corpus as rules
from harness import Aggregator, Site, SystemTest
from pipeline import AIS, CORPUS, Broker, Collector, Topics, wait_published

LOGS = pathlib.Path(CORPUS) / "ais"
OVER_DTLS = "aislib/stream_example.txt"
IN_SCOPE = {1, 2, 3, 4, 5, 9, 18, 19, 21, 24, 27}
LIVE = "live_feed_42k.nmea"


def logs():
    """The name of every log: files with AIS sentences that are not a decoder's answer."""
    return sorted(str(path.relative_to(LOGS)) for path in LOGS.rglob("*") if path.is_file()
                  and path.suffix not in (".json", ".jsonl", ".chk", ".tsv") and b"VDM," in path.read_bytes())


def payload_key(event):
    return event["talker"] or "AI", event["channel"] or "", event["payload"], event["fill_bits"]


class CorpusTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks()))
        self.log_of = {}  # device id: name of its log

    def deliver(self, name):
        device = self.site.enrol(f"gw{len(self.log_of)}")
        self.log_of[device.device_id] = name
        address = self.aggregator.coaps if name == OVER_DTLS else self.aggregator.coaps_tcp
        taps = f"  - {{type: ais, source: file, path: {json.dumps(str(LOGS / name))}}}\n"
        collector = self.own(Collector(device, [address], taps, spool_size="32MiB"))
        collector.start("--once")
        self.assertEqual(collector.process.wait(600), 0, name)
        status = json.loads(collector.status_path.read_text())
        self.assertTrue(status["drained"], name)
        return status

    def test_every_log_arrives_exactly_once_and_means_what_other_decoders_say(self):
        self.aggregator.start()
        expected = {}
        for name in logs():
            messages = nmea_oracle.Log((LOGS / name).read_bytes()).messages
            status = self.deliver(name)
            self.assertEqual(status["stats"]["ais"]["messages"], len(messages), name)
            expected[name] = collections.Counter((m[0], *m[2:]) for m in messages)
            print(f"{name}: {len(messages)} messages", flush=True)
        wait_published(self.aggregator)
        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once()
        events = self.events_by_log()
        for name, messages in expected.items():
            self.assertEqual(collections.Counter(map(payload_key, events.get(name, []))), messages, name)
        n_events = sum(map(len, events.values()))
        self.assertEqual(n_events, sum(sum(messages.values()) for messages in expected.values()))
        print(f"{len(expected)} logs, {n_records} records in {len(topics.batches)} batches, {n_events} AIS events, each "
              "exactly once, each payload as in its log", flush=True)
        self.compare_decodes(events)

    def events_by_log(self):
        """What `headrace tail` decodes, in the order of the records of each log."""
        events = collections.defaultdict(list)
        for event in self.broker.tail(AIS):
            events[self.log_of[int(event["device_id"], 16)]].append(event)
        for of_log in events.values():
            of_log.sort(key=lambda event: (event["stream"], event["record_seq"]))
        return events

    def compare_decodes(self, events):
        comparison = rules.Comparison()
        for stem in rules.DERIVED:
            name = f"derived/{stem}.clean.nmea"
            lines = rules.lines_of(LOGS / name)
            pyais, gpsd = (rules.json_lines(LOGS / "derived" / f"{stem}.{decoder}.jsonl")
                           for decoder in ("pyais", "gpsdecode_uj"))
            rules.compare_pyais(comparison, name, events[name], pyais, lines)
            rules.compare_gpsd(comparison, name, events[name], gpsd, lines)
        said = rules.gpsdecode_lines(LOGS / LIVE)
        if said is None:
            print(f"{LIVE}: gpsdecode is not installed, so the live feed's fields were not compared")
        else:
            rules.compare_gpsd(comparison, LIVE, events[LIVE], said, rules.lines_of(LOGS / LIVE))
        for decoder, kind in sorted(comparison.compared):
            if kind in IN_SCOPE:
                print(f"{decoder:5} type {kind:2}: {comparison.messages[decoder, kind]:6} messages, "
                      f"{comparison.compared[decoder, kind]:7} fields equal")
        for (decoder, rule), n_fields in sorted(comparison.explained.items()):
            print(f"{decoder}: {n_fields} differ by the rule '{rule}': {rules.EXPLAINED[rule]}")
        in_scope = sum(n for (_, kind), n in comparison.compared.items() if kind in IN_SCOPE)
        print(f"{in_scope} fields of types in scope compared and equal, {len(comparison.differences)} different", flush=True)
        self.assertEqual(comparison.differences, [])
        self.assertEqual(IN_SCOPE - {kind for _, kind in comparison.compared}, set(), "types that nothing was compared of")
        self.assertGreater(in_scope, 50000)


if __name__ == "__main__":
    if not LOGS.is_dir():
        print(f"skipped: no corpus at {LOGS} (HEADRACE_CORPUS)")
        sys.exit(77)
    unittest.main(verbosity=2)
