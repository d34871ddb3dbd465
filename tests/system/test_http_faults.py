#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What operators' servers do wrong, each to a host of its own, and what can be seen of it from outside: in the collector's
status, in the Stats records that it sends, and in the simulator, which counts requests. Each fault stays until it was seen;
then it is mended, and no window that was ever asked for is missing."""
import collections
import threading
import unittest

import iso_sim
from harness import wait_for
from http_site import CAISO, MISO, NYISO, PJM, SILENT, SPP, HttpSite, fields
from pipeline import Batch

INTERVAL = dict(window="{kind: interval, length: 5m}", schedule="{lag: 1m, catch_up: 2}", expect="json", attempts=100)
PER_HOUR = 12
CLOSED, OPEN = 0, 1


def table(handler):
    """A document that tells which window was asked for."""
    return iso_sim.body(b'{"asked":"' + handler.path.encode() + b'"}', "application/json")(handler)


def source(host):
    """A host's name in Stats records has 15 characters at most."""
    return host[:15]


class HttpFaults(HttpSite):
    def until_mended(self, fault):
        def answer(handler):
            return (table if self.mended.is_set() else fault)(handler)
        return answer

    def write_feeds(self):
        self.mended = threading.Event()
        keyed = iso_sim.keyed("Ocp-Apim-Subscription-Key", lambda: "renewed", table)
        page = iso_sim.body(b"<html>maintenance</html>", "text/html")
        for host, path, answer in (
                (CAISO, "/throttled", self.until_mended(iso_sim.body(b"slow down", "text/plain", 429, Retry_After="2"))),
                (CAISO, "/quota", table), (SPP, "/", self.until_mended(iso_sim.body(b"", status=503))),
                (SILENT, "/", self.until_mended(iso_sim.hang)), (MISO, "/", self.until_mended(iso_sim.half(b"[" * 20000))),
                (PJM, "/key", keyed), (PJM, "/wrong", self.until_mended(page))):
            self.sim.route(host, path, answer)
        when = "?w={start:epoch}"
        self.write_feed("caiso_throttled", f"{CAISO}/throttled{when}", every_ms=500, **INTERVAL)
        self.write_feed("caiso_quota", f"{CAISO}/quota{when}", every_ms=500, per_hour=PER_HOUR,
                        **{**INTERVAL, "schedule": "{lag: 1m, catch_up: 40}"})
        self.write_feed("spp_outage_503", f"{SPP}/x{when}", **INTERVAL)
        self.write_feed("ercot_hanging", f"{SILENT}/x{when}", timeout="500ms", **INTERVAL)
        self.write_feed("miso_half", f"{MISO}/x{when}", **INTERVAL)
        self.write_feed("pjm_key", f"{PJM}/key{when}", "auth:\n  - {header: Ocp-Apim-Subscription-Key, credential: pjm_key}\n", **INTERVAL)
        self.write_feed("pjm_wrong_type", f"{PJM}/wrong{when}", **INTERVAL)
        self.write_feed("nyiso_tls", f"{NYISO}/x{when}", **INTERVAL)
        self.set_key("expired")

    def set_key(self, value):
        beside = self.secrets / "pjm_key.new"
        beside.write_text(value + "\n")
        beside.chmod(0o600)
        beside.rename(self.secrets / "pjm_key")

    def wait_host(self, what, host, check):
        """The host's counters once they satisfy the check."""
        return self.collector.wait_status(what, lambda s: check(s["stats"].get(source(host), {})))["stats"][source(host)]

    def stats_records(self):
        """{source: [counters]} of the Stats records in the ledger, in their order."""
        out = collections.defaultdict(list)
        for (envelope,) in self.aggregator.query("SELECT envelope FROM batch ORDER BY leaf"):
            for record in Batch(envelope).records():
                message = fields(record)
                if 12 in message:
                    source, counters = self.read_stats(message[12])
                    out[source].append(counters)
        return out

    def read_stats(self, data):
        """Of one Stats record: the name and its repeated counters (proto/edge/record.proto)."""
        source, counters, at = "", {}, 0
        while at < len(data):
            number, length = data[at] >> 3, data[at + 1]
            part = data[at + 2:at + 2 + length]
            if number == 1:
                source = part.decode()
            else:
                counter = fields(part)
                counters[counter[1].decode()] = counter.get(2, 0)
            at += 2 + length
        return source, counters

    def test_every_fault_is_seen_from_outside_and_no_window_is_lost(self):
        self.write_feeds()
        self.more = "stats_interval: 1s\n"
        process = self.start().process
        self.wait_host("429: a pause, and no broken circuit", CAISO,
                       lambda h: h.get("throttled", 0) > 0 and h["hold_ms"] > 0 and h["breaker"] == CLOSED)
        for what, host in (("503", SPP), ("a hanging server", SILENT), ("half bodies", MISO), ("TLS", NYISO)):
            self.wait_host(f"{what}: an open breaker", host, lambda h: h.get("breaker", 0) == OPEN and h["opened"] > 0)
        self.wait_host("an expired key: counted, and no broken circuit", PJM,
                       lambda h: h.get("denied", 0) > 0 and h["breaker"] == CLOSED and h["failures"] == 0)
        seen = self.wait_documents("a trace of each fault", lambda found: all(
            any(d.feed == name and d.status == status and error in d.error for d in found) for name, status, error in (
                ("caiso_throttled", 429, ""), ("spp_outage_503", 503, ""), ("ercot_hanging", 0, "timed out"),
                ("miso_half", 200, "transfer closed"), ("pjm_key", 401, ""), ("nyiso_tls", 0, "SSL"),
                ("pjm_wrong_type", 200, "json is expected; this is text/html"))))
        self.assertFalse([d for d in seen if d.status == 200 and not d.error and d.feed != "caiso_quota"])
        for host in (SPP, SILENT, MISO, NYISO):
            self.assertTrue(any(e["host"] == host and e["state"] == "open" for e in process.events("http_breaker")), host)

        wait_for("the open breakers in Stats records", lambda: all(
            OPEN in {r["breaker"] for r in self.stats_records()[source(host)]} for host in (SPP, SILENT, MISO, NYISO)))
        self.mended.set()
        self.set_key("renewed")
        self.check_quota(process)
        found = self.wait_documents("every window that was ever asked for", self.is_complete)
        self.check_answers(found)
        for host in (SPP, SILENT, MISO):
            self.wait_host("the breaker to close", host, lambda h: h["breaker"] == CLOSED)
        self.check_stats_records()
        self.assertEqual(process.stop(), 0)
        self.assertEqual(self.sim.too_soon, [])
        self.assertEqual(self.impostor.requests, [], "nothing was asked of a host with a wrong certificate")

    def check_quota(self, process):
        """The feed that may ask 12 times an hour asks 12 times and then says that it waits."""
        self.wait_host("a quota that is used up", CAISO, lambda h: h.get("quotas_held") == 1 and h["requests_hour"] >= PER_HOUR)
        self.assertTrue([e for e in process.events("http_quota") if e["feed"] == "caiso_quota" and e["state"] == "held"])
        asked = [request for request in self.sim.seen(CAISO) if request.path.startswith("/quota")]
        self.assertEqual(len(asked), PER_HOUR)
        self.assertEqual(len({request.path for request in asked}), PER_HOUR, "no window twice")

    def is_complete(self, found):
        good = collections.defaultdict(set)
        asked = collections.defaultdict(set)
        for document in found:
            asked[document.feed].add(document.window_ms)
            if document.status == 200 and not document.error:
                good[document.feed].add(document.window_ms)
        return all(good[name] == windows and len(windows) >= 3 for name, windows in asked.items() if name != "nyiso_tls")

    def check_answers(self, found):
        for document in found:
            if document.status == 200 and not document.error and document.whole() and document.n_chunks:
                self.assertIn(f"w={document.window_ms[0]}\"".encode(), document.body(), document)
        asked = [request for request in self.sim.seen(CAISO) if request.path.startswith("/quota")]
        self.assertEqual(len(asked), PER_HOUR, "and it went on waiting while the others were mended")

    def check_stats_records(self):
        """The same states stand in the signed records: breakers that opened and closed, the quota that holds."""
        def look():
            records = self.stats_records()
            return all(({OPEN, CLOSED} <= {r["breaker"] for r in records[source(host)]} and records[source(host)][-1]["breaker"] == CLOSED)
                       for host in (SPP, SILENT, MISO)) and records[source(CAISO)][-1]["quotas_held"] == 1 and records
        records = wait_for("the states in Stats records", look)
        self.assertEqual(records["http"][-1]["quotas_held"], 1)
        self.assertEqual(records["http"][-1]["quota_holds"], 1)


if __name__ == "__main__":
    unittest.main()
