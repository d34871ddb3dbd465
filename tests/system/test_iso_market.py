#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Seven market operators at 10,000 prices a minute each, all the way: `headrace sim iso` over HTTP, headrace-collector's
http tap, DTLS, headrace-aggregator, Apache Kafka. What consumers see is compared with what the simulator says that it
served. An hour of each operator's real-time market and a day of its day-ahead market; a day of both with HEADRACE_LONG=1.

Nobody's clock is turned: operators that are asked for windows are asked for those that were missed, and the others
publish the next interval with each answer. That is 400 times as fast as they do it."""
import calendar
import collections
import json
import math
import pathlib
import re
import subprocess
import threading
import time
import unittest
import urllib.request

from harness import ROOT, Aggregator, Process, Site, SystemTest, program, run, wait_for
from pipeline import LONG, Broker, Collector

NODES = 125  # of each operator
PACE_MS = 750  # between two documents of an operator: 10,000 prices a minute
WINDOWS = 288 if LONG else 12  # of five minutes
DEADLINE_S = 3600 if LONG else 300
REAL_TIME = {"caiso": "caiso_rt_lmp", "miso": "miso_rt_lmp", "spp": "spp_rt_lmp", "pjm": "pjm_rt_lmp", "ercot": "ercot_rt_lmp",
             "isone": "isone_rt_lmp", "nyiso": "nyiso_rt_lmp_gen"}
DAY_AHEAD = {"caiso": "caiso_da_lmp", "miso": "miso_da_lmp", "spp": "spp_da_lmp", "pjm": "pjm_da_lmp", "ercot": "ercot_da_spp",
             "isone": "isone_da_lmp", "nyiso": "nyiso_da_lmp_gen"}
LIMITS = dict.fromkeys(("oasis.caiso.com", "api.ercot.com", "api.pjm.com", "public-api.misoenergy.org"), "10/7")  # 7.5 s are kept
FAULTS = {"caiso_rt_lmp": ("429", "503", "half", "type"), "pjm_rt_lmp": ("401", "429"), "spp_rt_lmp": ("half", "503")}
PARTS = ("energy", "congestion", "loss")


class Consumer:
    """Reads a topic as it grows, read_committed, and notes when each event came."""

    def __init__(self, broker, topic):
        self.topic = topic
        self.seen = []  # (seconds since the epoch, line)
        self._process = subprocess.Popen([program("headrace"), "tail", "--kafka", broker, "--topic", topic, "--follow"],
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            self.seen.append((time.time(), line))

    def alive(self):
        return self._process.poll() is None

    def close(self):
        self._process.kill()
        self._process.wait()
        self._thread.join(60)
        self._process.stdout.close()


class IsoMarket(SystemTest):
    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))
        run(program("headrace"), "topics", "apply", "--kafka", self.broker.address, "--replication", 1)
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site, sinks=self.broker.sinks())).start()
        self.expect = self.folder / "expect.jsonl"
        hosts = [word for i in range(len(REAL_TIME)) for word in ("--listen", f"127.0.0.{i + 1}:0")]
        limits = [word for host, limit in LIMITS.items() for word in ("--limit", f"{host}={limit}")]
        self.simulator = self.own(Process([program("headrace"), "sim", "iso", "--speed", 0, "--nodes", NODES, "--expect",
                                           self.expect, *hosts, *limits], self.folder / "sim.log"))
        found = wait_for("the simulator to listen",
                         lambda: (e := self.simulator.events("listening")) and len(e) == len(REAL_TIME) and e)
        self.addresses = dict(zip(REAL_TIME, (entry["address"] for entry in found)))
        self.feeds = self.folder / "feeds"
        self.feeds.mkdir()

    def write_feed(self, name, window):
        """The feed as it is in schemas/feeds, but for the address, the pace and when windows are asked for."""
        text = (ROOT / f"schemas/feeds/{name}.yaml").read_text()
        iso = name.split("_")[0]
        text = re.sub("^token:\n(  .*\n)+", "", text, flags=re.M)  # who gives ERCOT's is not simulated: a file has it
        if name == DAY_AHEAD["pjm"]:
            text = text.replace("&type=ZONE", "")  # there is but one zone
        for key, value in (("url: \"https://[^/]+", f'url: "http://{self.addresses[iso]}'), ("schedule: .*", f"schedule: {window}"),
                           ("quota: .*", f"quota: {{host_every: {PACE_MS}ms, requests_per_hour: 100000, bytes_per_hour: 1GiB, "
                                         "records_per_hour: 10000000}"),
                           ("retry: .*", "retry: {attempts: 6, base: 200ms, cap: 1s}")):
            text, n = re.subn(f"^{key}", value, text, flags=re.M)
            self.assertEqual(n, 1, f"{name}: {key}")
        (self.feeds / f"{name}.yaml").write_text(text)

    def start_collector(self):
        secrets = self.folder / "secrets"
        secrets.mkdir()
        for name in ("ercot_token", "ercot_key", "pjm_key", "isone_login"):
            (secrets / name).write_text("user:word\n")
            (secrets / name).chmod(0o600)
        run(program("headrace"), "feeds", "lint", self.feeds)
        tap = f"  - {{type: http, feeds: {self.feeds}, credentials: {secrets}}}\n"
        self.collector = self.own(Collector(self.site.enrol("gateway"), [self.aggregator.coaps], tap, spool_size="64MiB",
                                            more="seal: {max_age: 200ms}\n"))
        self.collector.start()

    def holes(self):
        """Real-time feeds of which an interval between the first and the last was not served."""
        starts = collections.defaultdict(set)
        for line in self.expect.read_text().splitlines():
            if line.endswith("}"):  # the last one may be under way
                entry = json.loads(line)
                starts[entry["feed"]].add(calendar.timegm(time.strptime(entry["start"], "%Y-%m-%dT%H:%M:%SZ")))
        return {feed: sorted(starts[feed]) for feed in REAL_TIME.values()
                if max(starts[feed]) - min(starts[feed]) != 300 * (len(starts[feed]) - 1)}

    def is_quiet(self):
        """Every request has had its whole answer, or its failure."""
        counts = self.counts()
        return sum(feed["requests"] - feed["documents"] for feed in counts["feeds"].values()) == sum(counts["faults"].values())

    def counts(self):
        return json.loads(self.ask("/_counts"))

    def ask(self, path, data=None):
        with urllib.request.urlopen(f"http://{self.addresses['caiso']}{path}", data=data, timeout=120) as answer:
            return answer.read()

    def test_every_price_of_seven_operators_is_in_kafka_once(self):
        newest = {name for name in REAL_TIME.values() if "{kind: snapshot}" in (ROOT / f"schemas/feeds/{name}.yaml").read_text()}
        for name in REAL_TIME.values():
            self.write_feed(name, f"{{every: {PACE_MS}ms}}" if name in newest else f"{{lag: 1m, catch_up: {WINDOWS - 1}}}")
        for name in DAY_AHEAD.values():
            self.write_feed(name, "{lead: 11h, catch_up: 0}")
        consumers = [self.own(Consumer(self.broker.address, f"iso.{market}.lmp.{iso}")) for iso in REAL_TIME for market in ("rt", "da")]
        for feed, kinds in FAULTS.items():
            for kind in kinds:
                self.ask(f"/_fault?kind={kind}&feed={feed}", b"")
        self.start_collector()
        documents = lambda: {feed: entry["documents"] for feed, entry in self.counts()["feeds"].items()}
        wait_for("every operator to have been asked for all of it", lambda: (d := documents()) and all(
            d.get(feed, 0) >= WINDOWS for feed in REAL_TIME.values()) and all(d.get(feed) for feed in DAY_AHEAD.values()),
            DEADLINE_S, documents)
        wait_for("the windows that met a failure", lambda: not self.holes(), DEADLINE_S, self.holes)
        self.ask("/_fault?kind=503&count=1000000", b"")  # the markets close
        wait_for("the last answer to be sent", self.is_quiet, seen=self.counts)
        expected = self.expect.read_text().splitlines()
        n_seen = lambda: sum(len(consumer.seen) for consumer in consumers)
        wait_for("all of it to be in Kafka", lambda: n_seen() >= len(expected), DEADLINE_S, lambda: (n_seen(), len(expected)))
        peak_kib = int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{self.collector.process.pid}/status").read_text())[1])
        self.assertEqual(self.collector.process.stop(), 0)
        self.assertEqual([consumer.topic for consumer in consumers if not consumer.alive()], [])
        self.compare([json.loads(line) for line in expected], consumers)
        hosts = self.counts()["hosts"]
        self.assertEqual({name: host["over_limit"] for name, host in hosts.items() if host["over_limit"]}, {})
        print(f"collector: at most {peak_kib / 1024:.1f} MiB resident")
        self.assertLess(peak_kib, 16 * 1024)

    def compare(self, expected, consumers):
        wanted = {(e["feed"], e["location"], e["start"]): e for e in expected}
        self.assertEqual(len(wanted), len(expected), "the simulator was asked twice")
        seen, waits_s = collections.Counter(), []
        for consumer in consumers:
            for at_s, line in consumer.seen:
                event = json.loads(line)
                key = event["feed"], event["iso_location_id"], instant(event["interval_start"])
                seen[key] += 1
                want = wanted.get(key) or self.fail(f"nobody served {event}")
                wrong = [name for name in ("value", *PARTS) if (event[name] is None) != (name not in want)
                         or (name in want and abs(event[name] - want[name]) > 1e-7)]
                if wrong or event["revision"] != 0:
                    self.fail(f"{wrong} of {event}, and was served as {want}")
                waits_s.append(at_s - event["occurred_at"] / 1e6)
        self.assertEqual(set(wanted) - set(seen), set())
        self.assertEqual([key for key, n in seen.items() if n != 1], [])
        waits_s.sort()
        p95_s = waits_s[math.ceil(0.95 * len(waits_s)) - 1]
        by_iso = collections.Counter(feed.split("_")[0] for feed, _, _ in seen)
        print(f"{len(seen)} prices ({dict(by_iso)}), each once; from the document to a consumer of Kafka: half within "
              f"{waits_s[len(waits_s) // 2]:.1f} s, 95 % within {p95_s:.1f} s, all within {waits_s[-1]:.1f} s")


def instant(micros):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(micros // 1000000))


if __name__ == "__main__":
    unittest.main()
