# SPDX-License-Identifier: Apache-2.0
"""What tests of the HTTP tap share: simulated operators, a collector that polls them over HTTPS, an aggregator, and its
ledger's bytes as Documents, decoded here."""
import collections
import ctypes
import json

import iso_sim
from harness import Aggregator, Site, SystemTest, program, run, wait_for
from pipeline import Batch, Collector, read_varint

CAISO, PJM, SPP, MISO, NYISO = "oasis.caiso.com", "api.pjm.com", "portal.spp.org", "public-api.misoenergy.org", "mis.nyiso.com"
SILENT = "www.ercot.com"
FORMATS = {"caiso": "caiso_lmp_csv", "miso": "miso_rt_lmp_csv", "spp": "spp_lmp_csv", "pjm": "pjm_rt_lmp_json",
           "ercot": "ercot_sced_csv", "isone": "isone_lmp_json", "nyiso": "nyiso_lbmp_csv"}
EVERY_S = {CAISO: 0.5, PJM: 0.3, SPP: 0.2, MISO: 0.3}


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
         timeout="120s", attempts=2, max_bytes="2MiB", per_hour=100000):
    iso = iso or name.split("_")[0]
    return (f"name: {name}\nversion: 1\niso: {iso}\nmarket: RTM\nproduct: rt_lmp\nowner: test\n"
            f"timezone: America/Chicago\nformat: {FORMATS[iso]}\nexpect: {expect}\nurl: \"https://{url}\"\nwindow: {window}\n"
            f"schedule: {schedule}\nquota: {{host_every: {every_ms}ms, requests_per_hour: {per_hour}, bytes_per_hour: 1GiB, "
            f"records_per_hour: 10000000}}\nlimits: {{timeout: {timeout}, connect_timeout: 120s, max_bytes: {max_bytes}}}\n"
            f"retry: {{attempts: {attempts}, base: 100ms, cap: 400ms}}\noutput: {{topic: iso.rt.lmp.{iso}, schema: iso_rt_lmp}}\n"
            f"freshness: 1h\n{more}")


class HttpSite(SystemTest):
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
        self.spool_size, self.authorities, self.more = "16MiB", None, ""
        self.tap_more, self.hosts_more = "", []
        self.aggregator = self.own(Aggregator(self.site)).start()
        self.device = self.site.enrol("gateway")

    def write_feed(self, name, *args, **kwargs):
        (self.feeds / f"{name}.yaml").write_text(feed(name, *args, **kwargs))

    def start(self):
        run(program("headrace"), "feeds", "lint", self.feeds)
        hosts = [f"{host}:443:127.0.0.1:{self.impostor.port if host == NYISO else self.sim.port}"
                 for host in (CAISO, PJM, SPP, MISO, NYISO, SILENT)] + self.hosts_more
        tap = (f"  - {{type: http, feeds: {self.feeds}, credentials: {self.secrets}, ca: {self.authorities or self.device.trusted}, "
               f"breaker: 500ms, connect_to: {json.dumps(hosts)}{self.tap_more}}}\n")
        self.collector = self.own(Collector(self.device, [self.aggregator.coaps_tcp], tap, spool_size=self.spool_size,
                                            more="seal: {max_age: 200ms}\nlog: {level: debug}\n" + self.more))
        return self.collector.start()

    def wait_documents(self, what, check):
        """The documents in the ledger once they satisfy the check."""
        def look():
            found = documents(self.aggregator)
            return found if all(d.whole() for d in found[-1:]) and check(found) else None
        return wait_for(what, look, seen=lambda: collections.Counter((d.feed, d.status, d.error) for d in documents(self.aggregator)))

    def of(self, found, name):
        return [document for document in found if document.feed == name]
