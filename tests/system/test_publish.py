#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The publisher against a real Kafka broker and the real file sink, killed everywhere.

publish_probe delivers a ledger whose content follows from leaf numbers, so this test knows every record that must
come out; Apache Kafka's own consumer with isolation.level=read_committed says what did. Run by ctest with the folder
of the built programs as its argument."""
import collections
import contextlib
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
DEADLINE_S = 600
FAILPOINTS = ["publish_begun", "publish_put", "publish_before_commit", "publish_after_commit"]


def stat_of(pid):
    """The state of a process, as proc(5) has it: T when it is stopped."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def run_probe(*arguments):
    """A publisher run to its end; its exit code."""
    process = probe(*arguments)
    process.communicate(timeout=DEADLINE_S)
    return process.returncode


class Killing:
    def kill_at_random(self, kind, target, leaves, origin, after_s):
        """Kills a publisher at that moment, wherever it is. One that is done by then is followed by another, with more to
        do. Returns how many leaves that made."""
        more = 0
        while True:
            process = probe(kind, target, leaves + more, origin)
            try:
                process.communicate(timeout=after_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return more
            self.assertIn(process.returncode, (0, -signal.SIGKILL))
            more += LEAVES // 2


class Kafka(Killing):
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
        out, _ = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, out)

    def assert_exactly_once(self, origin, leaves=LEAVES):
        assert_exactly_once(self, self.kafka("read", "--topics", TOPICS).splitlines(), origin, leaves)


class KafkaFailpoints(Kafka, unittest.TestCase):
    def test_publisher_killed_at_every_failpoint(self):
        origin = "aa" * 16
        kills = 0
        for name in FAILPOINTS:
            for passes in (1, 2, 7, 20):
                process = probe("kafka", self.address, LEAVES, origin, f"{name}:{passes}")
                process.communicate(timeout=DEADLINE_S)
                kills += process.returncode == -signal.SIGKILL
        self.assertGreaterEqual(kills, 12, "the failpoints were not reached: is this a build with HEADRACE_FAULTS?")
        self.finish(origin)
        print(f"killed at failpoints: {kills}")
        self.assert_exactly_once(origin)


class KafkaRandomKills(Kafka, unittest.TestCase):
    def test_publisher_killed_at_random(self):
        origin = "bb" * 16
        leaves = LEAVES
        for _ in range(20):
            leaves += self.kill_at_random("kafka", self.address, leaves, origin, 1.2 + self.random.random() * 1.2)
        self.finish(origin, leaves)
        print("killed at random: 20")
        self.assert_exactly_once(origin, leaves)


class KafkaBroker(Kafka, unittest.TestCase):
    def test_broker_killed_while_publishing(self):
        origin = "cc" * 16
        leaves = 3 * LEAVES
        process = probe("kafka", self.address, leaves, origin)
        for _ in range(5):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=1 + self.random.random())
                self.assertEqual(process.returncode, 0)  # done already: another has more to do
                leaves += 3 * LEAVES
                process = probe("kafka", self.address, leaves, origin)
            self.kafka("stop", "--kill")
            self.kafka("start")
        out, _ = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, out)
        print(f"broker killed: 5, publisher said {out.strip()}")
        self.assert_exactly_once(origin, leaves)

    def test_stopped_zombie_cannot_publish_after_its_successor(self):
        origin = "dd" * 16
        zombie = probe("kafka", self.address, LEAVES, origin, "publish_put:1000:stop")
        deadline = time.monotonic() + DEADLINE_S
        while stat_of(zombie.pid) != "T":  # it stops itself in the middle of a transaction
            self.assertIsNone(zombie.poll(), "the failpoint was not reached: is this a build with HEADRACE_FAULTS?")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.finish(origin)
        zombie.send_signal(signal.SIGCONT)
        out, _ = zombie.communicate(timeout=DEADLINE_S)
        self.assertEqual(zombie.returncode, 0, out)
        self.assert_exactly_once(origin)

    def test_halts_when_kafka_is_ahead_of_the_ledger(self):
        origin = "ee" * 16
        self.finish(origin, 200)
        process = probe("kafka", self.address, 100, origin)
        out, _ = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 4, out)
        self.assertIn("halted", out)


class Files(Killing, unittest.TestCase):
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
        out, origin = self.directory / "out", "ff" * 16
        leaves = kills = 0
        for plan in [f"{name}:{passes}" for name in FAILPOINTS for passes in (1, 3, 20)]:
            leaves += 1000  # so that there is always work in which to be killed
            process = probe("files", out, leaves, origin, plan)
            process.communicate(timeout=DEADLINE_S)
            kills += process.returncode == -signal.SIGKILL
        self.assertGreaterEqual(kills, 9, "the failpoints were not reached: is this a build with HEADRACE_FAULTS?")
        for _ in range(15):
            leaves += 2000
            leaves += self.kill_at_random("files", out, leaves, origin, 0.05 + self.random.random() * 0.5)
        self.assertEqual(run_probe("files", out, leaves, origin), 0)
        print(f"killed: {kills} times at failpoints, 15 at random")
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
