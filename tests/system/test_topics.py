#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`headrace topics` against a real Apache Kafka broker, whose own admin client says what was really done; and that the
Kafka sink makes its topics as the same file declares them."""
import json
import re
import subprocess
import sys
import unittest

from harness import ROOT, Aggregator, Site, program, wait_for
from pipeline import BrokerTest

DECLARED = ROOT / "schemas/topics.yaml"
WRITTEN = {"marine.ais.raw", "ingestion.ais.raw.v1", "ingestion.device.raw.v1", "headrace.device.events",
           "headrace.cursor", "headrace.trust", "plant.telemetry", "ingestion.plant.raw.v1", "ingestion.iso.raw.v1", "data.quality.anomalies.v1",
           *(f"{family}.{iso}" for iso in ("caiso", "miso", "spp", "pjm", "ercot", "isone", "nyiso")
             for family in ("iso.rt.lmp", "iso.da.lmp", "iso.da.schedule", "iso.rt.telemetry", "iso.events.outage",
                            "iso.events.constraint"))}
DAYS_90 = str(90 * 24 * 3600 * 1000)


def declared():
    """{topic: (partitions, settings)} of schemas/topics.yaml, read here by lines; for a cluster of one broker."""
    defaults, topics, here = {}, {}, None
    for line in DECLARED.read_text().splitlines():
        line = line.split("#")[0].rstrip()
        if match := re.match(r"  - name: (\S+)$", line):
            here = topics[match[1]] = {"settings": {}}
        elif match := re.match(r"    partitions: (\d+)$", line):
            here["partitions"] = int(match[1])
        elif match := re.match(r"(?:    |      )([a-z]+\.[a-z.]+): (\S+)$", line):
            (here["settings"] if here else defaults)[match[1]] = match[2]
    return {name: (topic["partitions"], {**defaults, **topic["settings"], "min.insync.replicas": "1"})
            for name, topic in topics.items()}


class Topics(BrokerTest):
    def tearDown(self):
        if topics := self.topics():
            self.broker.run("forget", "--whole", "--topics", ",".join(topics))

    def headrace(self, *words, kafka=None, expect):
        """Runs `headrace topics`; what it printed, both ways."""
        done = subprocess.run([program("headrace"), "topics", words[0], "--kafka", kafka or self.broker.address,
                               *map(str, words[1:])], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def differences(self, *words, expect):
        """{(topic, what): difference} of --json."""
        said = json.loads(self.headrace(*words, "--json", expect=expect))
        self.assertEqual(said["as_declared"], expect == 0)
        return {(d["topic"], d["what"]): d for d in said["differences"]}

    def topics(self):
        """{topic: (partitions, settings)} as Kafka's own client tells it."""
        found = [json.loads(line) for line in self.broker.run("topics").splitlines()]
        self.assertEqual({t["copies"] for t in found} - {1}, set())
        return {t["topic"]: (t["partitions"], t["settings"]) for t in found}

    def file(self, text):
        path = self.folder / "other.yaml"
        path.write_text(text)
        return path

    def test_topics_are_made_as_declared_and_then_nothing_differs(self):
        wanted = declared()
        self.assertGreaterEqual(set(wanted), WRITTEN)
        plan = self.differences("plan", "--replication", 1, expect=1)
        self.assertEqual({what: d["apply"] for what, d in plan.items()}, {(name, "topic"): "create" for name in wanted})
        self.assertEqual(self.topics(), {}, "a plan changes nothing")
        self.assertIn("created", self.headrace("apply", "--replication", 1, expect=0))
        self.assertEqual(self.topics(), wanted)
        self.assertEqual(self.differences("plan", "--replication", 1, expect=0), {})
        self.assertIn("as declared", self.headrace("apply", "--replication", 1, expect=0))
        self.assertEqual(self.topics(), wanted)

    def test_more_copies_than_brokers_are_a_clear_error(self):
        for verb in ("plan", "apply"):
            said = self.headrace(verb, expect=1)
            self.assertIn("the cluster has 1 broker", said)
            self.assertIn("--replication 1", said)
        self.assertEqual(self.topics(), {})

    def test_what_differs_is_altered_but_nothing_dangerous_without_leave(self):
        topic = "  - {{name: t, holds: x, key: k, partitions: {}, replication_factor: 1, config: {{{}}}}}\n"
        other = self.file("topics:\n" + topic.format(4, "cleanup.policy: delete, retention.ms: 9000000, segment.ms: 70000"))
        self.headrace("apply", "--topics", other, expect=0)
        self.assertEqual(self.topics()["t"], (4, {"cleanup.policy": "delete", "retention.ms": "9000000",
                                                  "segment.ms": "70000"}))

        self.file("topics:\n" + topic.format(6, "cleanup.policy: delete, retention.ms: 8000000, segment.ms: 80000"))
        plan = self.differences("plan", "--topics", other, expect=1)
        self.assertEqual({what: d["apply"] for (_, what), d in plan.items()},
                         {"partitions": "needs --add-partitions", "retention.ms": "needs --allow-deletion",
                          "segment.ms": "alter"})
        self.assertIn("another partition", plan["t", "partitions"]["why"])
        done = self.differences("apply", "--topics", other, expect=1)
        self.assertEqual(done["t", "segment.ms"]["outcome"], "altered")
        self.assertEqual(self.topics()["t"], (4, {"cleanup.policy": "delete", "retention.ms": "9000000",
                                                  "segment.ms": "80000"}))
        self.headrace("apply", "--topics", other, "--add-partitions", expect=1)
        self.assertEqual(self.topics()["t"][0], 6)
        self.headrace("apply", "--topics", other, "--allow-deletion", expect=0)
        self.assertEqual(self.topics()["t"], (6, {"cleanup.policy": "delete", "retention.ms": "8000000",
                                                  "segment.ms": "80000"}))

        self.file("topics:\n" + topic.format(5, "segment.ms: 80000"))
        said = self.headrace("apply", "--topics", other, "--add-partitions", "--allow-deletion", expect=1)
        self.assertIn("Kafka can't take partitions away", said)
        self.assertEqual(self.topics()["t"], (6, {"cleanup.policy": "delete", "retention.ms": "8000000",
                                                  "segment.ms": "80000"}), "what the file doesn't name is left alone")

    def test_what_kafka_refuses_is_told_with_its_reason(self):
        other = self.file("topics:\n  - {name: good, holds: x, key: k, partitions: 1, replication_factor: 1}\n"
                          "  - {name: bad, holds: x, key: k, partitions: 1, replication_factor: 1,\n"
                          "     config: {cleanup.policy: shred}}\n")
        done = self.differences("apply", "--topics", other, expect=1)
        self.assertEqual(done["good", "topic"]["outcome"], "created")
        self.assertEqual(done["bad", "topic"]["outcome"], "failed")
        self.assertIn("shred", done["bad", "topic"]["why"])
        self.assertEqual(set(self.topics()), {"good"})

    def test_a_cluster_that_does_not_answer_can_not_be_judged(self):
        said = self.headrace("plan", "--timeout", 2, kafka="127.0.0.1:1", expect=2)
        self.assertIn("no broker answers", said)
        self.assertIn("refused", said)

    def test_properties_come_from_words_from_the_aggregators_configuration_and_secrets_from_files(self):
        secret = self.folder / "secret"
        secret.write_text("headrace-test\n")
        other = self.file("topics:\n" + "".join(f"  - {{name: {name}, holds: x, key: k, partitions: 1, replication_factor: 1}}\n"
                                                for name in ("one", "headrace.cursor")))
        self.headrace("plan", "--topics", other, "--set", f"client.id_file={secret}", expect=1)
        said = self.headrace("plan", "--set", "no.such.property=1", expect=3)
        self.assertIn("no.such.property", said)
        self.headrace("plan", "--set", "client.id_file=/nowhere", expect=3)
        config = self.folder / "aggregator.yaml"
        config.write_text("listen: [anything]\nsinks:\n  kafka:\n    cursor_topic: my.cursor\n    replication: 1\n"
                          f'    properties: {{bootstrap.servers: "127.0.0.1:1", client.id_file: {secret}}}\n')
        self.headrace("apply", "--topics", other, "--config", config, expect=0)  # --kafka goes before the file's brokers
        self.assertEqual(set(self.topics()), {"one", "my.cursor"})

    def test_the_sink_makes_its_topics_as_the_same_file_declares_them(self):
        aggregator = self.own(Aggregator(Site(self.folder), sinks=self.broker.sinks())).start()
        wait_for("the publisher to run", lambda: aggregator.metric('headrace_publisher_state{sink="kafka"}') == 2, 120)
        found = self.topics()
        self.assertEqual(found, {name: topic for name, topic in declared().items() if name in WRITTEN})
        for name in WRITTEN - {"headrace.cursor", "headrace.trust"}:  # these are kept for ever
            self.assertEqual(found[name][1]["retention.ms"], DAYS_90)
        missing = set(declared()) - WRITTEN
        plan = self.differences("plan", "--replication", 1, expect=1 if missing else 0)
        self.assertEqual({name for name, _ in plan}, missing)

    def test_the_sink_tells_why_it_can_not_make_a_topic_and_goes_on_when_it_is_there(self):
        sinks = f'  kafka:\n    properties:\n      bootstrap.servers: "{self.broker.address}"\n'
        aggregator = self.own(Aggregator(Site(self.folder), sinks=sinks)).start()
        told = aggregator.process.wait_event("kafka_topic_not_created")
        self.assertIn("marine.ais.raw", told["text"])
        self.assertRegex(told["text"], "(?i)replication factor")
        self.headrace("apply", "--replication", 1, expect=0)
        wait_for("the publisher to run", lambda: aggregator.metric('headrace_publisher_state{sink="kafka"}') == 2, 180)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
