#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Market data end to end: a simulator of the operators, headrace-collector's HTTP tap, headrace-aggregator, a real Kafka.
What a read_committed consumer sees is, row by row, what `headrace feeds test` gives for the same payloads, each exactly
once, though the aggregator is killed in the middle of a document that spans many batches."""
import collections
import datetime
import hashlib
import io
import json
import math
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import unittest
import zipfile

import iso_sim
from harness import Aggregator, Site, program, run, wait_for
from http_site import Document, documents, feed, fields
from pipeline import CORPUS, Batch, BrokerTest, Collector
from postgres import Postgres

CAISO, PJM, NYISO, MISO, ISONE = "oasis.caiso.com", "api.pjm.com", "mis.nyiso.com", "public-api.misoenergy.org", "webservices.iso-ne.com"
SPP, ERCOT = "portal.spp.org", "api.ercot.com"
HOSTS = (CAISO, PJM, NYISO, MISO, ISONE, SPP, ERCOT)
RECORDED = {  # of the corpus: feed, host, file
    "caiso_da_lmp": (CAISO, "CAISO/20200101_20200101_PRC_LMP_DAM_20200630_22_50_44_v1.zip"),
    "caiso_load_forecast": (CAISO, "CAISO/20250219_20250227_SLD_FCST_7DA_20250221_01_09_58_v1.zip"),
    "miso_da_lmp": (MISO, "MISO/da_expost_lmp_20260714_3hubs.csv"),
    "miso_outage": (MISO, "MISO/GenerationOutagesPlusMinusFiveDays_20261002.json"),
    "spp_rt_lmp": (SPP, "SPP/RTBM-LMP-SL-202503310850.csv"),
    "pjm_da_constraint": (PJM, "PJM/da_marginal_value_2024-09-02.json"),
    "pjm_load_forecast": (PJM, "PJM/compressed_pjm_load_forecast_2025-03-19.gz"),
    "ercot_da_spp": (ERCOT, "ERCOT/np4-190-cd_dam_spp_HB_HUBAVG_2025-11-02_dstfall.json"),
    "ercot_load_forecast": (ERCOT, "ERCOT/load_forecast_specific_reportid.zip"),
    "isone_da_lmp": (ISONE, "ISONE/hourlylmp_da_final_day_20251102_location_4000_dstfall.json"),
    "isone_da_schedule": (ISONE, "ISONE/dayaheadhourlydemand_day_20240310_location_4001.json"),
    "nyiso_da_lmp": (NYISO, "NYISO/damlbmp_zone_20251102_excerpt_dstfall.csv"),
}
N_USUAL_DAYS, SPIKE = 12, 900
UNKNOWN = "miso_nothing"  # a feed that no build knows
FAMILIES = ("iso.rt.lmp", "iso.da.lmp", "iso.da.schedule", "iso.rt.telemetry", "iso.events.outage", "iso.events.constraint")
ANOMALIES, RAW = "data.quality.anomalies.v1", "ingestion.iso.raw.v1"
ISO_CORPUS = pathlib.Path(CORPUS) / "iso"
CAISO_COLUMNS = ("INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,OPR_INTERVAL,NODE_ID_XML,NODE_ID,NODE,MARKET_RUN_ID,LMP_TYPE,"
                 "XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,MW,GROUP\n")


def caiso_prices(n_nodes, hours, seed):
    """A day-ahead file as OASIS prints it, its components adding up but for one node, and one price out of range."""
    chance, lines = random.Random(seed), []
    for node in range(n_nodes):
        for hour in hours:
            energy, congestion, loss = (round(chance.uniform(-50, 90), 5) for _ in range(3))
            if node == 8 and hour == hours[0]:
                energy = round(10500 - congestion - loss, 5)  # beyond what the feed's rules call right
            price = energy + congestion + loss + (1 if node == 7 and hour == hours[0] else 0)
            key = f"N{node}_{chance.getrandbits(40):x}"
            for kind, value in (("LMP", price), ("MCE", energy), ("MCC", congestion), ("MCL", loss)):
                lines.append(f"2026-03-01T{hour:02}:00:00-00:00,2026-03-01T{hour + 1:02}:00:00-00:00,2026-03-01,{hour},0,{key},{key},"
                             f"N{node},DAM,{kind},LMP_PRC,N{node},ALL,0,{value:.5f},1\n")
    return (CAISO_COLUMNS + "".join(lines)).encode()


def zipped(name, data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2026, 3, 1, 0, 0, 0)), data)
    return out.getvalue()


NYISO_ZONES = ('"Time Stamp","Name","PTID","LBMP ($/MWHr)","Marginal Cost Losses ($/MWHr)","Marginal Cost Congestion ($/MWHr)"\n'
               '"03/01/2026 00:00","CAPITL",61757,31.90,2.01,-6.53\n"03/01/2026 00:00","CENTRL",61754,25.30,0.45,0.00\n'
               '"03/01/2026 01:00","CAPITL",61757,30.10,1.90,-5.20\n"03/01/2026 01:00","CENTRL",61754,n/a,0.45,0.00\n').encode()


def usual_prices(n_days):
    """A zone's price of each hour, much the same each day, but for one hour of the last one."""
    lines = []
    for hour in range(24 * n_days):
        at = datetime.datetime(2026, 1, 5) + datetime.timedelta(hours=hour)
        price = 30 + 10 * math.sin(at.hour / 12 * math.pi) + hour % 5 * 0.1
        is_spike = hour == 24 * n_days - 6
        lines.append(f'"{at:%m/%d/%Y %H:%M}","CAPITL",61757,{SPIKE if is_spike else price:.2f},0.50,0.00\n')
    return (NYISO_ZONES.split(b"\n")[0].decode() + "\n" + "".join(lines)).encode()


