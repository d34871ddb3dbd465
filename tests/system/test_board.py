#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A microcontroller board from power-on to Kafka.

An image is made offline, power comes, and AIS goes in at the board's serial line. Each message is in Kafka once, every
batch verifies with the device's key, and what the events say is what a gateway's events of the same log say."""
import json
import re
import subprocess
import sys
import unittest

import nmea_oracle
from boards import BOARD, Board, coaps, enrol_board, fields_of
from harness import ROOT, Aggregator, Site, SystemTest, program, run
from pipeline import AIS, EVENTS, RAW, Broker, Collector, Topics, wait_published
from secrets_of import found, secrets_of

MESSAGES = 600
# Of an event, who brought it and when; the rest is what it says.
ABOUT_THE_WAY = {"event_id", "trace_id", "occurred_at", "received_at", "time_quality", "time_error_ms", "device_id", "stream",
                 "batch_seq", "record_index", "record_seq", "leaf", "boot_id", "uptime_ms"}


def fleet(n_messages, seed=5):
    """A simulated fleet's log."""
    return subprocess.run([program("headrace"), "sim", "ais", "--rate", "0", "--vessels", "150", "--seed", str(seed),
                           "--count", str(n_messages), "--to", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True).stdout


def vector_lines():
    """Lines of the tap's vectors that stand for themselves: with TAG blocks, comments, other talkers, and mistakes."""
    lines = (ROOT / "tests/vectors/ais/lines.txt").read_text().splitlines()
    plain = [line[2:] for line in lines if line.startswith("> ") and "%" not in line and "\\g:" not in line]
    return "".join(line + "\r\n" for line in plain if re.search(r"VD[MO],1,1,", line)).encode()


def meaning(event):
    return {key: value for key, value in event.items() if key not in ABOUT_THE_WAY}


def assert_all_arrived(test, n_records, spool):
    """What the spool had numbered when it was drained is there, and at most what a board says of itself until it is off."""
    test.assertGreaterEqual(n_records, spool["next_record_seq"], "sealed, and not there")
    test.assertLess(n_records - spool["next_record_seq"], 16)


class PowerOnToKafka(SystemTest):
    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks())).start()

    def by_gateway(self, log):
        device = self.site.enrol("gateway")
        taps = f"  - {{type: ais, source: file, path: {log}}}\n"
        collector = self.own(Collector(device, [self.aggregator.coaps_tcp], taps))
        collector.start("--once")
        self.assertEqual(collector.process.wait(120), 0)
        return device, json.loads(collector.status_path.read_text())["stats"]["ais"]["messages"]

    def events_of(self, device):
        events = [event for event in self.broker.tail(AIS) if int(event["device_id"], 16) == device.device_id]
        return sorted(events, key=lambda event: event["record_seq"])

    def test_what_comes_in_at_the_serial_line_is_in_kafka_once_and_means_the_same_as_from_a_gateway(self):
        vessels = fleet(MESSAGES)
        data = vector_lines() + vessels
        log = self.folder / "log.nmea"
        log.write_bytes(data)
        device = enrol_board(self.site, "board", [coaps(self.aggregator.port)], more=["--seal-max-age", "500ms"])
        gateway, n_messages = self.by_gateway(log)
        secrets = secrets_of(device.memory)

        board = self.own(Board(device.folder, device.memory)).start()
        self.check_banner(board, device)
        board.feed(data)
        board.wait_messages(n_messages)
        spool = board.wait_drained()
        status = board.status()
        self.assertEqual(status["ais"]["messages"], n_messages)
        self.assertEqual(status["device"]["serial_bytes"], len(data))
        self.assertEqual(status["device"]["serial_dropped"], 0)
        board.close()
        wait_published(self.aggregator)

        topics = Topics(self, self.broker)
        n_records = topics.assert_exactly_once()
        assert_all_arrived(self, sum(b.n_records for b in topics.batches if b.device == device.device_id), spool)
        events = self.events_of(device)
        self.assertEqual([meaning(e) for e in events], [meaning(e) for e in self.events_of(gateway)])
        said = [(e["talker"] or "AI", e["channel"] or "", e["payload"], e["fill_bits"]) for e in events]
        sent = [(m[0], *m[2:]) for m in nmea_oracle.Log(vessels).messages]
        self.assertEqual(said[-len(sent):], sent)
        n_signed = self.verify_signatures(topics, device)
        self.check_control_records(device)
        self.check_secrets({**secrets, **secrets_of(device.memory)}, topics)
        print(f"{BOARD}: {n_messages} messages, {n_records} records of both collectors once each, {n_signed} batches of the "
              f"board verified; pool peak {status['device']['pool_peak_bytes']} of {status['device']['pool_bytes']} B, stack "
              f"peak {status['device']['stack_peak_bytes']} of {status['device']['stack_bytes']} B", flush=True)

    def check_banner(self, board, device):
        banner = fields_of(board.wait_said(r"^headrace "))
        self.assertEqual((banner["board"], banner["reset"]), (BOARD, "power"))
        self.assertRegex(banner["version"], r"^\d+\.\d+\.\d+$")
        identity = fields_of(board.wait_said(r"^identity "))
        self.assertEqual((int(identity["device"], 16), identity["name"]), (device.device_id, "board"))
        self.assertEqual(fields_of(board.wait_said(r"^spool "))["found"], "new")

    def verify_signatures(self, topics, device):
        """`headrace verify` of every batch of the device."""
        path = self.folder / "envelope"
        batches = [batch for batch in topics.batches if batch.device == device.device_id]
        for batch in batches:
            path.write_bytes(batch.envelope)
            run(program("headrace"), "verify", path, "--key", device.public_key)
        return len(batches)

    def check_secrets(self, secrets, topics):
        """Neither key and no seed of the board is in Kafka (test_board_input looks at what else it says)."""
        published = b"".join(p.value for p in topics.published)
        self.assertEqual(found(secrets, published), set())
        for name, secret in secrets.items():  # the search sees one that is there
            self.assertEqual(found(secrets, published + secret), {name})

    def check_control_records(self, device):
        """The board signs a Boot, a time from the aggregator, and its counters."""
        kinds = {event["kind"] for event in self.broker.tail(EVENTS) if int(event["device_id"], 16) == device.device_id}
        self.assertLessEqual({"boot", "time_anchor"}, kinds)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
