#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The statistical checks of aggregator/normalize/quality beside Python's statistics module and zoneinfo, value for value,
on series that are made here with a printed seed: planted spikes are found, each of them; what comes each day or each
weekend is not taken for one, however steep it is."""
import collections
import datetime
import math
import os
import pathlib
import random
import statistics
import subprocess
import unittest
import zoneinfo

DUMP = pathlib.Path(os.environ["HEADRACE_BIN"]) / "stats_dump"
PACIFIC = zoneinfo.ZoneInfo("America/Los_Angeles")
FIRST, DAYS = datetime.datetime(2026, 1, 5, 8, tzinfo=datetime.timezone.utc), 150  # over the change of clocks in March
HOLIDAYS = {datetime.date(2026, 5, 25)}  # the one NERC holiday of these days
SEASONAL, EWMA, IQR = 1, 2, 4
Verdict = collections.namedtuple("Verdict", "code known out reason seasonal_z ewma_z low high")


def dump(rows, floor):
    asked = subprocess.run([DUMP, "caiso_da_lmp", str(floor)], stdout=subprocess.PIPE, text=True, check=True,
                           input="".join(f"{name} {at} {value!r}\n" for name, at, value in rows))
    out = []
    for line in asked.stdout.splitlines():
        words = line.split()
        out.append(Verdict(*map(int, words[:3]), words[3], *map(float, words[4:])))
    return out


class Oracle:
    """One series, by the plainest means there are."""

    def __init__(self, floor):
        self.floor, self.cells, self.days, self.rests = floor, collections.defaultdict(list), collections.defaultdict(set), []
        self.mean = self.variance = 0.0

    def judge(self, at, value):
        local = datetime.datetime.fromtimestamp(at, PACIFIC)
        is_business = local.weekday() < 5 and local.date() not in HOLIDAYS
        cell = self.cells[local.hour, is_business]
        n_days = len(self.days[local.hour, is_business])
        known = out = 0
        z = e = low = high = 0.0
        middle = statistics.fmean(cell) if cell else 0.0
        rest, deviation = value - middle, max(math.sqrt(self.variance), self.floor)
        if n_days >= 8:
            spread = max(statistics.stdev(cell), self.floor)
            z, known = (value - middle) / spread, SEASONAL
            out |= SEASONAL if abs(z) > 5 else 0
        if n_days >= 3 and len(self.rests) >= 48:
            e, known = (rest - self.mean) / deviation, known | EWMA
            out |= EWMA if abs(e) > 5 else 0
        if n_days >= 3 and len(self.rests) >= 32:
            first, _, third = statistics.quantiles(self.rests[-64:], n=4, method="inclusive")
            width = max(third - first, self.floor)
            low, high, known = middle + first - 3 * width, middle + third + 3 * width, known | IQR
            out |= IQR if not low <= value <= high else 0
        marked = bool(out & SEASONAL and out & (EWMA | IQR)) if known & SEASONAL else out & (EWMA | IQR) == EWMA | IQR
        learned, in_season = rest, value
        if marked:
            learned = min(max(rest, self.mean - 5 * deviation), self.mean + 5 * deviation)
            in_season = min(max(value, middle - 5 * spread), middle + 5 * spread) if known & SEASONAL else middle + learned
        if n_days >= 3:
            step = learned - self.mean if self.rests else 0.0
            self.mean = self.mean + 0.05 * step if self.rests else learned
            self.variance = 0.95 * (self.variance + 0.05 * step * step)
            self.rests.append(rest)
        cell.append(in_season)
        self.days[local.hour, is_business].add(local.date())
        words = [word for word, bit in (("seasonal", SEASONAL), ("ewma", EWMA), ("iqr", IQR)) if out & bit]
        return Verdict(0, known, out, "+".join(words) if marked else "-", z, e, low, high)


def seeded(name):
    seed = int(os.environ.get("HEADRACE_SEED", "20261121"))
    print(f"{name}: HEADRACE_SEED={seed}", flush=True)
    return random.Random(seed)


def hours():
    return [int((FIRST + datetime.timedelta(hours=n)).timestamp()) for n in range(DAYS * 24)]


def load(dice, at):
    """A day and a week as loads have them."""
    local = datetime.datetime.fromtimestamp(at, PACIFIC)
    swing = math.sin((local.hour - 9) / 24 * 2 * math.pi)
    return 25000 + 6000 * swing - (3500 if local.weekday() >= 5 or local.date() in HOLIDAYS else 0) + dice.gauss(0, 400)


def price(dice, at):
    """Flat, but for two steep evening hours on business days and a midday below 0: a pattern that only its hours explain."""
    local = datetime.datetime.fromtimestamp(at, PACIFIC)
    steep = local.hour in (18, 19) and local.weekday() < 5 and local.date() not in HOLIDAYS
    return (260 if steep else -5 if 10 <= local.hour < 14 else 30) + dice.gauss(0, 4)


class Stats(unittest.TestCase):
    def assert_equal(self, said, wanted, place):
        self.assertEqual(said[:4], wanted[:4], place)
        for mine, theirs in zip(said[4:], wanted[4:]):
            self.assertTrue(math.isclose(mine, theirs, rel_tol=1e-7, abs_tol=1e-7), f"{place}: {said} {wanted}")

    def test_each_verdict_is_that_of_python(self):
        dice, floor, oracles = seeded(self.id()), 2.0, collections.defaultdict(lambda: Oracle(2.0))
        rows = []
        for at in hours():
            for name, value in (("load", load(dice, at)), ("price", price(dice, at)), ("flat", 20.0),
                                ("wild", dice.paretovariate(1.1) * dice.choice((-1, 1)))):
                if dice.random() < 0.01:
                    value += dice.choice((-1, 1)) * 10 ** dice.uniform(1, 6)
                rows.append((name, at, value))
                if name == "wild" and at % 7200 == 0:
                    rows += [(name, at + minutes * 60, value * dice.uniform(0.5, 2)) for minutes in (15, 30, 45)]
        reasons = collections.Counter()
        for row, said in zip(rows, dump(rows, floor), strict=True):
            self.assert_equal(said, oracles[row[0]].judge(*row[1:]), row)
            reasons[said.reason] += 1
        self.assertGreaterEqual(len(reasons), 4, reasons)
        print(f"{len(rows)} verdicts: {dict(reasons)}", flush=True)

    def test_planted_spikes_are_found_and_seasons_are_not(self):
        dice = seeded(self.id())
        for name, make, floor, spike in (("load", load, 50.0, 15000.0), ("price", price, 1.0, 400.0)):
            times = hours()
            planted = set(dice.sample(range(60 * 24, len(times)), 40))
            rows = [(name, at, make(dice, at) + (dice.choice((-1, 1)) * spike if n in planted else 0))
                    for n, at in enumerate(times)]
            marked = {n for n, said in enumerate(dump(rows, floor)) if said.reason != "-"}
            self.assertEqual(planted - marked, set(), name)
            self.assertEqual(marked - planted, set(), name)
            print(f"{name}: {len(planted)} spikes in {len(rows)} values found, and none else", flush=True)

    def test_a_new_level_is_taken_for_right_after_a_while(self):
        dice = seeded(self.id())
        times = hours()
        rows = [("price", at, 30 + dice.gauss(0, 3) + (200 if n >= 80 * 24 else 0)) for n, at in enumerate(times)]
        said = dump(rows, 1.0)
        self.assertNotEqual(said[80 * 24].reason, "-")
        self.assertEqual([v.reason for v in said[-20 * 24:] if v.reason != "-"], [])

    def test_an_earlier_row_is_judged_and_not_learned(self):
        dice = seeded(self.id())
        rows = [("price", at, price(dice, at)) for at in hours()]
        again = rows + [("price", rows[-1][1], 9999.0)] * 200 + [("price", rows[100][1], -9999.0)] * 200
        said = dump(again, 1.0)
        self.assertEqual(said[:len(rows)], dump(rows, 1.0))
        tail = said[len(rows):]
        self.assertEqual({v.reason for v in tail}, {"seasonal+ewma+iqr"})
        self.assertEqual(len(set(tail)), 2)  # nothing moved between them

    def test_more_series_than_there_is_room_for_are_told(self):
        rows = [(f"s{n % 20}", int(FIRST.timestamp()) + 3600 * n, 1.0) for n in range(200)]
        codes = collections.Counter((row[0], said.code) for row, said in zip(rows, dump(rows, 1.0)))
        self.assertEqual({name for (name, code) in codes if code == 0}, {f"s{n}" for n in range(16)})
        self.assertEqual(len({code for (_, code) in codes}), 2)


if __name__ == "__main__":
    unittest.main()
