#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a person sees of `headrace feeds lint` and `headrace feeds test`.

Corpus prints recorded payloads (HEADRACE_CORPUS, or ../shared/corpus beside the repository) and tells how many there
were: one of those whose names differ by digits only, with HEADRACE_LONG=1 every one. Without a corpus it is skipped (77)."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADRACE = pathlib.Path(os.environ.get("HEADRACE_BIN", ROOT / "build/host/bin")) / "headrace"
CORPUS = pathlib.Path(os.environ.get("HEADRACE_CORPUS", ROOT / "../shared/corpus")) / "iso"

# 2026-06-04T05:00:00Z    60 min  DAMKT  energy price  16.9072 USD/MWh  node AEC SOUC (SPP)  energy 12.8191 ...
STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")
ROW = re.compile(STAMP.pattern + r" *(\d+ min|instant)  \S.{13}  \S.{31,} +(-?[0-9.e+-]+)? "
                 r"(USD/MWh|MWh|MW|) +(hub|zone|node|interface|reserve|system|facility|untyped) \S")
SUMMARY = re.compile(r"^\w+ of \w+: \d+ records, \d+ rows( from \S+Z to \S+Z)?, \d+ records rejected")


def rows_of(printed):
    return [line for line in printed.splitlines() if STAMP.match(line)]


def summary_of(printed):
    """The line that says what the document gave in all, or what it is."""
    lines = [line for line in printed.splitlines() if re.match(r"^\w+( of \w+)?: ", line) and not line.startswith("rules:")]
    return lines[-1] if lines else printed


def headrace(*words):
    return subprocess.run([HEADRACE, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=300,
                          check=False)


class Lint(unittest.TestCase):
    def lint_of(self, feed, line, other):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / f"{feed}.yaml"
            text = (ROOT / f"schemas/feeds/{feed}.yaml").read_text(encoding="utf-8")
            self.assertEqual(len(re.findall(line, text, re.M)), 1)
            path.write_text(re.sub(line, other, text, flags=re.M), encoding="utf-8")
            return headrace("feeds", "lint", path)

    def test_the_feeds_of_the_project_have_no_mistake(self):
        done = headrace("feeds", "lint")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_an_unknown_format_is_told_with_those_that_there_are(self):
        done = self.lint_of("spp_load", r"^format: .*$", "format: spp_loads")
        self.assertEqual(done.returncode, 1)
        self.assertIn("spp_load.yaml:format: spp_loads is no form", done.stderr)
        self.assertIn("spp_load_csv", done.stderr)

    def test_a_format_of_another_product_is_told(self):
        done = self.lint_of("spp_load", r"^format: .*$", "format: spp_outage_csv")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not about this product", done.stderr)

    def test_a_topic_that_the_rows_do_not_go_to_is_told(self):
        done = self.lint_of("spp_load", r"^output: .*$", "output: {topic: iso.rt.lmp.spp, schema: iso_telemetry}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("iso.rt.telemetry.spp as iso_telemetry", done.stderr)


class Rows(unittest.TestCase):
    def test_a_document_of_another_feed_says_of_which(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "DA-LMP-SL-202503190100.csv"
            path.write_text("Interval,GMTIntervalEnd,Settlement Location,Pnode,LMP,MLC,MCC,MEC\n"
                            "03/19/2025 01:00:00,03/19/2025 06:00:00,AEC,SOUC,9.5,0.5,-1,10\n", encoding="utf-8")
            done = headrace("feeds", "test", "spp_rt_lmp", "--payload", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("but of: spp_da_lmp", done.stdout)
            self.assertIn("headrace feeds test auto", done.stdout)
            done = headrace("feeds", "test", "auto", "--payload", path)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertEqual(len(rows_of(done.stdout)), 1)
            self.assertRegex(rows_of(done.stdout)[0], ROW)
            self.assertRegex(summary_of(done.stdout), SUMMARY)

    def test_places_are_printed_in_place_of_rows(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "da_hrl_lmps.csv"
            path.write_text("datetime_beginning_utc,pnode_id,pnode_name,type,zone,total_lmp_da\n"
                            "3/9/2025 5:00:00 AM,77,NODE 77,LOAD,PECO,20\n"
                            "3/9/2025 6:00:00 AM,77,NODE 77,LOAD,PECO,21\n", encoding="utf-8")
            done = headrace("feeds", "test", "pjm_da_lmp", "--places", "--payload", path)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertEqual(len(rows_of(done.stdout)), 1)
            self.assertRegex(rows_of(done.stdout)[0], r"^2025-03-09T05:00:00Z +node +77 +NODE 77 +PECO$")
            self.assertIn("2 rows", summary_of(done.stdout))
            self.assertIn("1 places", summary_of(done.stdout))

    def test_a_document_that_was_cut_says_where(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "cut.json"
            path.write_text('{"headers":["INTERVAL","CPNODE","LMP","MLC","MCC"],"data":[["2026-10-02T', encoding="utf-8")
            done = headrace("feeds", "test", "miso_rt_lmp", "--payload", path)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"ended at byte [1-9]\d* of the document")


class Corpus(unittest.TestCase):
    def payloads(self):
        files = [path for path in sorted(CORPUS.rglob("*")) if path.is_file() and path.name != "PROVENANCE.tsv"]
        if os.environ.get("HEADRACE_LONG") == "1":
            return files
        return list({(path.parent.name, re.sub(r"\d+", "", path.name)): path for path in files
                     if path.parent.name != "EIA"}.values())

    def test_each_payload_prints_rows_or_what_it_is(self):
        counts = {0: 0, 1: 0, 2: 0}
        rows = 0
        for path in self.payloads():
            done = headrace("feeds", "test", "auto", "--payload", path, "--limit", 5)
            self.assertEqual(done.stderr, "", path)
            self.assertIn(done.returncode, counts, path)
            counts[done.returncode] += 1
            if done.returncode == 2:
                self.assertRegex(summary_of(done.stdout), r"^\w+: \w", path)
            if done.returncode == 0:
                printed = rows_of(done.stdout)
                for line in printed:
                    self.assertRegex(line, ROW, path)
                self.assertRegex(summary_of(done.stdout), SUMMARY, path)
                rows += len(printed)
        print(f"{sum(counts.values())} payloads: {counts[0]} with rows, {counts[2]} without, {counts[1]} that "
              f"can't be read; {rows} rows looked at")
        self.assertEqual(counts[1], 1)  # the one XML that was shortened by hand
        self.assertGreaterEqual(counts[0], 35)


if __name__ == "__main__":
    if "Corpus" in sys.argv and not CORPUS.is_dir():
        print(f"skipped: no corpus at {CORPUS} (HEADRACE_CORPUS)")
        sys.exit(77)
    unittest.main(argv=sys.argv, verbosity=2)
