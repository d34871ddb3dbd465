#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the calendar of aggregator/normalize/calendar with one that shares no code with it: Python's zoneinfo and
datetime, over the same tzdata. Every hour, every day and every month from 2000 to 2040 in every zone of a market, the
hour labels of each day on which clocks are changed and of its neighbours, and every zone of the system's tzdata."""
import calendar
import collections
import datetime
import os
import pathlib
import subprocess
import unittest
import zoneinfo

DUMP = pathlib.Path(os.environ["HEADRACE_BIN"]) / "calendar_dump"
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1)
EPOCH_DAY = datetime.date(1970, 1, 1)
# In the order of enum norm_zone_id.
ZONES = [zoneinfo.ZoneInfo("America/Los_Angeles"), zoneinfo.ZoneInfo("America/Chicago"),
         zoneinfo.ZoneInfo("America/New_York"), datetime.timezone(datetime.timedelta(hours=-5), "EST")]
FIRST, LAST = datetime.date(2000, 1, 1), datetime.date(2040, 12, 31)
HOUR, DAY = 3600, 86400


def dump(verb, questions, zone=0):
    """One line of answer for each question."""
    asked = subprocess.run([DUMP, verb, str(zone)], input="".join(f"{question}\n" for question in questions),
                           stdout=subprocess.PIPE, text=True, check=True)
    return asked.stdout.splitlines()


def day_number(date):
    return (date - EPOCH_DAY).days


def days():
    return [FIRST + datetime.timedelta(days=n) for n in range((LAST - FIRST).days + 1)]


class Hours:
    """Each hour of 2000 to 2040 in a zone, and a day before and behind."""

    def __init__(self, zone):
        tz = ZONES[zone]
        start = (day_number(FIRST) - 1) * DAY
        self.utc = range(start, (day_number(LAST) + 2) * DAY, HOUR)
        self.said = []
        self.instants = collections.defaultdict(list)
        names = {}
        for utc_s in self.utc:
            there = datetime.datetime.fromtimestamp(utc_s, tz)
            known = (there.utcoffset(), there.tzname())
            if known not in names:
                offset = round(known[0].total_seconds())
                names[known] = (offset, f"{offset} {1 if there.dst() else 0} {known[1]}")
            offset, said = names[known]
            self.said.append(said)
            self.instants[utc_s + offset].append(utc_s)

    def of_day(self, date):
        """(UTC start, local hour) of each hour of that local day."""
        from_s = day_number(date) * DAY
        found = {utc_s: hour for hour in range(24) for utc_s in self.instants.get(from_s + hour * HOUR, [])}
        return sorted(found.items())


