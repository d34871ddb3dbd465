#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The tool as somebody meets it who has not read anything: every verb helps, tells its exit codes, and takes a slip of the
finger for what it is. Of those that have to do with keys each answers in JSON, and changes nothing with --dry-run; what can't
be undone is asked for."""
import json
import os
import pty
import re
import subprocess
import unittest

import harness
import test_keys_input as keys
from harness import SERVER_NAME, program
from test_provision import Gateway


def verbs():
    """As `headrace --help` lists them: ("ca", "init"), ("audit",), and so on."""
    for line in harness.run(program("headrace"), "--help").stdout.splitlines():
        words = re.match(r"  ((?:[a-z]+ )*)([a-z|]+)?", line)
        if not line.startswith("  ") or words is None:
            continue
        first = words.group(1).split()
        for last in (words.group(2) or "").split("|"):
            if first or last:
                yield (*first, last) if last and last.islower() and re.search(rf"[ |]{last}[ |]", line[:60]) else tuple(first)


class HelpTest(unittest.TestCase):
    def test_every_verb_helps_and_tells_its_exit_codes(self):
        found = sorted(set(verbs()))
        self.assertGreater(len(found), 30)
        self.assertIn(("ca", "bundle"), found)
        self.assertIn(("device", "provision"), found)
        for verb in found:
            done = harness.run(program("headrace"), *verb, "--help")
            self.assertEqual(done.stderr, "", verb)
            self.assertTrue(done.stdout.startswith("usage: headrace " + verb[0]), verb)
            self.assertRegex(done.stdout, r"Exit codes?", verb)
        for verb in ("ca", "device"):
            done = harness.run(program("headrace"), verb, "--help")
            self.assertIn("Exit codes", done.stdout)
            harness.run(program("headrace"), verb, expect=3)
        print(f"{len(found)} verbs")

    def test_a_slip_of_the_finger_is_told_with_what_was_meant(self):
        for words, told in ((["divice", "list"], "did you mean 'device'?"), (["device", "lst"], "no verb 'lst'; did you mean 'list'?"),
                            (["device", "provison"], "did you mean 'provision'?"), (["ca", "bundel"], "did you mean 'bundle'?"),
                            (["device", "list", "--stat", "active"], "no option --stat; did you mean --state?"),
                            (["device", "rotate", "1", "--tiemout", "1s"], "did you mean --timeout?"),
                            (["ca", "server", "--dirr", "x"], "did you mean --dir?"), (["audit", "--jsn"], "did you mean --json?")):
            done = harness.run(program("headrace"), *words, expect=3)
            self.assertIn(told, done.stderr, words)
            self.assertEqual(done.stdout, "", words)
        for words in (["device", "fly"], ["ca", "list", "--zzzzzz"], ["audit", "--nothing-like-it"]):
            self.assertNotIn("did you mean", harness.run(program("headrace"), *words, expect=3).stderr, words)


class WalkTest(keys.InputTest):
    """With an authority, an aggregator and a device."""

    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.ca = self.site.ca
        self.device = self.site.enrol("gateway")
        self.aggregator = self.own(harness.Aggregator(self.site))
        self.aggregator.start()
        self.gateway = self.own(Gateway(self.folder, "GW-7001"))
        self.gateway.start()
        self.spare = self.own(Gateway(self.folder, "GW-7003"))
        self.spare.start()
        self.tool("ca", "bundle", "--dir", self.ca)
        self.tool("ca", "operator", "--dir", self.ca, "--name", "maria", "--role", "admin")
        self.tool("device", "claim", "--serial", "GW-7001", "--name", "gw", "--config", self.aggregator.config)

    def state(self):
        rows = [self.aggregator.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("device", "device_key", "enrolment", "audit")]
        return super().state(), keys.digest(self.site.registry), rows, self.gateway.answers(), self.spare.answers()

    def changing(self):
        asked, why, where = ("--config", self.aggregator.config), ("--reason", "test"), ("--dir", self.ca)
        line = (*where, "--aggregator", "coaps://a.example:5684", "--server-name", "a.example")
        yield "ca", "init", "--dir", self.folder / "new"
        yield "ca", "init", *where, "--force"
        yield "ca", "server", *where, "--name", "agg.example"
        yield "ca", "server", *where, "--name", SERVER_NAME, "--force"
        yield "ca", "issuer", *where, "--name", "server-ca-2"
        yield "ca", "operator", *where, "--name", "anna", "--role", "viewer"
        yield "ca", "bundle", *where
        yield "ca", "bundle", "--sign", self.ca / "trust.bundle", "--key", self.ca / "root-b.key"
        yield "ca", "revoke", *where, "--name", "maria"
        yield "device", "claim", "--serial", "GW-7002", "--name", "other", *asked
        yield "device", "provision", "--socket", self.gateway.socket, *line, *asked
        yield "device", "replace", "1", "--socket", self.spare.socket, *line, *asked
        for verb in ("quarantine", "revoke", "retire"):
            yield "device", verb, "1", *why, *asked
            yield "device", verb, "1", *why, "--registry", self.site.registry
        yield "rotate", "--all", *asked

    def json_of(self, *argv, expect=0):
        text = self.tool(*argv, expect=expect).stdout
        try:
            return [json.loads(text)]
        except ValueError:
            return [json.loads(line) for line in text.splitlines()]

    def test_a_dry_run_changes_nothing_and_all_speak_json(self):
        before, n = self.state(), 0
        for argv in self.changing():
            self.tool(*argv, "--dry-run")
            self.assertNotEqual(self.json_of(*argv, "--dry-run", "--json"), [], argv)
            self.assertEqual(self.state(), before, argv)
            n += 1
        self.assertFalse((self.folder / "new").exists())
        refused = self.tool("ca", "server", "--dir", self.ca, "--name", SERVER_NAME, "--dry-run", expect=1)
        self.assertIn("exists; --force replaces it", refused.stderr)
        asked = ("--config", self.aggregator.config)
        for argv in (("device", "list", *asked), ("device", "show", "1", *asked), ("audit", *asked), ("audit", "1", *asked),
                     ("ca", "bundle", "--show", self.ca / "trust.bundle")):
            self.assertNotEqual(self.json_of(*argv, "--json"), [], argv)
            n += 1
        # A complaint is text on stderr, also then; stdout has JSON or nothing.
        for argv in (("device", "show", "77", *asked), ("device", "list", "--admin", f"http://127.0.0.1:{harness.free_port()}")):
            done = self.tool(*argv, "--json", expect=1)
            self.assertTrue(done.stderr.startswith("headrace device "), done.stderr)
            self.assertIn(done.stdout, ("", "["), argv)
        print(f"{n} commands")
        # In earnest each does what its dry run told.
        told = [row["wrote"] for row in self.json_of("ca", "server", "--dir", self.ca, "--name", "agg.example", "--dry-run", "--json")]
        wrote = [row["wrote"] for row in self.json_of("ca", "server", "--dir", self.ca, "--name", "agg.example", "--json")]
        self.assertEqual(told, wrote)
        self.assertTrue(all(os.path.exists(path) for path in wrote))

    def test_what_cannot_be_undone_is_asked_for(self):
        asked, why = ("--config", self.aggregator.config), ("--reason", "test")
        line = ("--socket", self.gateway.socket, "--dir", self.ca, "--aggregator", "coaps://a.example:5684", "--server-name", "a.example")
        again = ("ca", "init", "--dir", self.ca, "--force")
        for argv in (("device", "revoke", "1", *why, *asked), ("device", "retire", "1", *why, *asked), ("device", "replace", "1", *line, *asked),
                     again):
            self.refused("say --yes", *argv, expect=3)
        before = self.state()
        for typed in ("no\n", "\n", "replaced\n"):
            self.assertEqual(self.at_terminal(typed, *again), 3, typed)
            self.assertEqual(self.state(), before, typed)
        self.assertEqual(self.at_terminal("replace\n", *again), 0)
        self.assertNotEqual(self.state(), before)
        self.tool(*again, "--yes")

    def at_terminal(self, typed, *argv):
        """The exit code, when that is typed."""
        master, slave = pty.openpty()
        try:
            os.write(master, typed.encode())
            return subprocess.run([program("headrace"), *argv], stdin=slave, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=harness.DEADLINE_S, check=False).returncode
        finally:
            os.close(slave)
            os.close(master)


if __name__ == "__main__":
    unittest.main(verbosity=2)
