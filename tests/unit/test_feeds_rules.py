#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a person sees of the rules of feeds: `headrace feeds test` prints each breach, `headrace feeds lint` each mistake in
a rule with its line. With a corpus, a whole day of CAISO prices against a count that Python makes of the same zip."""
import collections
import csv
import datetime
import io
import os
import pathlib
import subprocess
import tempfile
import unittest
import zipfile

HEADRACE = pathlib.Path(os.environ["HEADRACE_BIN"]) / "headrace"
ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("HEADRACE_CORPUS", ROOT.parent / "shared" / "corpus"))
HEAD = '"Time Stamp","Time Zone","Name","PTID","Load"\n'


def run(*words):
    ran = subprocess.run([HEADRACE, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return ran.returncode, ran.stdout, ran.stderr


def breaches(printed):
    return [line for line in printed.splitlines() if line.startswith("! ")]


class Rules(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def feed(self, old="", new=""):
        text = (ROOT / "schemas/feeds/nyiso_load.yaml").read_text()
        self.assertIn(old, text)
        text = text.replace(old, new)
        (self.folder / "nyiso_load.yaml").write_text(text)
        return text

    def test_a_breach_is_printed_and_its_row_too(self):
        payload = self.folder / "pal.csv"
        payload.write_text(HEAD + '"01/05/2026 00:00:00","EST","CAPITL",61757,1300.5\n'
                                  '"01/05/2026 00:05:00","EST","CAPITL",61757,43000.5\n')
        code, out, err = run("feeds", "test", "nyiso_load", "--payload", payload)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(breaches(out), ["! range of row 2, 61757 at 2026-01-05T05:05:00Z: value is 43000.500, right is "
                                         "0.000 to 43000.000"])
        self.assertIn("43000.5 MW", out)
        self.assertIn("; rows that break rules: 0 required, 1 range, 0 allowed, 0 monotone, 0 complete\n", out)

    def test_rules_of_a_folder_take_the_place_of_those_of_the_build(self):
        payload = self.folder / "pal.csv"
        payload.write_text(HEAD + '"01/05/2026 00:00:00","EST","CAPITL",61757,1300.5\n')
        self.feed("max: 43000", "max: 1000")
        code, out, _ = run("feeds", "test", "nyiso_load", "--payload", payload, "--rules", self.folder)
        self.assertEqual((code, len(breaches(out))), (0, 1))
        self.feed("max: 43000", "max: much")
        code, out, err = run("feeds", "test", "nyiso_load", "--payload", payload, "--rules", self.folder)
        self.assertEqual((code, out), (1, ""))
        self.assertIn('nyiso_load.yaml:', err)
        self.assertIn('"much" is not a decimal number', err)

    def test_lint_names_file_line_and_key(self):
        text = self.feed("max: 43000", "max: -1")
        line = text[:text.index("max: -1")].count("\n") + 1
        code, out, err = run("feeds", "lint", self.folder)
        self.assertEqual(code, 1)
        self.assertEqual(err, f"{self.folder}/nyiso_load.yaml:{line}:rules.range[0].min: is above max: no value would do\n")
        _, schema, _ = run("feeds", "lint", "--schema")
        for key in ("required", "range", "allowed", "monotone", "complete"):
            self.assertIn(f'"{key}"', schema)

    def test_incomplete_days_of_the_corpus_are_those_that_python_counts(self):
        payload = CORPUS / "iso/CAISO/20200101_20200101_PRC_LMP_DAM_20200630_22_50_44_v1.zip"
        if not payload.exists():
            self.skipTest(f"no corpus at {CORPUS} (HEADRACE_CORPUS)")
        hours = collections.defaultdict(set)
        with zipfile.ZipFile(payload) as archive:
            for name in archive.namelist():
                for row in csv.DictReader(io.TextIOWrapper(archive.open(name))):
                    start = datetime.datetime.fromisoformat(row["INTERVALSTARTTIME_GMT"])
                    pacific = start - datetime.timedelta(hours=8)  # a winter day
                    hours[row["NODE"], pacific.date()].add(start)
        incomplete = sum(1 for seen in hours.values() if len(seen) < 24)
        self.assertGreater(incomplete, 3000)  # the request was for a UTC day: two market days, both in part
        code, out, _ = run("feeds", "test", "caiso_da_lmp", "--payload", payload, "--limit", "1")
        self.assertEqual(code, 0)
        self.assertIn(f"0 monotone, {incomplete} complete\n", out)
        self.assertEqual(len(breaches(out)), 100)


if __name__ == "__main__":
    unittest.main()
