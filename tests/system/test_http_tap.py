#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP tap end to end: a simulator of market operators, headrace-collector over HTTPS, headrace-aggregator's ledger.
What the ledger holds is decoded here from its bytes and compared with what the simulator sent."""
import collections
import ctypes
import hashlib
import json
import random
import unittest

import iso_sim
from harness import ROOT, Aggregator, Site, SystemTest, program, run, wait_for
from pipeline import Batch, Collector, read_varint

CAISO, PJM, SPP, MISO, NYISO = "oasis.caiso.com", "api.pjm.com", "portal.spp.org", "public-api.misoenergy.org", "mis.nyiso.com"
SILENT = "www.ercot.com"
EVERY_S = {CAISO: 0.5, PJM: 0.3, SPP: 0.2, MISO: 0.3}
SECRETS = ("the-expired-key-1f0c", "the-renewed-key-77aa")


def unzstd(data, length):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
    out = ctypes.create_string_buffer(max(length, 1))
    got = library.ZSTD_decompress(out, length, data, len(data))
    if got != length:
        raise AssertionError(f"zstd gives {got} instead of {length} bytes")
    return out.raw[:length]


def fields(data):
    """{number: last value} of a protobuf message."""
    at, out = 0, {}
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 2:
            length, at = read_varint(data, at)
            out[tag >> 3] = data[at:at + length]
            at += length
        else:
            out[tag >> 3], at = read_varint(data, at)
    return out


class Document:
    """A Document record and what its chunks carry (proto/edge/record.proto)."""

    def __init__(self, message):
        number, text = (lambda key: message.get(key, 0)), (lambda key: message.get(key, b"").decode())
        self.id, self.feed, self.request, self.status = number(1), text(2), text(3), number(4)
        self.etag, self.sha256, self.len_bytes = text(5), message.get(7, b""), number(8)
        self.n_chunks, self.encoding, self.error = number(9), number(10), text(11)
        self.window_ms = tuple(number(key) >> 1 for key in (12, 13))
        self.chunks = []

    def whole(self):
        return len(self.chunks) == self.n_chunks

    def body(self):
        data = b"".join(self.chunks)
        return unzstd(data, self.len_bytes) if self.encoding == 1 else data

    def __repr__(self):
        return f"{self.feed} {self.status} {self.error!r} {self.len_bytes} B in {len(self.chunks)}/{self.n_chunks}"


def documents(aggregator):
    """Every Document of the ledger in its order; chunks must follow theirs, dense and in order."""
    out, by_id = [], {}
    for (envelope,) in aggregator.query("SELECT envelope FROM batch ORDER BY leaf"):
        for record in Batch(envelope).records():
            message = fields(record)
            if 6 in message:
                out.append(Document(fields(message[6])))
                by_id[out[-1].id] = out[-1]
            elif 7 in message:
                chunk = fields(message[7])
                owner = by_id[chunk.get(1, 0)]
                assert chunk.get(2, 0) == len(owner.chunks), "a chunk out of order"
                owner.chunks.append(chunk.get(3, b""))
    return out


def feed(name, url, more="", iso=None, expect="any", window="{kind: snapshot}", schedule="{every: 1s}", every_ms=300,
         timeout="120s", attempts=2):
    return (f"name: {name}\nversion: 1\niso: {iso or name.split('_')[0]}\nmarket: RTM\nproduct: rt_lmp\nowner: test\n"
            f"timezone: America/Chicago\nformat: test\nexpect: {expect}\nurl: \"https://{url}\"\nwindow: {window}\n"
            f"schedule: {schedule}\nquota: {{host_every: {every_ms}ms, requests_per_hour: 100000, bytes_per_hour: 1GiB, "
            f"records_per_hour: 10000000}}\nlimits: {{timeout: {timeout}, connect_timeout: 120s, max_bytes: 2MiB}}\n"
            f"retry: {{attempts: {attempts}, base: 100ms, cap: 400ms}}\noutput: {{topic: iso.test, schema: iso_test}}\n"
            f"freshness: 1h\n{more}")


class HttpTap(SystemTest):
    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        for name, sans in (("iso", (CAISO, PJM, SPP, MISO, SILENT)), ("elsewhere", ())):
            more = [word for san in sans for word in ("--san", san)]
            self.site.headrace("ca", "server", "--dir", self.site.ca, "--name", name, *more)
        self.sim = self.own(iso_sim.IsoSim(self.site.ca / "iso.crt", self.site.ca / "iso.key", EVERY_S))
        self.impostor = self.own(iso_sim.IsoSim(self.site.ca / "elsewhere.crt", self.site.ca / "elsewhere.key"))
        self.feeds = self.folder / "feeds"
        self.feeds.mkdir()
        self.secrets = self.folder / "secrets"
        self.secrets.mkdir()
        self.aggregator = self.own(Aggregator(self.site)).start()
        self.device = self.site.enrol("gateway")

    def write_feed(self, name, *args, **kwargs):
        (self.feeds / f"{name}.yaml").write_text(feed(name, *args, **kwargs))

    def start(self):
        run(program("headrace"), "feeds", "lint", self.feeds)
        hosts = [f"{host}:443:127.0.0.1:{self.impostor.port if host == NYISO else self.sim.port}"
                 for host in (CAISO, PJM, SPP, MISO, NYISO, SILENT)]
        tap = (f"  - {{type: http, feeds: {self.feeds}, credentials: {self.secrets}, ca: {self.device.trusted}, "
               f"breaker: 500ms, connect_to: {json.dumps(hosts)}}}\n")
        self.collector = self.own(Collector(self.device, [self.aggregator.coaps_tcp], tap, spool_size="16MiB",
                                            more="seal: {max_age: 200ms}\nlog: {level: debug}\n"))
        return self.collector.start()

    def wait_documents(self, what, check):
        """The documents in the ledger once they satisfy the check."""
        def look():
            found = documents(self.aggregator)
            return found if all(d.whole() for d in found[-1:]) and check(found) else None
        return wait_for(what, look, seen=lambda: collections.Counter((d.feed, d.status, d.error) for d in documents(self.aggregator)))

    def of(self, found, name):
        return [document for document in found if document.feed == name]

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
