#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`headrace sim iso`: its documents are asked for by the URLs of schemas/feeds, which are expanded here anew, read by
`headrace feeds test`, and compared with what the simulator says that it served. And its limits and failures."""
import datetime
import http.client
import json
import re
import subprocess
import unittest
import zoneinfo

from harness import ROOT, Process, SystemTest, program, run, wait_for

ZONES = {"caiso": "America/Los_Angeles", "miso": "Etc/GMT+5", "spp": "America/Chicago", "ercot": "America/Chicago"}
START, MINUTES = re.compile(r"^(\S+Z) "), re.compile(r" (\d+) min ")
PLACE = re.compile(r" (?:hub|zone|node|interface|reserve|untyped) (\S+)")
NUMBER = r"(-?[\d.]+(?:e[-+]\d+)?)"
VALUE, PART = re.compile(rf" {NUMBER} USD/MWh"), re.compile(rf" (energy|congestion|loss) {NUMBER}")
SPRING, FALL, PLAIN = datetime.date(2026, 3, 8), datetime.date(2025, 11, 2), datetime.date(2026, 7, 14)
FEEDS = ("caiso_rt_lmp", "caiso_da_lmp", "miso_rt_lmp", "miso_da_lmp", "miso_rt_lmp_final", "spp_rt_lmp", "spp_da_lmp",
         "pjm_rt_lmp", "ercot_rt_lmp", "ercot_rt_spp", "ercot_da_spp", "isone_rt_lmp", "isone_rt_lmp_final", "isone_da_lmp",
         "nyiso_rt_lmp", "nyiso_rt_lmp_gen", "nyiso_da_lmp", "nyiso_da_lmp_gen", "pjm_da_lmp_hub")
SECOND = datetime.timedelta(seconds=1)


def zone_of(feed):
    return zoneinfo.ZoneInfo(ZONES.get(feed.split("_")[0], "America/New_York"))


def template_of(feed):
    """Path and query, and the length of the windows: None is a day, 0 the newest."""
    text = (ROOT / f"schemas/feeds/{feed}.yaml").read_text()
    path = re.search(r'^url: "https://[^/]+(/[^"]*)"', text, re.M).group(1)
    kind, minutes = re.search(r"^window: {kind: (\w+)(?:, length: (\d+)([mh]))?}", text, re.M).group(1, 2)
    hours = "length: 1h" in text
    return path, {"snapshot": 0, "day": None}.get(kind, 60 if hours else int(minutes or 0))


def expand(path, start, end, zone):
    def moment(match):
        name, view, pattern = (match.group(1).split(":", 2) + ["", ""])[:3]
        at = {"start": start, "end": end, "last": end - SECOND}[name]
        local = at.astimezone(zone)
        if view == "hour_ending":
            return str(local.hour + 1)
        if view == "repeated":
            return pattern if local.fold else ""
        return (at if view == "utc" else local).strftime(pattern).replace(" ", "%20")
    return re.sub(r"{([^}]*)}", moment, path)


def hours_of(day, zone):
    """Beginnings of the hours of a market day, in UTC."""
    midnight = lambda d: datetime.datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(datetime.timezone.utc)
    at, end = midnight(day), midnight(day + datetime.timedelta(days=1))
    while at < end:
        yield at
        at += datetime.timedelta(hours=1)


class Simulator:
    def __init__(self, test, *options):
        self.expect = test.folder / f"expect-{len(list(test.folder.iterdir()))}.jsonl"
        self.process = test.own(Process([program("headrace"), "sim", "iso", "--expect", self.expect, *map(str, options)],
                                        f"{self.expect}.log"))
        self.address = self.process.wait_event("listening")["address"]

    def ask(self, target, method="GET"):
        """Status, headers and body; a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=120)
        try:
            connection.request(method, target)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def counts(self):
        return json.loads(self.ask("/_counts")[2])

    def expected(self):
        self.counts()  # is answered when what was sent before is told
        return [json.loads(line) for line in self.expect.read_text().splitlines()]


NO_LIMITS = [word for host in ("oasis.caiso.com", "api.ercot.com", "api.pjm.com", "public-api.misoenergy.org")
             for word in ("--limit", f"{host}=0/1")]


