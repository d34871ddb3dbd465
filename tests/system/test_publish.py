#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The publisher against a real Kafka broker and the real file sink, killed everywhere.

publish_probe delivers a ledger whose content follows from leaf numbers, so this test knows every record that must
come out; Apache Kafka's own consumer with isolation.level=read_committed says what did. Run by ctest with the folder
of the built programs as its argument."""
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from publishing import BIN, ROOT, TOPICS, assert_exactly_once, expected, probe

KAFKA = ROOT / "tools/dev/kafka"
SEED = int(os.environ.get("HEADRACE_SEED", "20261121"))
LEAVES = 4000
FAILPOINTS = ["publish_begun", "publish_put", "publish_before_commit", "publish_after_commit"]


def run_probe(*arguments):
    """A publisher run to its end; its exit code."""
    process = probe(*arguments)
    process.communicate(timeout=180)
    return process.returncode


class Kafka(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = pathlib.Path(tempfile.mkdtemp(prefix="headrace-kafka-"))
        cls.address = cls.kafka("start").strip()
        cls.random = random.Random(SEED)
        print(f"seed {SEED}, broker {cls.address}", flush=True)

    @classmethod
    def tearDownClass(cls):
        cls.kafka("clean")
        shutil.rmtree(cls.data, ignore_errors=True)

    @classmethod
    def kafka(cls, *words):
        return subprocess.run([KAFKA, *words, "--data", cls.data], stdout=subprocess.PIPE, text=True, check=True).stdout

    def finish(self, origin, leaves=LEAVES):
        """Lets a publisher run to its end, undisturbed."""
        process = probe("kafka", self.address, leaves, origin)
        out, _ = process.communicate(timeout=180)
        self.assertEqual(process.returncode, 0, out)

    def assert_exactly_once(self, origin, leaves=LEAVES):
        assert_exactly_once(self, self.kafka("read", "--topics", TOPICS).splitlines(), origin, leaves)

    def test_publisher_killed_at_every_failpoint(self):
        origin = "aa" * 16
        kills = 0
        for name in FAILPOINTS:
            for passes in (1, 2, 7, 20):
                process = probe("kafka", self.address, LEAVES, origin, f"{name}:{passes}")
                process.communicate(timeout=180)
                kills += process.returncode == -signal.SIGKILL
        self.assertGreaterEqual(kills, 12, "the failpoints were not reached: is this a build with HEADRACE_FAULTS?")
        self.finish(origin)
        print(f"killed at failpoints: {kills}")
        self.assert_exactly_once(origin)

    def test_publisher_killed_at_random(self):
        origin = "bb" * 16
        kills = 0
        for _ in range(25):
            process = probe("kafka", self.address, LEAVES, origin)
            try:
                process.communicate(timeout=1.2 + self.random.random() * 1.2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
        self.assertGreaterEqual(kills, 5)
        self.finish(origin)
        print(f"killed at random: {kills}")
        self.assert_exactly_once(origin)

    def test_broker_killed_while_publishing(self):
        origin = "cc" * 16
        process = probe("kafka", self.address, 5 * LEAVES, origin)
        kills = 0
        for _ in range(5):
            time.sleep(1 + self.random.random())
            if process.poll() is not None:
                break
            self.kafka("stop", "--kill")
            kills += 1
            self.kafka("start")
        out, _ = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 0, out)
        self.assertGreaterEqual(kills, 2)
        print(f"broker killed: {kills}, publisher said {out.strip()}")
        self.assert_exactly_once(origin, 5 * LEAVES)

    def test_stopped_zombie_cannot_publish_after_its_successor(self):
        origin = "dd" * 16
        zombie = probe("kafka", self.address, LEAVES, origin)
        time.sleep(2.2)
        zombie.send_signal(signal.SIGSTOP)
        self.finish(origin)
        zombie.send_signal(signal.SIGCONT)
        out, _ = zombie.communicate(timeout=180)
        self.assertEqual(zombie.returncode, 0, out)
        self.assert_exactly_once(origin)

    def test_halts_when_kafka_is_ahead_of_the_ledger(self):
        origin = "ee" * 16
        self.finish(origin, 200)
        process = probe("kafka", self.address, 100, origin)
        out, _ = process.communicate(timeout=180)
        self.assertEqual(process.returncode, 4, out)
        self.assertIn("halted", out)


class Files(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="headrace-files-"))
        self.random = random.Random(SEED)

    def tearDown(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def events(self):
        """Every event in the files, read by `headrace tail`."""
        tail = subprocess.run([BIN / "headrace", "tail", "--files", self.directory], stdout=subprocess.PIPE, text=True,
                              check=True)
        return [json.loads(line) for line in tail.stdout.splitlines()]

    def assert_exactly_once(self, leaves):
        counts = collections.Counter((event["leaf"], event["record_index"]) for event in self.events())
        self.assertEqual(set(counts), expected(leaves))
        self.assertEqual(set(counts.values()), {1})
        print(f"{self.id().split('.')[-1]}: {len(counts)} events in files, each exactly once", flush=True)

    def test_publisher_killed_at_every_failpoint_and_at_random(self):
        kills = 0
        leaves = 0
        for plan in [f"{name}:{passes}" for name in FAILPOINTS for passes in (1, 3, 20)] + [None] * 20:
            leaves += 1000 if plan else 3000  # so that there is always work in which to be killed
            process = probe("files", self.directory / "out", leaves, "ff" * 16, plan)
            if plan is None:
                time.sleep(0.05 + self.random.random() * 0.5)
                process.kill()
            process.communicate(timeout=120)
            kills += process.returncode == -signal.SIGKILL
        self.assertGreaterEqual(kills, 20)
        process = probe("files", self.directory / "out", leaves, "ff" * 16)
        process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0)
        print(f"killed: {kills}")
        self.directory = self.directory / "out"
        self.assert_exactly_once(leaves)

    def test_directory_of_another_log_is_refused(self):
        self.assertEqual(run_probe("files", self.directory / "out", 50, "f1" * 16), 0)
        self.assertEqual(run_probe("files", self.directory / "out", 50, "f2" * 16), 4)

    def test_files_without_their_cursor_are_refused_and_kept(self):
        self.assertEqual(run_probe("files", self.directory / "out", 50, "f1" * 16), 0)
        before = sorted((self.directory / "out").rglob("*.avro"))
        (self.directory / "out/cursor").unlink()
        self.assertEqual(run_probe("files", self.directory / "out", 50, "f1" * 16), 4)
        self.assertEqual(sorted((self.directory / "out").rglob("*.avro")), before)
        self.assertTrue(before)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[1:], verbosity=2)
