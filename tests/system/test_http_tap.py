#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP tap end to end: a simulator of market operators, headrace-collector over HTTPS, headrace-aggregator's ledger.
What the ledger holds is decoded here from its bytes and compared with what the simulator sent."""
import collections
import hashlib
import random
import unittest

import iso_sim
from harness import ROOT, program, run, wait_for
from http_site import CAISO, MISO, NYISO, PJM, SILENT, SPP, HttpSite
from pipeline import Collector

SECRETS = ("the-expired-key-1f0c", "the-renewed-key-77aa")


class HttpTap(HttpSite):
    def test_bodies_arrive_whole_and_every_fault_leaves_a_trace(self):
        """Six hosts at once: a rate limit, an expired key, outages, unchanged content, a wrong certificate, and silence."""
        chance = random.Random(20261121)
        archive = b"PK\x03\x04" + chance.randbytes(300000)
        table = "\n".join(f"{i},{chance.random():.6f},NODE_{i % 97}" for i in range(20000)).encode()
        table_2 = table + b"\nlast,0,NODE"
        lmp = b'{"items":[{"total_lmp_rt":-12.5}]}' * 20
        page = b"<html><body>Scheduled maintenance</body></html>"
        sent = {hashlib.sha256(data).digest(): data for data in (archive, table, table_2, lmp)}

        self.sim.route(CAISO, "/oasisapi", iso_sim.body(b"CAISO Acceptable Use Policy Violation.", "text/html", 429, Retry_After="2"),
                       iso_sim.redirect(f"https://{CAISO}/oasisapi/moved"), iso_sim.body(page, "text/html"),
                       iso_sim.body(archive, "application/x-zip-compressed"))
        self.write_feed("caiso_rt_lmp", f"{CAISO}/oasisapi/SingleZip?start={{start:utc:%Y%m%dT%H:%M}}-0000", expect="zip",
                        window="{kind: interval, length: 5m}", schedule="{lag: 1m, catch_up: 3}", every_ms=500)
        self.sim.route(PJM, "/", iso_sim.keyed("Ocp-Apim-Subscription-Key", lambda: SECRETS[1], iso_sim.body(lmp, "application/json")))
        (self.secrets / "pjm_key").write_text(SECRETS[0] + "\n")
        self.write_feed("pjm_rt_lmp", f"{PJM}/api/v1/rt", "auth:\n  - {header: Ocp-Apim-Subscription-Key, credential: pjm_key}\n",
                        expect="json")
        self.sim.route(SPP, "/", iso_sim.body(b"", status=503), iso_sim.half(table), iso_sim.body(b"", status=502), iso_sim.half(table),
                       iso_sim.body(b"busy", "text/plain", 503), iso_sim.body(b"", status=500), iso_sim.body(table, "text/csv"))
        self.write_feed("spp_rt_lmp", f"{SPP}/file?path=/{{end:local:%Y%m%d%H%M}}.csv", expect="csv", every_ms=200,
                        window="{kind: interval, length: 5m}", schedule="{lag: 1m, catch_up: 0}")
        self.sim.route(SILENT, "/", iso_sim.hang)
        self.write_feed("ercot_rt_lmp", f"{SILENT}/api", timeout="1s", attempts=0)
        self.sim.route(MISO, "/tagged", iso_sim.tagged(table, '"v1"', "text/csv"))
        self.sim.route(MISO, "/same", iso_sim.body(table, "text/csv"), iso_sim.body(table, "text/csv"), iso_sim.body(table_2, "text/csv"))
        self.sim.route(MISO, "/long", iso_sim.body(b"x" * (2 * 1024 * 1024 + 1), "text/csv"))
        self.write_feed("miso_tagged", f"{MISO}/tagged", expect="csv")
        self.write_feed("miso_same", f"{MISO}/same", expect="csv")
        self.write_feed("miso_long", f"{MISO}/long", attempts=0, schedule="{every: 10s}")
        self.write_feed("miso_absent", f"{MISO}/nothing/there", attempts=0, schedule="{every: 10s}")
        self.write_feed("nyiso_rt_lmp", f"{NYISO}/public", attempts=0)
        process = self.start().process

        self.wait_documents("a key that others may read to be refused",
                            lambda found: any("may be read by others" in d.error for d in found))
        (self.secrets / "pjm_key").chmod(0o600)
        first = self.wait_documents("the expired key to be told", lambda found: any(d.status == 401 for d in found))
        self.assertFalse(any(d.status == 200 for d in self.of(first, "pjm_rt_lmp")))
        (self.secrets / "pjm_key.new").write_text(SECRETS[1] + "\n")
        (self.secrets / "pjm_key.new").chmod(0o600)
        (self.secrets / "pjm_key.new").rename(self.secrets / "pjm_key")

        got = lambda found, name: [d for d in self.of(found, name) if d.status == 200 and not d.error]
        found = self.wait_documents("what was sent to be in the ledger", lambda found: all((
            len(got(found, "caiso_rt_lmp")) >= 4, got(found, "pjm_rt_lmp"), got(found, "spp_rt_lmp"),
            any(d.status == 304 for d in found), len({d.sha256 for d in got(found, "miso_same")}) == 2,
            self.of(found, "miso_long"), self.of(found, "miso_absent"), self.of(found, "nyiso_rt_lmp"),
            self.of(found, "ercot_rt_lmp"))))
        self.check_bodies(found, sent, got)
        self.check_traces(found)
        self.check_hosts(process, found)
        self.assertEqual(self.collector.process.stop(), 0)
        self.check_secrets(process)

    def check_bodies(self, found, sent, got):
        """Every body is byte for byte what was sent, and content that was had is not sent again."""
        seen = collections.Counter()
        for document in found:
            if document.n_chunks and document.whole():
                self.assertEqual(hashlib.sha256(document.body()).digest(), document.sha256, document)
            if document.status == 200 and not document.error:
                self.assertIn(document.sha256, sent, document)
                self.assertEqual(document.len_bytes, len(sent[document.sha256]))
                if document.whole() and document.n_chunks:
                    self.assertEqual(document.body(), sent[document.sha256])
                    seen[document.feed, document.request, document.sha256] += 1
        self.assertEqual(set(seen.values()), {1})
        self.assertTrue(any(d.n_chunks == 0 for d in got(found, "miso_same")), "unchanged content is told without chunks")
        self.assertEqual({d.encoding for d in found if d.feed.startswith("spp") and d.n_chunks and d.status == 200}, {1})
        self.assertEqual({d.encoding for d in got(found, "caiso_rt_lmp")}, {0}, "an archive is not packed again")
        windows = [d.window_ms for d in got(found, "caiso_rt_lmp")]
        self.assertEqual(len(windows), len(set(windows)))
        self.assertEqual({end - start for start, end in windows}, {300000})

    def check_traces(self, found):
        for name, status, error in (("caiso_rt_lmp", 429, ""), ("caiso_rt_lmp", 200, "zip is expected; this is text/html"),
                                    ("pjm_rt_lmp", 401, ""), ("spp_rt_lmp", 503, ""), ("ercot_rt_lmp", 0, "timed out"),
                                    ("spp_rt_lmp", 200, "transfer closed"), ("spp_rt_lmp", 502, ""), ("miso_tagged", 304, ""),
                                    ("miso_absent", 404, ""), ("miso_long", 200, "longer than 2097152 bytes"),
                                    ("nyiso_rt_lmp", 0, "SSL")):
            self.assertTrue(any(d.status == status and error in d.error for d in self.of(found, name)),
                            f"{name} {status} {error}: {self.of(found, name)[:12]}")
        refused = next(d for d in self.of(found, "caiso_rt_lmp") if d.status == 429)
        self.assertIn(b"Acceptable Use Policy", refused.body())
        not_modified = next(d for d in self.of(found, "miso_tagged") if d.status == 304)
        self.assertIn(not_modified.sha256, {d.sha256 for d in self.of(found, "miso_tagged") if d.status == 200})

    def check_hosts(self, process, found):
        """No request came sooner than its host allows; breakers were seen to open, try and close."""
        self.assertEqual(self.sim.too_soon, [])
        caiso = self.sim.seen(CAISO)
        self.assertGreaterEqual(caiso[1].at_s - caiso[0].at_s, 2.0, "Retry-After is waited for")
        self.assertTrue(any(request.path.endswith("/moved") for request in caiso))
        states = [entry["state"] for entry in process.events("http_breaker") if entry["host"] == SPP]
        self.assertEqual(states[:4], ["open", "half_open", "open", "half_open"], states)
        wait_for("the breaker of SPP to close", lambda: [e for e in process.events("http_breaker")
                                                         if e["host"] == SPP and e["state"] == "closed"])
        self.assertEqual(self.impostor.requests, [], "nothing was asked of a host with a wrong certificate")
        # Each request that the simulator counts has its Document, but those that are under way.
        n_spp = len([d for d in self.of(found, "spp_rt_lmp")])
        self.assertGreaterEqual(len(self.sim.seen(SPP)), n_spp)
        self.assertLessEqual(len(self.sim.seen(SPP)) - n_spp, 3)
        status = self.collector.wait_status("counters", lambda s: s["stats"].get("http", {}).get("documents", 0) > 0)
        self.assertGreaterEqual(status["stats"]["http"]["breakers_opened"], 2)
        self.assertGreaterEqual(status["stats"][SPP]["opened"], 2)
        self.assertGreater(status["stats"]["http"]["unchanged"], 0)

    def check_secrets(self, process):
        envelopes = b"".join(envelope for (envelope,) in self.aggregator.query("SELECT envelope FROM batch"))
        for secret in SECRETS:
            self.assertNotIn(secret.encode(), envelopes)
            self.assertNotIn(secret, "\n".join(process.lines))
            self.assertNotIn(secret.encode(), self.collector.spool.read_bytes())
        keys = {request.headers.get("Ocp-Apim-Subscription-Key") for request in self.sim.seen(PJM)}
        self.assertEqual(keys, set(SECRETS))
        self.assertFalse(any("Ocp-Apim-Subscription-Key" in r.headers for r in self.sim.requests if r.host != PJM))

    def test_a_feed_with_a_mistake_is_told_by_lint_and_by_the_collector(self):
        self.write_feed("caiso_rt_lmp", f"{CAISO}/x?{{begin:utc:%Y}}")
        refused = run(program("headrace"), "feeds", "lint", self.feeds, expect=1)
        self.assertIn("caiso_rt_lmp.yaml:10:url: a time begins with", refused.stderr)
        collector = Collector(self.device, [self.aggregator.coaps_tcp], f"  - {{type: http, feeds: {self.feeds}}}\n")
        check = run(program("headrace-collector"), "--check", "--config", collector.config, expect=2)
        self.assertIn("a time begins with", check.stderr)
        self.write_feed("caiso_rt_lmp", f"{CAISO}/x", "auth:\n  - {header: X-Key, credential: x_key}\n")
        check = run(program("headrace-collector"), "--check", "--config", collector.config, expect=2)
        self.assertIn("name the folder that holds it", check.stderr)
        self.assertRegex(run(program("headrace"), "feeds", "lint", ROOT / "schemas/feeds").stdout, r"^\d+ feeds, 0 mistakes\n$")


if __name__ == "__main__":
    unittest.main()
