#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the field guide (tools/cli/README.md) shows is what the tool says. The commands of an authority are run and their output
is compared, with hashes and dates taken out. Of the others each line that stands in a block must be made of what the programs
can say: of every run of three words or more between numbers, names and paths each word is one of theirs, and two of them stand
side by side there."""
import re
import unittest

import harness
from harness import ROOT, program

GUIDE = ROOT / "tools/cli/README.md"
# Words of the examples, not of the programs.
NAMES = ("harbour-gw", "HB-", "GW-", "linux_gateway", "lower lock", "east mast", "stolen", "antenna at another site", "moved on purpose",
         "default", "headrace servers", "agg.example", "SN-0001")


def blocks():
    """(heading, lines) of each indented or fenced block."""
    heading, block = "", None
    for line in GUIDE.read_text().splitlines():
        if line.startswith("```"):
            if block:
                yield heading, block
            block = None if block is not None else []
        elif block is not None:
            block.append(line)
        elif line.startswith("## "):
            heading = line[3:]


def commands(lines):
    """(command, the lines of its output) of a block."""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif found and found[-1][0].endswith("\\"):
            found[-1][0] = found[-1][0][:-1] + line.strip()
        elif found:
            found[-1][1].append(line)
    return found


def plain(line):
    """Without what is different each time."""
    line = re.sub(r"\b[0-9a-fA-F]{16,}\b", "HASH", line)
    return re.sub(r"\b20\d\d-\d\d-\d\d\b", "DAY", line).rstrip()


def strings_of_programs():
    """All string literals of the tool and of the aggregator, those that stand side by side as one, %-formats as a newline."""
    text = []
    for folder in ("tools/cli", "aggregator", "firmware/core", "firmware/app", "firmware/net", "proto"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            source = re.sub(r'"\s*\n\s*"', "", path.read_text())
            source = re.sub(r'"\s*PRI[a-z]\d+\s*"', "\n", source)
            text += [literal for literal in re.findall(r'"((?:[^"\\\n]|\\.|\n)*)"', source)]
    joined = "\n".join(text).replace("\\n", "\n").replace('\\"', '"')
    return re.sub(r"%[-+ 0#*.]*[0-9*.]*(?:hh|h|ll|l|z)?[a-zA-Z]", "\n", joined)


def runs_of_words(line):
    """What a line says between numbers, hashes, names of the example and paths."""
    for name in NAMES:
        line = line.replace(name, "\n")
    for piece in re.split(r"\n|>|\S*\d\S*|\S*/\S*|\"[^\"]*\"|\s{2,}", line):
        words = re.findall(r"[A-Za-z'`-]+", piece)
        if len(words) >= 3:
            yield piece.strip(" ,;:.()?>")


class GuideTest(harness.SystemTest):
    def test_the_commands_of_an_authority_print_what_stands_there(self):
        n = 0
        harness.run(program("headrace"), "ca", "init", "--dir", "ca", cwd=self.folder)
        for heading, lines in blocks():
            if any(line.startswith("PIN of token") for line in lines):
                continue  # test_authority_token.py has them, with tokens
            for command, expected in commands(lines):
                words = command.split()
                if words[:2] != ["headrace", "ca"]:
                    continue
                if words[2] == "server" and "--force" in words and not (self.folder / "ca/agg.example.key").exists():
                    harness.run(program("headrace"), "ca", "server", "--dir", "ca", "--name", "agg.example", cwd=self.folder)
                done = harness.run(program("headrace"), *words[1:], cwd=self.folder, expect=None)
                self.assertEqual([plain(line) for line in done.stdout.splitlines()], [plain(line) for line in expected], f"{heading}: {command}")
                self.assertEqual(done.returncode, 0, done.stderr)
                n += 1
        self.assertGreaterEqual(n, 8)
        print(f"{n} commands")

    def test_each_line_is_made_of_what_the_programs_can_say(self):
        said, n, missing = strings_of_programs(), 0, []
        known = set(re.findall(r"[A-Za-z'`-]+", said))
        for heading, lines in blocks():
            for _, expected in commands(lines):
                for line in expected:
                    for run in runs_of_words(line):
                        n += 1
                        words = re.findall(r"[A-Za-z'`-]+", run)
                        pairs = re.findall(r"(?=\b([A-Za-z'`-]+[ ,;:]+[A-Za-z'`-]+))", run)
                        if not set(words) <= known or not any(pair in said for pair in pairs):
                            missing.append(f"{heading}: {run!r} of {line!r}")
        self.assertEqual(missing, [])
        self.assertGreater(n, 25)
        print(f"{n} runs of words")

    def test_each_message_of_a_table_is_one(self):
        said, n = strings_of_programs(), 0
        rows = re.findall(r"^\| (`.+`) \| .+ \|$", GUIDE.read_text(), re.M)
        for message in [text for row in rows for text in re.findall(r"`([^`]+)`", row)]:
            for piece in re.split(r"\.\.\.|'[^']*'|\b\d+\b|\bPORT\b|\bX\b|\bY\b|HB-\S*?(?=[ ,:]|$)", message):
                if len(re.findall(r"[A-Za-z']+", piece)) >= 2:
                    n += 1
                    self.assertIn(piece.strip(" ,;:.?"), said, message)
        self.assertGreater(n, 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
