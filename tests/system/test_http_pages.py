#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Operators that answer in pages: each is asked for on its own, within the pace, and is a document of its own; together
they hold what `headrace sim iso` says that it has, each row once. A bound ends it where there are more."""
import collections
import json
import re
import sys
import unittest
import urllib.request

from harness import ROOT, Aggregator, Process, Site, SystemTest, program, run, wait_for
from http_site import documents
from pipeline import Collector
from test_sim_iso import PLACE, START

NODES, PAGE_ROWS, WINDOWS, PACE_MS, BOUND = 20, 100, 2, 200, 2
# feed: what its requests say of a page, and what it begins to count from
FEEDS = {"ercot_da_spp": (r"size=\d+", f"size={PAGE_ROWS}", "page", 1),
         "pjm_da_lmp": (r"rowCount=\d+", f"rowCount={PAGE_ROWS}", "startRow", PAGE_ROWS)}


class HttpPages(SystemTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site)).start()
        self.expect = self.folder / "expect.jsonl"
        limits = [word for host in ("api.ercot.com", "api.pjm.com") for word in ("--limit", f"{host}=0/1")]
        simulator = self.own(Process([program("headrace"), "sim", "iso", "--speed", 0, "--nodes", NODES, "--expect", self.expect,
                                      *limits], self.folder / "sim.log"))
        self.address = simulator.wait_event("listening")["address"]
        self.feeds = self.folder / "feeds"
        self.feeds.mkdir()
        self.secrets = self.folder / "secrets"
        self.secrets.mkdir()

    def write_feed(self, name, of, bound):
        """The feed as it is in schemas/feeds, but for the address, the pace, and pages that are small."""
        text = (ROOT / f"schemas/feeds/{of}.yaml").read_text()
        text = re.sub("^token:\n(  .*\n)+", "", text, flags=re.M)
        size, small = FEEDS[of][:2]
        for key, value in (("^name: .*", f"name: {name}"), ('^url: "https://[^/]+', f'url: "http://{self.address}'), (size, small),
                           (r"(^pages: .*)max: \d+", rf"\g<1>max: {bound}"),
                           ("^schedule: .*", f"schedule: {{lead: 10h, catch_up: {WINDOWS - 1}}}"),
                           ("^quota: .*", f"quota: {{host_every: {PACE_MS}ms, requests_per_hour: 1000, bytes_per_hour: 1GiB, "
                                          "records_per_hour: 100000}")):
            text, n = re.subn(key, value, text, flags=re.M)
            self.assertEqual(n, 1, f"{name}: {key}")
        text = re.sub(r"rows: \d+", f"rows: {PAGE_ROWS}", text.replace("&type=ZONE", ""))
        (self.feeds / f"{name}.yaml").write_text(text)

    def start_collector(self):
        for name in ("ercot_token", "ercot_key", "pjm_key"):
            (self.secrets / name).write_text("word\n")
            (self.secrets / name).chmod(0o600)
        run(program("headrace"), "feeds", "lint", self.feeds)
        tap = f"  - {{type: http, feeds: {self.feeds}, credentials: {self.secrets}}}\n"
        self.collector = self.own(Collector(self.site.enrol("gateway"), [self.aggregator.coaps_tcp], tap, spool_size="16MiB",
                                            more="seal: {max_age: 200ms}\n"))
        self.collector.start()

    def pages_of(self, found, name, parameter):
        """{window: numbers of the pages that came, in their order}"""
        pages = collections.defaultdict(list)
        for document in found:
            if document.feed == name and document.status == 200 and document.whole():
                pages[document.window_ms].append(int(re.search(rf"[&?]{parameter}=(\d+)$", document.request).group(1)))
        return pages

    def rows_of(self, document):
        payload = self.folder / "payload"
        payload.write_bytes(document.body())
        done = run(program("headrace"), "feeds", "test", "auto", "--payload", payload, "--name", document.request, "--limit", 0)
        return [(START.match(line).group(1), PLACE.search(line).group(1)) for line in done.stdout.splitlines() if START.match(line)]

    def expected(self, name):
        with urllib.request.urlopen(f"http://{self.address}/_counts", timeout=120):
            pass  # is answered when what was sent before is told
        return {(e["start"], e["location"]) for e in map(json.loads, self.expect.read_text().splitlines()) if e["feed"] == name}

    def test_pages_of_a_window_come_one_by_one_and_hold_all_of_it(self):
        for name in FEEDS:
            self.write_feed(name, name, 20)
        self.write_feed("pjm_bounded", "pjm_da_lmp", BOUND)
        self.start_collector()
        n_pages = -(-NODES * 23 // PAGE_ROWS)  # of a day of 23 hours; others have as many or more

        def look():
            found = documents(self.aggregator)
            counts = [len(numbers) for name in FEEDS for numbers in self.pages_of(found, name, FEEDS[name][2]).values()]
            counts_bounded = [len(numbers) for numbers in self.pages_of(found, "pjm_bounded", "startRow").values()]
            is_all = (len(counts) >= WINDOWS * len(FEEDS) and min(counts) >= n_pages and len(counts_bounded) >= WINDOWS
                      and set(counts_bounded) == {BOUND})
            return found if is_all and self.is_quiet() else None
        found = wait_for("the pages of all windows", look)
        self.assertEqual(self.collector.process.stop(), 0)
        for name, (_, _, parameter, step) in FEEDS.items():
            for numbers in self.pages_of(found, name, parameter).values():
                self.assertEqual(numbers, [1 + step * i for i in range(len(numbers))], name)
            rows = [row for d in found if d.feed == name and d.n_chunks for row in self.rows_of(d)]
            self.assertEqual(len(rows), len(set(rows)), f"{name}: a row came twice")
            self.assertEqual(set(rows), self.expected(name), name)
            print(f"{name}: {len(rows)} rows in {sum(d.feed == name for d in found)} pages", flush=True)
        event, = {(e["pages"] > BOUND, e["asked_for"]) for e in self.collector.process.events("http_pages")}
        self.assertEqual(event, (True, BOUND))

    def is_quiet(self):
        """Nothing is under way: whatever was asked for is in the ledger."""
        n_asked = sum(f["requests"] for f in json.loads(urllib.request.urlopen(
            f"http://{self.address}/_counts", timeout=120).read())["feeds"].values())
        return n_asked == len(documents(self.aggregator))


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
