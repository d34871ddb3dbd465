#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Replays of a day while live traffic flows, with a normalizer that changes in between, on a real Kafka, with a SQLite
and with a PostgreSQL ledger.

A build with HEADRACE_FAULTS has an AIS normalizer whose version and speeds are higher by HEADRACE_CHANGED_AIS. Apache
Kafka's own read_committed consumer says what was published: each event once, each correction once, in the order of
their revisions, whoever is killed; and what `headrace feeds` says of it is compared with that."""
import collections
import contextlib
import datetime
import http.client
import json
import signal
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import nmea_oracle
import wire
from harness import Aggregator, Site, SystemTest, free_port, program, run, wait_for
from pipeline import AIS, EVENTS, Broker, Collector, Fleet
from postgres import Postgres
from probe import Probe

HOURS, HOUR_MS = 24, 3600000
BATCHES_AN_HOUR, BATCH_RECORDS = 2, 28  # of a device that was away for a day
N_RECORDED = HOURS * BATCHES_AN_HOUR * BATCH_RECORDS
N_LIVE = 150  # and so many of the fleet before the first replay
RATE = 50
CHUNK = 200  # events that a replay compares in one transaction, so that there are some to be killed between
DEADLINE_S = 240
KILLS = ["replay_asked:1", "replay_begun:1", "replay_put:1", "replay_put:700", "publish_after_commit:1", "replay_chunk_done:1",
         "publish_before_commit:2", "replay_chunk_done:2"]
KILLS_AT_THE_END = ["replay_ended:1"]


def recorded():
    """The bits of simulated messages of 168 bits."""
    done = subprocess.run([program("headrace"), "sim", "ais", "--count", str(2 * N_RECORDED), "--rate", "0", "--vessels", "200",
                           "--seed", "5", "--to", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    payloads = [payload for _, _, _, payload, _ in nmea_oracle.Log(done.stdout).messages if len(payload) == 28]
    return [unarmoured(payload) for payload in payloads[:N_RECORDED]]


def unarmoured(payload):
    """ITU-R M.1371 bits of an NMEA payload: six a character."""
    bits = 0
    for char in payload if isinstance(payload, bytes) else payload.encode():
        bits = bits << 6 | (char - 48 if char < 88 else char - 56)
    return bits.to_bytes(21, "big")


def anchor_record(batch_uptime_ms, utc_ms):
    """Record{time_anchor} of the device's own clock."""
    fields = enumerate((1, batch_uptime_ms, utc_ms, 10, 2), 1)
    body = b"".join(wire._field(number, 0, wire.varint(value)) for number, value in fields)
    return wire._field(8, 2, wire.varint(len(body)) + body)