NYISO_CORRECTED = NYISO_ZONES.replace(b"31.90", b"32.90")
NYISO_AGAIN = b"".join(line for _, line in sorted(enumerate(NYISO_CORRECTED.splitlines(True)), key=lambda row: (row[0] > 0, -row[0])))
PJM_CUT = b'{"items":[{"datetime_beginning_utc":"2026-03-01T05:00:00","pnode_id":1,'


def expected(name, path, request):
    """The rows that `headrace feeds test` prints for a payload, and how many findings."""
    done = subprocess.run([program("headrace"), "feeds", "test", name, "--payload", path, "--name", request, "--limit", "0"],
                          stdout=subprocess.PIPE, check=False)
    lines = [" ".join(line.split()) for line in done.stdout.decode("utf-8", "replace").splitlines()]
    return [line for line in lines if re.match(r"\d{4}-\d\d-\d\dT", line)], [line for line in lines if line.startswith("! ")]


def observation(name, row):
    """What a row speaks of, without what it says of it."""
    words = re.sub(r" (energy|congestion|loss|ghg|limit \(MW\)|version) -?[\d.e+-]+", "", row)
    return name, re.sub(r" -?[\d.]+(e[+-]?\d+)? (?=(USD/MWh|MW) )", " ", words)


def instant(us):
    return datetime.datetime.fromtimestamp(us / 1e6, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class OnPostgres(Aggregator):
    """An aggregator whose ledger is on PostgreSQL."""

    def __init__(self, postgres, *arguments, **more):
        super().__init__(*arguments, ledger=postgres.ledger(), **more)
        self.postgres = postgres

    def query(self, sql, *arguments):
        assert not arguments
        if "envelope" in sql:
            return [(bytes.fromhex(text),) for text, in self.postgres.query(sql.replace("envelope", "encode(envelope, 'hex')", 1))]
        return [tuple(map(int, row)) for row in self.postgres.query(sql)]


class Chain(BrokerTest):
    """The programs, with feeds of the test's own. The tests of a class share a broker, and have a device each."""

    def begin(self, transaction="", postgres=None):
        self.site = Site(self.folder)
        more = [word for host in HOSTS for word in ("--san", host)]
        self.site.headrace("ca", "server", "--dir", self.site.ca, "--name", "iso", *more)
        self.sim = self.own(iso_sim.IsoSim(self.site.ca / "iso.crt", self.site.ca / "iso.key"))
        self.feeds = self.folder / "feeds"
        self.feeds.mkdir()
        self.payloads = self.folder / "payloads"
        self.payloads.mkdir()
        self.paths = {}
        sinks = self.broker.sinks() + transaction
        self.aggregator = self.own(OnPostgres(postgres, self.site, sinks=sinks) if postgres else Aggregator(self.site, sinks=sinks))
        self.device = self.site.enrol("gateway", device_id="8" if postgres else "7")
        self.aggregator.ledger_section = (self.aggregator.ledger_section or f"ledger:\n  sqlite: {self.aggregator.ledger}\n") \
            + "  revisions: 36500d\n"  # for days of the past

    def serve(self, name, host, *answers, every="1s"):
        """A feed whose requests are answered by these in order: bytes, or an answer of iso_sim. The last one stays."""
        ready = []
        for answer in answers:
            if isinstance(answer, bytes):
                digest = hashlib.sha256(answer).digest()
                self.paths[digest] = self.payloads / digest.hex()
                self.paths[digest].write_bytes(answer)
                answer = iso_sim.body(answer)
            ready.append(answer)
        self.sim.route(host, f"/{name}/", *ready)
        (self.feeds / f"{name}.yaml").write_text(feed(name, f"{host}/{name}/now", every_ms=50, attempts=0, schedule=f"{{every: {every}}}")
                                                 .replace("max_bytes: 2MiB", "max_bytes: 16MiB"))

    def start_collector(self):
        run(program("headrace"), "feeds", "lint", self.feeds)
        hosts = [f"{host}:443:127.0.0.1:{self.sim.port}" for host in HOSTS]
        tap = f"  - {{type: http, feeds: {self.feeds}, ca: {self.device.trusted}, connect_to: {json.dumps(hosts)}}}\n"
        self.collector = self.own(Collector(self.device, [self.aggregator.coaps_tcp], tap, spool_size="32MiB",
                                            more="seal: {max_age: 200ms, max_bytes: 4KiB}\n"))
        self.collector.start()

    def wait_whole(self, names):
        """Every document that was served is in the ledger, and all of the ledger in Kafka. The documents."""
        wanted = collections.Counter(hashlib.sha256(path.read_bytes()).digest() for path in self.paths.values())

        def look():
            found = documents(self.aggregator)
            have = {d.sha256 for d in found if d.n_chunks and d.whole() and d.status == 200}
            return found if set(wanted) <= have and names <= {d.feed for d in found} else None
        wait_for("the documents in the ledger", look)
        self.assertEqual(self.collector.process.stop(), 0)
        n_leaves = self.aggregator.query("SELECT count(*) FROM batch")[0][0]
        self.aggregator.wait_metric('headrace_publish_next_leaf{sink="kafka"}', n_leaves)
        return documents(self.aggregator)

    def read(self):
        """What a read_committed consumer sees of the operators' topics: those with records, and the raw batches."""
        isos = ("caiso", "miso", "spp", "pjm", "ercot", "isone", "nyiso")
        published = self.broker.read(RAW, *(f"{family}.{iso}" for family in FAMILIES for iso in isos))
        published = [p for p in published if p.device == self.device.device_id]
        return sorted({p.topic for p in published} - {RAW}), [p for p in published if p.topic == RAW]

    def tail(self, topic):
        return [event for event in self.broker.tail(topic) if int(event["device_id"], 16) == self.device.device_id]

    def assert_rows(self, found, topics):
        """Each document's rows are those of `headrace feeds test`, each once, and no other, but that a row which says
        what was said last of its observation is none, and one that says something else is of the next revision."""
        events = collections.defaultdict(list)
        for topic in topics:
            for event in self.tail(topic):
                events[event["feed"]].append(event)
        places = collections.Counter(event["event_id"] for rows in events.values() for event in rows)
        self.assertEqual({n for n in places.values()} - {1}, set(), "an event is there more than once")
        n_rows, said = 0, {}
        for name in {d.feed for d in found} | set(events):
            wanted = []
            for document in found:
                if document.feed == name and document.n_chunks and document.status == 200 and name != UNKNOWN:
                    for row in expected(name, self.paths[document.sha256], document.request)[0]:
                        last, revision = said.get(observation(name, row), (None, -1))
                        if row != last:
                            said[observation(name, row)] = row, revision + 1
                            wanted.append(f"{row} revision {revision + 1}")
            have = collections.Counter(f"{row_text(event)} revision {event['revision']}" for event in events[name])
            self.assertEqual(list((collections.Counter(wanted) - have).items())[:5], [], f"{name}: missing")
            self.assertEqual(list((have - collections.Counter(wanted)).items())[:5], [], f"{name}: too many")
            n_rows += len(wanted)
        return n_rows


def row_text(event):
    number = lambda value: "%.10g" % value
    is_constraint = "contingency" in event
    minutes = event["iso_interval_minutes"]
    out = f"{instant(event['interval_start'])} {f'{minutes} min' if minutes else 'instant'} {event['iso_market']} {event['iso_subject']}"
    if not is_constraint:
        out += f" {event['iso_curve_role']}"
    if event["value"] is not None:
        out += f" {number(event['value'])} {event['iso_unit']}"
    out += f" {event['iso_location_type']} {event['iso_location_id']}"
    if event["iso_location_name"] and event["iso_location_name"] != event["iso_location_id"]:
        out += f" {event['iso_location_name']}"
    if event["iso_region"]:
        out += f" ({event['iso_region']})"
    for name, key in (("energy", "energy"), ("congestion", "congestion"), ("loss", "loss"), ("ghg", "ghg"), ("limit (MW)", "limit_mw")):
        if event.get(key) is not None:
            out += f" {name} {number(event[key])}"
    if event.get("contingency"):
        out += f" for {event['contingency']}"
    if event["published_at"] is not None:
        out += f" made {instant(event['published_at'])}"
    if event["source_version"] is not None:
        out += f" version {event['source_version']}"
    return " ".join(out.split())


class Fixtures(Chain, unittest.TestCase):
    def test_a_document_is_published_once_though_the_aggregator_is_killed_within_it(self):
        self.check_chain()
        self.assertEqual(self.aggregator.stop(), 0)
        self.check_rebuilt()
        self.check_edge_of_retention()

    def test_so_it_is_with_a_ledger_on_postgresql(self):
        self.check_chain(self.own(Postgres(self.folder)))

    def check_chain(self, postgres=None):
        """Few batches a transaction, so that a document of hundreds of them spans many; the aggregator dies before it
        commits one, with the cursor put, and behind a commit."""
        self.begin("  transaction_max_batches: 6\n", postgres)
        large = caiso_prices(600, (9, 10), seed=1)
        cut = zipped("prices.csv", caiso_prices(5, (9,), seed=2))[:-40]
        self.serve("caiso_da_lmp", CAISO, zipped("prices.csv", large))
        self.serve("nyiso_da_lmp", NYISO, NYISO_ZONES, NYISO_CORRECTED, NYISO_AGAIN)
        self.serve("nyiso_rt_lmp", NYISO, usual_prices(N_USUAL_DAYS))
        self.serve("caiso_rt_lmp", CAISO, cut)
        self.serve("pjm_da_lmp", PJM, PJM_CUT)
        self.serve("pjm_load", PJM, iso_sim.body(b"no", status=503))
        self.serve(UNKNOWN, MISO, b'{"a": 1}')
        self.aggregator.start(env={"HEADRACE_FAILPOINT": "publish_before_commit:3"})
        self.start_collector()
        for failpoint in ("kafka_cursor_put:4", "publish_after_commit:3", None):
            self.aggregator.process.wait()
            n_leaves = self.aggregator.query("SELECT count(*) FROM batch")[0][0]
            print(f"killed with {n_leaves} batches in the ledger", flush=True)
            self.aggregator.start(ready=failpoint is None, env={"HEADRACE_FAILPOINT": failpoint} if failpoint else None)
        found = self.wait_whole({"caiso_da_lmp", "caiso_rt_lmp", "nyiso_da_lmp", "nyiso_rt_lmp", "pjm_da_lmp", "pjm_load", UNKNOWN})
        n_chunks = next(d.n_chunks for d in found if d.feed == "caiso_da_lmp" and d.n_chunks)
        self.assertGreater(n_chunks, 40)
        topics, raw = self.read()
        n_rows = self.assert_rows(found, topics)
        self.assertEqual(n_rows, 1200 + 3 + 1 + 24 * N_USUAL_DAYS)  # NYISO's second document corrects a row, its third is the second's rows
        corrected = [event for event in self.tail("iso.da.lmp.nyiso") if event["revision"] > 0]
        self.assertEqual([(e["revision"], e["value"], e["iso_location_id"]) for e in corrected], [(1, 32.9, "61757")])
        self.check_replay()
        self.check_anomalies(found)
        self.check_quarantine()
        self.check_raw(found, raw)
        self.check_ledger()
        print(f"{n_rows} rows, a document of {n_chunks} chunks", flush=True)

    def check_anomalies(self, found):
        seen = collections.defaultdict(list)
        for event in self.tail(ANOMALIES):
            seen[event["feed"], event["finding"]].append(event)
        breach, = seen["caiso_da_lmp", "identity_breach"]
        self.assertIn(breach["document_sha256"], {d.sha256.hex() for d in found if d.feed == "caiso_da_lmp"})
        self.assertIsNotNone(breach["document_record"])
        strange, = seen["pjm_da_lmp", "unknown_document"]
        self.assertEqual((strange["iso_code"], strange["document_sha256"]), ("pjm", hashlib.sha256(PJM_CUT).hexdigest()))
        cut, = seen["caiso_rt_lmp", "document"]
        self.assertIn(cut["document_sha256"], {path.name for path in self.paths.values()})
        unknown, = seen[UNKNOWN, "unknown_feed"]
        self.assertIsNone(unknown["iso_code"])
        self.assertEqual(len(seen["nyiso_da_lmp", "bad_number"]), 3)
        broken, = seen["caiso_da_lmp", "range"]
        self.assertEqual(broken["text"], "value is 10500.000, right is -2000.000 to 10000.000")
        rows = {event["observation_key"] for event in self.tail("iso.da.lmp.caiso")}
        self.assertIn(broken["observation_key"], rows, "the row is published all the same")
        complete = seen["caiso_da_lmp", "complete"]
        self.assertEqual(len(complete), 101)  # each of 1,200 node-hours is a node of its own: 100 are told
        self.assertEqual(complete[-1]["text"], "1100 more in this document")
        figure = 'headrace_iso_quality_total{sink="kafka",feed="caiso_da_lmp",rule="%s"}'
        for rule in ("required", "range", "allowed", "complete", "quarantine"):
            self.assertIn(figure % rule, self.aggregator.metrics())  # counted since the last start only
        self.assertEqual({name for name, _ in seen}, {"caiso_da_lmp", "caiso_rt_lmp", "nyiso_da_lmp", "pjm_da_lmp", UNKNOWN})
        self.assertGreater(self.aggregator.metric('headrace_iso_documents_refused_total{sink="kafka"}'), 0)

    def check_quarantine(self):
        """The one value that is far from what its hour lets expect is published as what it is, and marked."""
        marked = {event["value"]: event["quarantine"] for event in self.tail("iso.rt.lmp.nyiso") if event["quarantine"]}
        self.assertEqual(list(marked), [SPIKE])
        self.assertRegex(marked[SPIKE], "^seasonal[+]")

    def check_replay(self):
        """Documents of the past know nothing of what came later: the same rows are events again, the others are not."""
        figure = 'headrace_iso_rows_%s_total{sink="kafka"}'
        self.assertEqual(self.aggregator.metric(figure % "corrected"), 1)
        self.assertGreaterEqual(self.aggregator.metric(figure % "unchanged"), 2)  # and 3 of the third document
        done = self.site.headrace("feeds", "replay", "--feed", "iso.da.lmp.nyiso", "--from", "2020-01-01", "--to", "now",
                                  "--dry-run", "--json", "--config", self.aggregator.config)
        replay, = json.loads(done.stdout)["replays"]
        self.assertEqual((replay["events"], replay["changed"]), (4, 0), replay)

    def check_raw(self, found, raw):
        """Each batch with a piece of a document is in the operators' raw topic, once."""
        leaves = [p.leaf for p in raw]
        self.assertEqual(len(leaves), len(set(leaves)))
        self.assertGreater(len(leaves), sum(d.n_chunks for d in found) // 16)

    def check_ledger(self):
        """fsck puts the documents together by itself, and finds nothing missing, doubled or alien."""
        report = self.fsck("--config", self.aggregator.config)
        self.assertEqual(report["cut"]["documents"], 0)
        self.assertGreater(report["kafka"]["matched"], 1204)

    def fsck(self, *words):
        done = self.site.headrace("ledger", "fsck", *words, "--kafka", self.broker.address, "--json")
        report = json.loads(done.stdout)
        self.assertEqual((report["findings"], report["complete"]), ([], True))
        return report

    def check_rebuilt(self):
        """A ledger that is rebuilt from an export knows what was said of observations, too."""
        export, rebuilt = self.folder / "whole.export", self.folder / "rebuilt.db"
        self.site.headrace("ledger", "export", self.aggregator.ledger, "--out", export)
        self.site.headrace("ledger", "rebuild", "--from", export, rebuilt)
        self.assertGreater(self.fsck(rebuilt)["kafka"]["matched"], 1204)

    def check_edge_of_retention(self):
        """Retention comes to stand within the large document. fsck names it and judges the others; a replay has nothing to
        correct: no anomaly, for one, that says that its beginning is missing."""
        edge = self.leaf_within("caiso_da_lmp")
        with sqlite3.connect(self.aggregator.ledger) as ledger:
            ledger.execute("UPDATE log_head SET first_leaf = ?", (edge,))
            ledger.execute("DELETE FROM batch WHERE leaf < ?", (edge,))
        ledger.close()
        report = self.fsck(self.aggregator.ledger)
        self.assertEqual([row["leaf"] for row in report["cut"]["told"]], [edge])
        self.assertEqual(report["cut"]["documents"], 1)
        self.aggregator.start()
        for topic in (ANOMALIES, "iso.da.lmp.caiso"):
            done = run(program("headrace"), "feeds", "replay", "--config", self.aggregator.config, "--feed", topic,
                       "--from", "2020-01-01", "--to", "now", "--json")
            replay, = json.loads(done.stdout)["replays"]
            self.assertEqual((replay["state"], replay["changed"]), ("completed", 0))
            self.assertIn("the beginning of documents", replay["reason"])
        self.assertGreaterEqual(self.aggregator.metric('headrace_iso_documents_cut_total{sink="kafka"}'), 1)
        print(f"the first {edge} batches are gone", flush=True)

    def leaf_within(self, feed_name):
        """A batch that holds nothing but chunks in the middle of the first document of a feed."""
        inside = None
        for leaf, envelope in self.aggregator.query("SELECT leaf, envelope FROM batch ORDER BY leaf"):
            records = [fields(record) for record in Batch(envelope).records()]
            heads = [Document(fields(record[6])) for record in records if 6 in record]
            if inside is None and any(head.feed == feed_name and head.n_chunks for head in heads):
                inside = leaf
            elif inside is not None and leaf >= inside + 5 and records and all(7 in record for record in records):
                return leaf
        raise AssertionError("no such batch")


class Corpus(Chain, unittest.TestCase):
    def test_recorded_documents_are_published_as_feeds_test_prints_them(self):
        """A document of each operator, and CAISO's of 40,712 rows in one transaction."""
        self.begin()
        for name, (host, file) in RECORDED.items():
            self.serve(name, host, (ISO_CORPUS / file).read_bytes(), every="5s")
        self.aggregator.start()
        self.start_collector()
        found = self.wait_whole(set(RECORDED))
        n_rows = self.assert_rows(found, self.read()[0])
        self.assertGreater(n_rows, 40712)
        status = pathlib.Path(f"/proc/{self.aggregator.process.pid}/status").read_text()
        peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        print(f"{n_rows} rows of {len(RECORDED)} documents; the aggregator's peak is {int(peak) // 1024} MB", flush=True)


if __name__ == "__main__":
    if "Corpus" in sys.argv[1:] and not ISO_CORPUS.is_dir():
        print(f"skipped: no corpus at {ISO_CORPUS} (HEADRACE_CORPUS)")
        sys.exit(77)
    unittest.main(verbosity=2)