class SimIso(SystemTest):
    def rows_of(self, feed, body, name):
        """{(location, start, minutes): (value, parts)}; fails for a row that comes twice, and for any complaint."""
        payload = self.folder / "payload"
        payload.write_bytes(body)
        done = run(program("headrace"), "feeds", "test", feed, "--payload", payload, "--name", name, "--limit", 0)
        rows = {}
        for line in done.stdout.splitlines():
            self.assertFalse(line.startswith("!"), line)
            start = START.match(line)
            if start is None:  # what stands above and below the rows
                continue
            minutes = MINUTES.search(line)
            key = PLACE.search(line).group(1), start.group(1), int(minutes.group(1)) if minutes else 0
            self.assertNotIn(key, rows)
            rows[key] = float(VALUE.search(line).group(1)), {name: float(value) for name, value in PART.findall(line)}
        return rows

    def check_rows(self, feed, rows, expected):
        self.assertEqual(set(rows), {(e["location"], e["start"], e["minutes"]) for e in expected}, feed)
        for entry in expected:
            value, parts = rows[entry["location"], entry["start"], entry["minutes"]]
            self.assertAlmostEqual(value, entry["value"], 7, feed)
            self.assertEqual(set(parts), set(entry) & {"energy", "congestion", "loss"}, feed)
            for name in parts:
                self.assertAlmostEqual(parts[name], entry[name], 7, f"{feed} {entry} {name}")

    def check_feed(self, simulator, feed, start, end):
        path, _ = template_of(feed)
        target = expand(path, start, end, zone_of(feed))
        before = len(simulator.expected())
        status, _, body = simulator.ask(target)
        self.assertEqual(status, 200, f"{target}: {body[:200]}")
        expected = simulator.expected()[before:]
        self.assertEqual({entry["feed"] for entry in expected}, {feed.replace("_hub", "")})
        self.check_rows(feed, self.rows_of(feed, body, target), expected)
        return expected

    def test_every_document_says_what_was_served_on_plain_days_and_when_clocks_change(self):
        n_rows = 0
        for day, n_hours in ((PLAIN, 24), (SPRING, 23), (FALL, 25)):
            simulator = Simulator(self, "--nodes", 3, "--speed", 0, "--start", day, "--seed", day.day, *NO_LIMITS)
            for feed in FEEDS:
                hours = list(hours_of(day, zone_of(feed)))
                minutes = template_of(feed)[1]
                if minutes is None:
                    expected = self.check_feed(simulator, feed, hours[0], hours[-1] + datetime.timedelta(hours=1))
                    self.assertEqual(len({entry["start"] for entry in expected}), 24 if feed.startswith("miso") else n_hours, feed)
                else:  # the hours around the change, an interval of each
                    expected = []
                    for at in hours[:4] if minutes else hours[:1]:
                        expected += self.check_feed(simulator, feed, at, at + datetime.timedelta(minutes=minutes))
                n_rows += len(expected)
            self.assertEqual(simulator.process.stop(), 0)
        print(f"{n_rows} observations of {len(FEEDS)} feeds")

    def test_the_newest_interval_goes_on_and_what_is_to_come_is_not_there(self):
        simulator = Simulator(self, "--nodes", 1, "--speed", 0, "--start", PLAIN, *NO_LIMITS)
        path = template_of("miso_rt_lmp")[0]
        rows = [json.loads(simulator.ask(path)[2])["data"][0] for _ in range(3)]
        self.assertEqual([row[0] for row in rows], [f"2026-07-14T00:{minute:02}:00" for minute in (0, 5, 10)])
        self.assertEqual(len({tuple(row[2:]) for row in rows}), 3)
        again = Simulator(self, "--nodes", 1, "--speed", 0, "--start", PLAIN, *NO_LIMITS)
        self.assertEqual(json.loads(again.ask(path)[2])["data"][0], rows[0])
        other = Simulator(self, "--nodes", 1, "--speed", 0, "--start", PLAIN, "--seed", 2, *NO_LIMITS)
        self.assertNotEqual(json.loads(other.ask(path)[2])["data"][0], rows[0])
        stands = Simulator(self, "--nodes", 1, "--speed", "0.001", "--start", PLAIN, *NO_LIMITS)
        for feed, status_then in (("caiso_rt_lmp", 200), ("pjm_rt_lmp", 200), ("ercot_rt_spp", 200), ("miso_rt_lmp_final", 404), ("spp_rt_lmp", 404)):
            start = list(hours_of(PLAIN, zone_of(feed)))[5]
            status, _, body = stands.ask(expand(template_of(feed)[0], start, start + datetime.timedelta(minutes=15), zone_of(feed)))
            self.assertEqual(status, status_then, feed)
            if body:  # known as what it is: neither rows nor something broken
                (self.folder / "nothing").write_bytes(body)
                done = run(program("headrace"), "feeds", "test", feed, "--payload", self.folder / "nothing", expect=2)
                self.assertNotIn("USD/MWh", done.stdout)
        self.assertEqual(stands.expected(), [])

    def test_limits_of_hosts_are_kept_and_counted(self):
        simulator = Simulator(self, "--nodes", 1, "--speed", 0, "--limit", "oasis.caiso.com=1/1")
        start = list(hours_of(PLAIN, zone_of("caiso")))[0]
        caiso = expand(template_of("caiso_rt_lmp")[0], start, start + datetime.timedelta(minutes=5), zone_of("caiso"))
        pjm = expand(template_of("pjm_rt_lmp")[0], start, start + datetime.timedelta(minutes=5), zone_of("pjm"))
        answers = []
        wait_for("a limit to be met", lambda: answers.append(simulator.ask(caiso)) or answers[-1][0] == 429)
        self.assertEqual(answers[0][0], 200)
        self.assertEqual(answers[-1][1]["Retry-After"], "1")
        self.assertIn(b"Acceptable Use Policy Violation", answers[-1][2])
        wait_for("the limit to be over", lambda: answers.append(simulator.ask(caiso)) or answers[-1][0] == 200)
        statuses = [simulator.ask(pjm)[0] for _ in range(7)]
        self.assertEqual(statuses, [200] * 6 + [429])
        counts = simulator.counts()
        refused = sum(1 for answer in answers if answer[0] == 429)
        self.assertEqual(counts["hosts"]["oasis.caiso.com"], {"requests": len(answers), "over_limit": refused})
        self.assertEqual(counts["hosts"]["api.pjm.com"], {"requests": 7, "over_limit": 1})
        self.assertEqual(counts["feeds"]["caiso_rt_lmp"]["documents"], len(answers) - refused)
        self.assertEqual(counts["feeds"]["pjm_rt_lmp"], {"requests": 7, "documents": 6, "rows": 6})

    def test_failures_come_when_they_are_asked_for_and_count_as_nothing_served(self):
        simulator = Simulator(self, "--nodes", 2, "--speed", 0, "--fault", "503@2", *NO_LIMITS)
        path = template_of("miso_rt_lmp")[0]
        self.assertEqual([simulator.ask(path)[0] for _ in range(3)], [200, 503, 200])
        def fault(kind, feed="miso_rt_lmp"):
            self.assertEqual(simulator.ask(f"/_fault?kind={kind}&feed={feed}", "POST")[0], 200)
        for kind, status, word in (("429", 429, b"Rate limit is exceeded"), ("401", 401, b"invalid subscription key"),
                                   ("type", 200, b"<html>"), ("empty", 404, b"BlobNotFound")):
            fault(kind)
            answer = simulator.ask(path)
            self.assertEqual((answer[0], word in answer[2]), (status, True), kind)
        fault("half")
        with self.assertRaises(http.client.IncompleteRead):
            simulator.ask(path)
        fault("hang")
        connection = http.client.HTTPConnection(simulator.address, timeout=1)
        connection.request("GET", path)
        with self.assertRaises(TimeoutError):
            connection.getresponse()
        connection.close()
        fault("503", "spp_rt_lmp")  # not this feed's
        self.assertEqual(simulator.ask(path)[0], 200)
        self.assertEqual(simulator.ask("/_fault?kind=flood", "POST")[0], 400)
        self.assertEqual(simulator.ask("/_fault?kind=503")[0], 400)
        self.assertEqual(simulator.ask("/nothing/here")[0], 404)
        counts = simulator.counts()
        self.assertEqual(counts["faults"], {"429": 1, "503": 1, "401": 1, "hang": 1, "half": 1, "type": 1, "empty": 1})
        self.assertEqual(counts["unknown"], 1)
        self.assertEqual(counts["feeds"]["miso_rt_lmp"]["requests"], 10)
        self.assertEqual(len(simulator.expected()), counts["feeds"]["miso_rt_lmp"]["rows"])

    def test_recorded_documents_are_replayed_in_their_order(self):
        recorded = self.folder / "recorded"
        recorded.mkdir()
        bodies = [b"first", b"second" * 30000]
        for number, body in enumerate(bodies):
            (recorded / f"ercot_fuel_mix.{number}.json").write_bytes(body)
        (recorded / "miso_rt_lmp_final.csv").write_bytes(b"a report")
        simulator = Simulator(self, "--speed", 0, "--payloads", recorded, "--feeds", ROOT / "schemas/feeds")
        path = template_of("ercot_fuel_mix")[0]
        answers = [simulator.ask(path) for _ in range(3)]
        self.assertEqual([answer[2] for answer in answers], [bodies[0], bodies[1], bodies[1]])
        self.assertEqual(answers[0][1]["Content-Type"], "application/json")
        self.assertEqual(simulator.ask("/marketreports/20260714_rt_lmp_final.csv")[2], b"a report")
        self.assertIn(b"ExPost", simulator.ask("/marketreports/20260714_da_expost_lmp.csv")[2], "others are made")
        self.assertEqual(simulator.counts()["feeds"]["ercot_fuel_mix"]["documents"], 3)

    def test_wrong_words_are_told(self):
        for words, told in ((["--speed", "-1"], "--speed"), (["--nodes", "0"], "--nodes"), (["--start", "soon"], "--start"),
                            (["--limit", "a=b/c"], "--limit"), (["--fault", "flood@1"], "--fault")):
            done = subprocess.run([program("headrace"), "sim", "iso", *words], capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 3, words)
            self.assertIn(told, done.stderr)
        self.assertIn("--listen nowhere", run(program("headrace"), "sim", "iso", "--listen", "nowhere", expect=1).stderr)


if __name__ == "__main__":
    unittest.main()