class Feeds(SystemTest):
    """An aggregator, a device that has brought what it recorded in the 24 hours before this one, and a collector under a
    simulated fleet."""

    def begin(self, sinks=None, ledger=None):
        self.site = Site(self.folder)
        more = {"ledger": ledger} if ledger else {}
        yesterday = self.site.enrol("yesterday")
        self.aggregator = self.own(Aggregator(self.site, sinks=sinks, **more))
        self.aggregator.start()
        self.bring_a_day(yesterday)
        self.port = free_port()
        device = self.site.enrol("gateway")
        taps = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {self.port}}}\n"
        self.collector = self.own(Collector(device, [self.aggregator.coaps_tcp], taps, spool_size="32MiB",
                                            more="seal: {max_age: 200ms}\n"))
        self.collector.start()
        self.has_failed = False
        self.fleet = self.own(Fleet(self.port, 7, RATE, self.folder))
        self.wait_events(N_RECORDED + N_LIVE)

    def bring_a_day(self, device):
        key, stream, messages = wire.Key(device.record_key), wire.Stream(device.device_id), iter(recorded())
        self.day_ms = (int(time.time() * 1000) // HOUR_MS - HOURS) * HOUR_MS
        part_ms = HOUR_MS // BATCHES_AN_HOUR
        with contextlib.closing(Probe(self.aggregator.coaps, device)) as probe:
            for part in range(HOURS * BATCHES_AN_HOUR):
                uptime_ms = 1000 + part * part_ms
                records = [anchor_record(uptime_ms, self.day_ms + part * part_ms)]
                records += [wire.ais_record(next(messages), i * (part_ms // BATCH_RECORDS)) for i in range(BATCH_RECORDS)]
                batch = stream.next(records, base_uptime_ms=uptime_ms)
                self.assertEqual(probe.post(batch.envelope(key)).ack.status, wire.OK)

    def replay_of_the_day(self, *more):
        """Just those 24 hours."""
        begin, end = (datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                      for ms in (self.day_ms, self.day_ms + HOURS * HOUR_MS))
        done = self.feeds("replay", "--feed", AIS, "--from", begin, "--to", end, "--json", *more)
        return json.loads(done.stdout)["replays"][0]

    def sink(self):
        return "kafka" if "kafka" in self.aggregator.sinks else "files"

    def published(self, name):
        return self.aggregator.metric(f'headrace_{name}{{sink="{self.sink()}"}}')

    def wait_events(self, n):
        """Until so many events of AIS are published and in the feed ledger."""
        def seen():
            self.assertTrue(self.collector.process.alive(), self.collector.process.lines)
            done = self.feeds("list", "--json", expect=None)
            return done.returncode == 0 and sum(f["events"] for f in json.loads(done.stdout) if f["feed"] == AIS) >= n

        wait_for(f"{n} events in the feed ledger", seen, DEADLINE_S)

    def feeds(self, *words, expect=0):
        return run(program("headrace"), "feeds", *words, "--config", self.aggregator.config, expect=expect)

    def replay(self, *more, feed=AIS):
        """Asks for everything up to now and waits for its end; the row of its sink."""
        done = self.feeds("replay", "--feed", feed, "--from", "2020-01-01", "--to", "now", "--json", *more)
        return json.loads(done.stdout)["replays"][0]

    def entries(self, feed=AIS):
        return json.loads(self.feeds("list", "--feed", feed, "--limit", "0", "--json").stdout)

    def restart(self, **env):
        """In peace, as for an upgrade."""
        self.note_failures()
        self.assertEqual(self.aggregator.stop(), 0)
        self.aggregator.start(env={key: str(value) for key, value in env.items()})

    def note_failures(self):
        """A transaction whose end was in doubt is read back, and then nobody told where its events went."""
        self.has_failed = self.has_failed or self.published("publish_failures_total") > 0

    def end(self):
        """No more traffic; everything published and stored."""
        self.fleet.stop()
        self.collector.wait_status("the spool to drain", lambda s: s["drained"] and s["open_records"] == 0, DEADLINE_S)

        def level():
            metrics = self.aggregator.metrics()
            leaves = metrics["headrace_ledger_leaves"]
            status = json.loads(self.feeds("status", "--feed", AIS, "--json").stdout)
            return leaves > 0 and metrics[f'headrace_publish_next_leaf{{sink="{self.sink()}"}}'] == leaves \
                == status["feed_cursor"]

        wait_for("everything to be published and folded", level, DEADLINE_S)
        self.note_failures()


class OnKafka(Feeds):
    def setUp(self):
        super().setUp()
        self.broker = self.own(Broker(self.folder))

    # ---- what must be true of the topic ----

    def read_topic(self, topic=AIS):
        """Records by event, in the order of the partition: {(leaf, record, output): [(Published, decoded)]}."""
        records = self.broker.read(topic)
        decoded = {}
        for event in self.broker.tail(topic):
            decoded.setdefault((event["event_id"], event["revision"]), []).append(event)
        by_event = collections.defaultdict(list)
        for record in records:
            by_event[record.leaf, record.record_index, record.output_index].append(record)
        self.assertEqual(sum(map(len, decoded.values())), len(records))
        self.assertEqual([key for key, events in decoded.items() if len(events) != 1][:9], [], "an event and revision twice")
        return records, by_event, {key: events[0] for key, events in decoded.items()}

    def assert_revisions(self, by_event):
        """Every event has its first publication once, and its revisions once each, in order, in one partition."""
        for key, records in by_event.items():
            self.assertEqual([r.revision for r in records], list(range(len(records))), key)
            self.assertEqual(len({r.partition for r in records}), 1, key)
            self.assertTrue(all((r.replay > 0) == (r.revision > 0) for r in records), key)

    def assert_corrected(self, by_event, version):
        """What was published by an older version has one correction a version if it has a speed, and none otherwise.
        Gives the number of corrections."""
        for key, records in by_event.items():
            events = [self.by_place[key][r.revision] for r in records]
            self.assertEqual(len({e["event_id"] for e in events}), 1, "a correction has the event_id of what it corrects")
            self.assertEqual([e["revision"] for e in events], [r.revision for r in records])
            first = records[0].normalizer_version
            wanted = list(range(first, version + 1)) if events[0]["sog_kn"] is not None else [first]
            self.assertEqual([r.normalizer_version for r in records], wanted, key)
            for steps, event in enumerate(events):
                same = {k: v for k, v in events[0].items() if k not in ("sog_kn", "revision")}
                self.assertEqual({k: v for k, v in event.items() if k not in ("sog_kn", "revision")}, same)
                if event["sog_kn"] is not None:
                    self.assertAlmostEqual(event["sog_kn"], events[0]["sog_kn"] + steps, places=9)
        return sum(map(len, by_event.values())) - len(by_event)

    def check_topic(self, version, n_changed):
        records, by_event, decoded = self.read_topic()
        self.by_place = collections.defaultdict(dict)
        for event in decoded.values():
            self.by_place[event["leaf"], event["record_index"], 0][event["revision"]] = event
        self.assert_revisions(by_event)
        n_corrected = self.assert_corrected(by_event, version)
        self.assertEqual(n_corrected, n_changed, "what the replay counted is what was published")
        self.assert_live_order(records)
        return records, by_event

    def assert_live_order(self, records):
        last = {}
        for r in records:
            if r.revision == 0:
                at = (r.leaf, r.record_index, r.output_index)
                self.assertGreater(at, last.get(r.partition, (-1, -1, -1)))
                last[r.partition] = at
            elif r.partition in last and r.live is not None:
                leaf, index = last[r.partition][0], (last[r.partition][1] + 1 << 16) + last[r.partition][2]
                self.assertEqual(r.live, (leaf, index), "a revision names the live record before it")

    def check_entries(self, records, by_event, positions_are_whole):
        """The feed ledger says what the topic holds."""
        entries = self.entries()
        self.assertEqual(sum(e["events"] for e in entries), len(by_event))
        self.assertEqual(sum(e["revised"] for e in entries), len(records) - len(by_event))
        hour = lambda r: self.by_place[r.leaf, r.record_index, 0][0]["occurred_at"]
        for entry in entries:
            mine = [r for r in records if utc_hour(hour(r)) == entry["partition"]]
            first = [r for r in mine if r.revision == 0]
            self.assertEqual(entry["events"], len(first))
            self.assertEqual(entry["revised"], len(mine) - len(first))
            self.assertEqual(entry["revision"], max(r.revision for r in mine))
            self.assertEqual((entry["first_leaf"], entry["last_leaf"]), (min(r.leaf for r in first), max(r.leaf for r in first)))
            self.assertEqual(entry["batches"], len({r.leaf for r in first}))
            self.assertLessEqual(entry["placed"], len(mine))
            if positions_are_whole:
                self.assertEqual(entry["placed"], len(mine))
                ranges = collections.defaultdict(list)
                for r in mine:
                    ranges[r.partition].append(r.offset)
                self.assertEqual({p["partition"]: (p["first"], p["last"]) for p in entry["positions"]},
                                 {p: (min(o), max(o)) for p, o in ranges.items()})

    def change(self, by, kills=()):
        """A normalizer that is newer by `by` comes, and the day is replayed by it, though it is killed at each of these
        places; then once more. Gives how many corrections there were."""
        env = {"HEADRACE_CHANGED_AIS": by, "HEADRACE_REPLAY_CHUNK": CHUNK}
        self.restart(**env)
        dry = self.replay("--dry-run")
        self.assertEqual((dry["state"], dry["dry_run"]), ("completed", True))
        self.assertGreater(dry["changed"], N_RECORDED // 2)
        self.assertEqual(self.published("published_revisions_total"), 0)
        known = {r["id"] for r in self.replays()}
        if kills:
            self.note_failures()
            self.assertEqual(self.aggregator.stop(), 0)
        for failpoint in kills:
            # Live traffic passes some of these places too: then it is killed before a replay could be asked for.
            self.aggregator.start(ready=False, env={**{k: str(v) for k, v in env.items()}, "HEADRACE_FAILPOINT": failpoint})
            self.ask()
            wait_for(f"{failpoint} to kill it", lambda: not self.aggregator.process.alive(), DEADLINE_S,
                     lambda: self.aggregator.process.lines[-5:])
            self.assertEqual(self.aggregator.process.returncode(), -signal.SIGKILL, self.aggregator.process.lines[-20:])
        if kills:
            self.has_failed = True  # what a killed one had published was read back, too
            self.aggregator.start(env={k: str(v) for k, v in env.items()})
        last = self.replay()  # when those that were interrupted have ended
        self.assertEqual(last["state"], "completed")
        replays = [r for r in self.replays() if r["id"] not in known]
        self.assertEqual({r["state"] for r in replays}, {"completed"}, replays)
        n_changed = sum(r["changed"] for r in replays)
        self.assertEqual(n_changed, dry["changed"], replays)
        again = self.replay()
        self.assertEqual((again["state"], again["changed"]), ("completed", 0), "the second time there is nothing to publish")
        self.assertGreaterEqual(again["events"], N_RECORDED + N_LIVE)
        if not kills:
            self.assertEqual(self.published("published_revisions_total"), n_changed)
        print(f"version {1 + by}: {dry['changed']} would change, {n_changed} did in {len(replays)} replays with "
              f"{len(kills)} kills, {again['changed']} of {again['events']} the second time", flush=True)
        return n_changed

    def ask(self):
        """Until the aggregator has taken a replay of everything, or is dead."""
        body = json.dumps({"feed": AIS, "from": "2020-01-01", "to": "2100-01-01"})
        request = urllib.request.Request(f"http://127.0.0.1:{self.aggregator.http_port}/reprocess", body.encode(),
                                         {"Content-Type": "application/json"})

        def is_taken_or_dead():
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status == 202
            except (OSError, http.client.HTTPException):
                return not self.aggregator.process.alive()

        wait_for("an answer to the replay, or the end", is_taken_or_dead, DEADLINE_S)

    def replays(self):
        return json.loads(self.aggregator.http("/reprocess")[1])["replays"]

    def check_everything(self, version, n_changed):
        records, by_event = self.check_topic(version, n_changed)
        self.check_entries(records, by_event, positions_are_whole=not self.has_failed)
        live = sum(r.revision == 0 and r.normalizer_version > 1 for r in records)
        self.assertGreater(len({entry["partition"] for entry in self.entries()}), HOURS, "a day of hours, and the hour of now")
        print(f"{len(by_event)} events of which {live} came live after the first change, {len(records) - len(by_event)} "
              f"corrections, each once; places in Kafka {'as far as known' if self.has_failed else 'of all'}", flush=True)


class Sqlite(OnKafka):
    def test_a_day_is_replayed_twice_with_normalizer_changes_in_between(self):
        self.begin(self.broker.sinks())
        dry = self.replay("--dry-run")
        self.assertEqual((dry["state"], dry["changed"], dry["dry_run"]), ("completed", 0, True))
        self.assertGreaterEqual(dry["events"], N_RECORDED + N_LIVE)
        day = self.replay_of_the_day("--dry-run")
        self.assertEqual((day["state"], day["events"], day["changed"]), ("completed", N_RECORDED, 0))
        same = self.replay()
        self.assertEqual((same["state"], same["changed"]), ("completed", 0))
        self.assertGreaterEqual(same["events"], dry["events"])
        first = self.change(1)
        self.assertEqual(self.replay(feed=EVENTS)["changed"], 0)
        self.end()
        self.check_everything(2, first)
        self.fleet = self.own(Fleet(self.port, 8, RATE, self.folder))
        second = self.change(2, KILLS)
        self.end()
        self.check_everything(3, first + second)


class Postgresql(OnKafka):
    def test_a_day_is_replayed_on_postgresql_too(self):
        self.postgres = self.own(Postgres(self.folder))
        self.begin(self.broker.sinks(), self.postgres.ledger(connect_timeout="5s", commit_timeout="120s"))
        self.assertEqual(self.replay()["changed"], 0)
        n_changed = self.change(1, KILLS[2:5] + KILLS_AT_THE_END)
        self.end()
        self.check_everything(2, n_changed)


class Files(Feeds):
    """The same with Avro files, and what the command line and the API answer."""

    def events(self):
        tail = run(program("headrace"), "tail", "--files", self.aggregator.files)
        return [json.loads(line) for line in tail.stdout.splitlines()]

    def post(self, body, content_type="application/json", path="/reprocess"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.aggregator.http_port}{path}", body,
                                         {"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_corrections_go_into_the_files_too(self):
        self.begin()
        self.restart(HEADRACE_CHANGED_AIS=2)
        changed = self.replay()
        self.assertGreater(changed["changed"], N_RECORDED // 2)
        self.assertEqual(self.replay()["changed"], 0)
        self.end()
        events = collections.defaultdict(list)
        for event in self.events():
            events[event["event_id"]].append(event)
        n_corrected = 0
        for versions in events.values():
            self.assertEqual([e["revision"] for e in versions], list(range(len(versions))))
            n_corrected += len(versions) - 1
            if len(versions) == 2:
                self.assertAlmostEqual(versions[1]["sog_kn"], versions[0]["sog_kn"] + 2, places=9)
        self.assertEqual(n_corrected, changed["changed"])
        self.assertEqual(sum(e["events"] for e in self.entries()), len(events))
        self.assertEqual(sum(e["revised"] for e in self.entries()), n_corrected)

    def test_the_command_line_and_the_api_say_what_is_wrong(self):
        self.begin()
        status = json.loads(self.feeds("status", "--feed", AIS, "--json").stdout)
        self.assertRegex(status["normalizers"], r"^ais/1 iso/2\+z[0-9a-f]{8}\+r[0-9a-f]{8} plant/1 device/1 revisions/1080h$")
        self.assertEqual(sum(status["states"].values()), status["partitions"])
        table = self.feeds("list", "--feed", AIS).stdout
        self.assertIn(self.entries()[0]["partition"], table)
        self.assertIn(AIS, self.feeds("list").stdout)
        self.assertIn("watermark", self.feeds("status", "--feed", AIS).stdout)
        partition = self.entries()[0]["partition"]
        watermark = self.feeds("watermark", "--feed", AIS, "--partition", partition).stdout.strip()
        self.assertRegex(watermark, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertGreaterEqual(self.feeds("watermark", "--feed", AIS).stdout.strip(), watermark)
        for words, expect, complaint in [
                (["status", "--feed", "no.such"], 1, f"no feed no.such was published to files; there is {EVENTS}, {AIS}"),
                (["list", "--sink", "kafka"], 1, "nothing was published to kafka; there is files"),
                (["watermark", "--feed", AIS, "--partition", "1999-01-01T00Z"], 1, "has no partition 1999-01-01T00Z"),
                (["status"], 3, "--feed"),
                (["list", "--limit", "many", "--feed", AIS], 3, "--limit is a number"),
                (["replay", "--feed", "no.such", "--from", "2020-01-01", "--to", "now"], 1, "no such feed; there are"),
                (["replay", "--feed", AIS, "--from", "yesterday", "--to", "now"], 1, "from is a time"),
                (["replay", "--feed", AIS, "--from", "2026-01-02", "--to", "2026-01-01"], 1, "the window is empty"),
                (["replay", "--feed", AIS, "--from", "2020-01-01", "--to", "now", "--admin", "nowhere"], 1, "--admin is"),
                (["replay", "--feed", AIS, "--from", "2020-01-01", "--to", "now", "--admin", f"http://127.0.0.1:{free_port()}"],
                 1, "no aggregator answers")]:
            done = self.feeds(*words, expect=expect)
            self.assertIn(complaint, done.stderr, words)
        good = json.dumps({"feed": AIS, "from": "2020-01-01", "to": "now", "dry_run": True}).encode()
        for args, code, text in [
                ((good, "text/plain"), 415, "application/json"), ((b"{}",), 400, "feed is missing"), ((b"[",), 400, "error"),
                ((b'{"a":"' + b"x" * 5000 + b'"}',), 413, "too long"), ((good, "application/json", "/reprocess/1"), 404, ""),
                ((good, "application/json; charset=utf-8"), 202, '"state":'), ((good, "application/json", "/metrics"), 404, "")]:
            answered = self.post(*args)
            self.assertEqual(answered[0], code, answered)
            self.assertIn(text, answered[1])
        self.assertEqual(self.aggregator.http("/reprocess/77")[0], 404)
        self.assertEqual(self.aggregator.http("/reprocess/1")[0], 200)
        self.assertEqual(self.aggregator.http("/reprocess/one")[0], 404)
        self.assertEqual(self.aggregator.stop(), 0)
        self.assertIn("no aggregator answers", self.feeds("replay", "--feed", AIS, "--from", "2020-01-01", "--to", "now",
                                                         expect=1).stderr)
        self.assertIn(AIS, self.feeds("list").stdout)  # a ledger that nobody writes is read all the same


def utc_hour(micros):
    """The name of the partition of a moment."""
    return datetime.datetime.fromtimestamp(micros / 1e6, datetime.timezone.utc).strftime("%Y-%m-%dT%HZ")


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