class Calendar(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.hours = [Hours(zone) for zone in range(len(ZONES))]

    def same(self, questions, said, expected):
        self.assertEqual(len(said), len(expected))
        if said == expected:
            return
        for question, ours, theirs in zip(questions, said, expected):
            if ours != theirs:
                self.fail(f"{question}: the calendar says {ours}, Python {theirs}")

    def test_every_hour_has_pythons_offset_and_abbreviation(self):
        for zone, hours in enumerate(self.hours):
            self.same(hours.utc, dump("at", hours.utc, zone), hours.said)

    def test_every_wall_clock_hour_has_pythons_instants(self):
        counts = collections.Counter()
        for zone, hours in enumerate(self.hours):
            walls = range(day_number(FIRST) * DAY, (day_number(LAST) + 1) * DAY, HOUR)
            expected = [hours.instants.get(wall, []) for wall in walls]
            counts.update(len(instants) for instants in expected)
            self.same(walls, dump("instants", walls, zone),
                      [" ".join(map(str, [len(instants), *instants])) for instants in expected])
        # 41 springs and 41 autumns in three zones.
        self.assertEqual((counts[0], counts[2]), (123, 123))

    def test_every_market_day_has_pythons_midnights_and_hours(self):
        counts = collections.Counter()
        for zone, hours in enumerate(self.hours):
            expected = []
            for date in days():
                midnight = datetime.datetime.combine(date, datetime.time(), ZONES[zone])
                start = round(midnight.timestamp())
                end = round(datetime.datetime.combine(date + datetime.timedelta(days=1), datetime.time(),
                                                      ZONES[zone]).timestamp())
                shown = collections.Counter(hour for _, hour in hours.of_day(date))
                twice = next((hour for hour in range(24) if shown[hour] == 2), -1)
                never = next((hour for hour in range(24) if shown[hour] == 0), -1)
                self.assertEqual((end - start) // HOUR, shown.total())
                expected.append(f"{shown.total()} {start} {end} {twice} {never}")
                counts[shown.total()] += 1
            numbers = [day_number(date) for date in days()]
            self.same(days(), dump("days", numbers, zone), expected)
        self.assertEqual((counts[23], counts[25]), (123, 123))

    @staticmethod
    def hour_label(style, number, fold, hours):
        """What an hour-ending number means on a day of these hours, or the name of what is wrong with it."""
        passes = collections.defaultdict(list)
        for utc_s, hour in hours:
            passes[hour + 1].append(utc_s)
        twice = [both[1] for both in passes.values() if len(both) == 2]
        if number < 1 or number > 25 or (style == "clock" and number == 25):
            return "label"
        if style == "in order":
            return hours[number - 1][0] if number <= len(hours) else "not_repeated" if number == 25 else "nonexistent"
        if number == 25:
            return twice[0] if twice else "not_repeated"
        found = passes[number]
        if not found:
            return "nonexistent"
        if style == "25 is repeated":
            return found[0]
        if fold == "second":
            return found[1] if len(found) == 2 else "not_repeated"
        return "ambiguous" if fold == "unknown" and len(found) == 2 else found[0]

    def test_hour_labels_mean_what_they_say_around_each_change_of_clocks(self):
        n_days = 0
        for zone, hours in enumerate(self.hours):
            turned = [date for date in days() if ZONES[2].utcoffset(datetime.datetime.combine(date, datetime.time())) !=
                      ZONES[2].utcoffset(datetime.datetime.combine(date, datetime.time(23)))]
            self.assertEqual(len(turned), 82)
            asked = [date + datetime.timedelta(days=n) for date in turned for n in (-1, 0, 1)]
            expected = []
            for date in asked:
                of_day = hours.of_day(date)
                expected.append("".join(f"{self.hour_label(style, number, fold, of_day)} "
                                        for style in ("clock", "25 is repeated", "in order")
                                        for number in range(28)
                                        for fold in ("unknown", "first", "second")))
            self.same(asked, dump("hours", map(day_number, asked), zone), expected)
            n_days += len(asked)
        print(f"{n_days} days of 252 labels")


class Tzdata(unittest.TestCase):
    def test_every_zone_of_tzdata_is_read_as_python_reads_it(self):
        names = sorted(name for name in zoneinfo.available_timezones()
                       if (pathlib.Path("/usr/share/zoneinfo") / name).is_file())
        self.assertGreater(len(names), 400)
        instants = range(-2208988800 + 12345, 4102444800, 101 * DAY + 4321)  # 1900 to 2100
        asked, expected = [], []
        for name in names:
            asked.append(f"/usr/share/zoneinfo/{name}")
            asked += instants
            tz = zoneinfo.ZoneInfo(name)
            for utc_s in instants:
                there = (EPOCH + datetime.timedelta(seconds=utc_s)).replace(tzinfo=UTC).astimezone(tz)
                expected.append((name, utc_s, round(there.utcoffset().total_seconds()), there.tzname()))
        said = dump("files", asked)
        self.assertEqual(len(said), len(expected))
        for ours, (name, utc_s, offset, abbreviation) in zip(said, expected):
            self.assertEqual(ours.split()[::2], [str(offset), abbreviation], f"{name} at {utc_s}")
        print(f"{len(names)} zones, {len(expected)} instants")


def nerc_holiday(date):
    """In the order of enum norm_holiday; by the published rule: a Sunday's is observed on Monday, a Saturday's stays."""
    def nth(month, weekday, which):
        return [week[weekday] for week in calendar.monthcalendar(date.year, month) if week[weekday]][which]

    def observed(month, day):
        fixed = datetime.date(date.year, month, day)
        return fixed + datetime.timedelta(days=fixed.weekday() == calendar.SUNDAY)

    list_of_year = [observed(1, 1), datetime.date(date.year, 5, nth(5, calendar.MONDAY, -1)), observed(7, 4),
                    datetime.date(date.year, 9, nth(9, calendar.MONDAY, 0)),
                    datetime.date(date.year, 11, nth(11, calendar.THURSDAY, 3)), observed(12, 25)]
    return list_of_year.index(date) + 1 if date in list_of_year else 0


class Blocks(unittest.TestCase):
    # In the order of enum norm_peak: zone, the rule's own days.
    PEAKS = [(2, 5), (3, 5), (1, 5), (0, 6)]

    def test_holidays_and_business_days_follow_the_published_rule(self):
        dates = days()
        is_business = {date: date.weekday() < 5 and nerc_holiday(date) == 0 for date in
                       dates + [LAST + datetime.timedelta(days=n) for n in range(1, 20)]}
        expected = []
        for date in dates:
            later = (date + datetime.timedelta(days=n) for n in range(1, 20))
            fourth = [other for other in later if is_business[other]][3]
            expected.append(f"{nerc_holiday(date)} {int(is_business[date])} {day_number(fourth)}")
        for date, ours, theirs in zip(dates, dump("holidays", map(day_number, dates)), expected):
            self.assertEqual(ours, theirs, date)

    def test_every_months_blocks_have_the_hours_that_python_counts(self):
        counts = collections.Counter()
        months = [(year, month) for year in range(2000, 2041) for month in range(1, 13)]
        kinds = {date: 2 if date.weekday() == 6 or nerc_holiday(date) else 1 if date.weekday() == 5 else 0
                 for date in days()}
        for peak, (zone, _) in enumerate(self.PEAKS):
            def midnight(date):
                return datetime.datetime.combine(date, datetime.time(), ZONES[zone]).timestamp()
            for date in days():
                n_hours = round(midnight(date + datetime.timedelta(days=1)) - midnight(date)) // HOUR
                counts[peak, date.year, date.month, kinds[date], True] += 16  # no clock is changed by day
                counts[peak, date.year, date.month, kinds[date], False] += n_hours - 16
        asked = [f"{day_number(datetime.date(*month, 1))} "
                 f"{day_number(datetime.date(*month, calendar.monthrange(*month)[1]))}" for month in months]
        for month, ours in zip(months, dump("blocks", asked)):
            expected = []
            for peak, (_, n_days) in enumerate(self.PEAKS):
                def hours(peak_kinds, other_kinds=()):
                    return (sum(counts[peak, *month, kind, True] for kind in peak_kinds) +
                            sum(counts[peak, *month, kind, False] for kind in other_kinds))
                every, week, end = (0, 1, 2), (0,), (1, 2)
                on_peak = hours(week) if n_days == 5 else hours((0, 1))
                expected += [hours(every, every), hours(week), hours(end), hours(every), hours((), every),
                             hours((), week), hours(end, end), hours((0, 1)), hours((0, 1)), hours((2,), every),
                             on_peak, hours(every, every) - on_peak]
            self.assertEqual(list(map(int, ours.split())), expected, month)


if __name__ == "__main__":
    unittest.main()
