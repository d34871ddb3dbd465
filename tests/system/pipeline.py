# SPDX-License-Identifier: Apache-2.0
"""The whole way of the data with real programs: a collector, an aggregator beside it, and Apache Kafka; and what must
be true of the topics at its end."""
import base64
import collections
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile

import nmea_oracle
from harness import DEADLINE_S, ROOT, SERVER_NAME, Process, SystemTest, parse_metrics, program, wait_for
from wire import LOSS

AIS, EVENTS = "marine.ais.raw", "headrace.device.events"
TELEMETRY = "plant.telemetry"
RAW = ("ingestion.ais.raw.v1", "ingestion.device.raw.v1", "ingestion.plant.raw.v1")  # the second: nothing but control records
CORPUS = os.environ.get("HEADRACE_CORPUS") or str(ROOT.parent / "shared" / "corpus")
LONG = os.environ.get("HEADRACE_LONG") == "1"
CHANNEL = 14  # a record of the dictionary: no event of its own


def seeded(name):
    """A generator whose seed is printed; HEADRACE_SEED gives another or the same again."""
    seed = int(os.environ.get("HEADRACE_SEED", "20261121"))
    print(f"{name}: HEADRACE_SEED={seed}", flush=True)
    return random.Random(seed)


class Collector:
    """A headrace-collector of an enrolled device, in its folder."""

    def __init__(self, device, aggregators, taps, more="", spool_size="4MiB", sector="256KiB"):
        self.device = device
        self.folder = device.folder
        self.config = device.folder / "run.yaml"
        self.status_path = device.folder / "status.json"
        self.spool = device.folder / "spool"
        self.process = None
        self.starts = 0
        flush = "" if "shutdown_flush" in more else "shutdown_flush: 60s\n"  # what the last seal holds arrives too
        self.config.write_text(
            f"device_id: {device.device_id}\nname: test\n"
            f"identity:\n  certificate: {device.certificate}\n  key: {device.key}\n  record_key: {device.record_key}\n"
            f"  ca: {device.trusted}\n"
            f"aggregators: {json.dumps(aggregators)}\nserver_name: {SERVER_NAME}\n"
            f"spool: {{path: {self.spool}, size: {spool_size}, sector: {sector}}}\n"
            f"status: {{path: {self.status_path}}}\n{flush}{more}taps:\n{taps}")

    def start(self, *options, env=None):
        self.starts += 1
        if self.process is not None:
            self.process.close()
        self.process = Process([program("headrace-collector"), "--config", self.config, *options],
                               self.folder / f"collector.{self.starts}.jsonl", env)
        return self

    def status(self):
        """What the running process last said of itself; None before it did."""
        try:
            status = json.loads(self.status_path.read_text())
        except OSError:
            return None
        return status if status["pid"] == self.process.pid else None

    def wait_status(self, what, check, deadline_s=None):
        return wait_for(what, lambda: (s := self.status()) is not None and check(s) and s, deadline_s, self.status)

    def close(self):
        if self.process is not None:
            self.process.close()


class Fleet:
    """The simulator towards a collector, and its twin, with the same seed, into a file."""

    def __init__(self, port, seed, rate, folder):
        self.log = folder / "sent.nmea"
        self._out = open(self.log, "wb")
        words = [program("headrace"), "sim", "ais", "--rate", str(rate), "--vessels", "300", "--seed", str(seed), "--to"]
        self._sender = subprocess.Popen([*words, f"tcp://127.0.0.1:{port}"], stderr=subprocess.PIPE, text=True)
        self._twin = subprocess.Popen([*words, "-"], stdout=self._out, stderr=subprocess.DEVNULL)

    def stop(self):
        """Ends both; the payloads of the messages that the sender counts, as the twin tells them."""
        self._sender.send_signal(signal.SIGTERM)
        _, said = self._sender.communicate(timeout=DEADLINE_S)
        n_sent = json.loads(said.splitlines()[-1])["messages"]
        wait_for("the twin to have come as far", lambda: len(self._told()) >= n_sent)
        sent = self._told()[:n_sent]
        self.close()
        return sent

    def _told(self):
        return [payload for _, _, _, payload, _ in nmea_oracle.Log(self.log.read_bytes()).messages]

    def close(self):
        for process in (self._sender, self._twin):
            if process.poll() is None:
                process.kill()
            process.wait()
        self._sender.stderr.close()
        self._out.close()


class Broker:
    """One real Apache Kafka broker on a loopback port of its own."""

    def __init__(self, folder):
        self.data = folder / "kafka"
        self.address = self.run("start").strip()

    def run(self, *words):
        return subprocess.run([ROOT / "tools/dev/kafka", *words, "--data", self.data], stdout=subprocess.PIPE, text=True,
                              check=True).stdout

    def kill(self):
        self.run("stop", "--kill")

    def start(self):
        self.run("start")

    def close(self):
        self.run("clean")

    def sinks(self):
        return f'  kafka:\n    properties:\n      bootstrap.servers: "{self.address}"\n    replication: 1\n'

    def read(self, *topics):
        """Every record that Apache Kafka's own read_committed consumer sees."""
        return [Published(json.loads(line)) for line in self.run("read", "--topics", ",".join(topics)).splitlines()]

    def tail(self, topic):
        """The events of a topic, decoded from Avro by `headrace tail`."""
        done = subprocess.run([program("headrace"), "tail", "--kafka", self.address, "--topic", topic],
                              stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


class BrokerTest(SystemTest):
    """Tests that share one broker."""

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="headrace-broker-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.broker = Broker(cls.shared)
        cls.addClassCleanup(cls.broker.close)


class Published:
    """A record of a topic with its headers."""

    def __init__(self, entry):
        headers = {name: base64.b64decode(value).decode() for name, value in entry["headers"].items()}
        self.topic, self.partition, self.offset = entry["topic"], entry["partition"], entry["offset"]
        self.value = base64.b64decode(entry["value"])
        self.log = headers["log"]
        self.device = int(headers["device"], 16)
        self.stream, self.batch_seq = int(headers["stream"]), int(headers["batch_seq"])
        self.leaf = int(headers["leaf"])
        self.record_index = int(headers.get("record_index", -1))
        self.output_index = int(headers.get("output_index", -1))
        self.normalizer_version = int(headers["normalizer_version"])
        self.revision, self.replay = int(headers.get("revision", 0)), int(headers.get("replay", 0))
        self.live = (int(headers["live_leaf"]), int(headers["live_index"])) if "live_leaf" in headers else None


class Batch:
    """What an envelope out of the raw topic says, read here from its bytes."""

    def __init__(self, envelope):
        number = lambda at, length: int.from_bytes(envelope[at:at + length], "big")
        self.envelope = envelope
        self.flags, self.device = envelope[3], number(4, 8)
        self.stream, self.batch_seq, self.first_record = number(12, 4), number(18, 4), number(22, 6)
        self.n_records = number(28, 2)
        self.digest = hashlib.sha256(envelope[:108]).hexdigest()

    def has_loss(self):
        return bool(self.flags & LOSS)

    def records(self):
        """The bytes of each record."""
        at, out = 172, []
        while at < len(self.envelope):
            length, at = read_varint(self.envelope, at)
            out.append(self.envelope[at:at + length])
            at += length
        return out


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def body_of(record):
    """The number of a record's body field: 2, 3, 4 for AIS, 10 for a Loss ..."""
    at = 0
    while at < len(record):
        tag, at = read_varint(record, at)
        if tag & 7 == 0:
            _, at = read_varint(record, at)
            continue
        return tag >> 3
    return 0


class Topics:
    """The topics at the end of a run, and the promise about them."""

    def __init__(self, test, broker, log=None):
        """`log`: only what this one published; None: there is but one."""
        self.test = test
        self.published = [p for p in broker.read(AIS, EVENTS, TELEMETRY, *RAW) if log in (None, p.log)]
        self.raw = {p.leaf: Batch(p.value) for p in self.published if p.topic in RAW}
        self.batches = [self.raw[leaf] for leaf in sorted(self.raw)]

    def assert_exactly_once(self, losses=()):
        """Each record of each sealed batch gave its events once, in order; batches and records are numbered without
        a hole but for the `losses`: {device: [(from_seq, to_seq, first_record, n_records)]}. Returns the number of
        records."""
        self._assert_order()
        self._assert_chains(dict(losses))
        outputs = collections.Counter((p.topic, p.leaf, p.record_index, p.output_index) for p in self.published)
        self.test.assertEqual([key for key, n in outputs.items() if n != 1], [], "published more than once")
        raw = self.raw
        self.test.assertEqual(sorted(raw), list(range(len(raw))), "leaves are dense")
        records = {(leaf, index) for leaf, batch in raw.items() for index in range(batch.n_records)}
        with_events = {(p.leaf, p.record_index) for p in self.published if p.topic not in RAW}
        silent = {(leaf, index) for leaf, batch in raw.items() for index, r in enumerate(batch.records()) if body_of(r) == CHANNEL}
        self.test.assertEqual(with_events, records - silent, "a record without events, or events without a record")
        ais = {(leaf, index) for leaf, batch in raw.items() for index, r in enumerate(batch.records())
               if body_of(r) in (2, 3, 4)}
        events = collections.Counter((p.leaf, p.record_index) for p in self.published if p.topic == AIS)
        self.test.assertEqual(events, collections.Counter(ais), "each AIS record is one event")
        return len(records)

    def _assert_order(self):
        last = {}
        for p in self.published:
            place, at = (p.topic, p.partition), (p.leaf, p.record_index, p.output_index)
            self.test.assertGreater(at, last.get(place, (-1, -1, -1)), f"out of order in {place}")
            last[place] = at

    def _assert_chains(self, losses):
        chains = collections.defaultdict(list)
        for batch in self.batches:
            chains[batch.device, batch.stream].append(batch)
        for (device, stream), batches in chains.items():
            next_seq = next_record = 0
            holes = list(losses.get(device, []))
            for batch in batches:
                if holes and next_seq == holes[0][0] and batch.batch_seq != next_seq:
                    _, to_seq, first_record, n_records = holes.pop(0)
                    self.test.assertEqual(first_record, next_record, "the Loss begins where records end")
                    next_seq, next_record = to_seq + 1, first_record + n_records
                self.test.assertEqual((batch.batch_seq, batch.first_record), (next_seq, next_record),
                                      f"device {device} stream {stream}")
                next_seq, next_record = batch.batch_seq + 1, batch.first_record + batch.n_records
            self.test.assertEqual(holes, [], f"holes that were not seen of device {device}")


def wait_published(aggregator, deadline_s=None):
    """Until the Kafka sink has delivered every leaf of the ledger."""
    def come():
        """How many leaves are delivered, and how many there are."""
        status, text = aggregator.http("/metrics")
        metrics = parse_metrics(text) if status == 200 else {}
        return metrics.get('headrace_publish_next_leaf{sink="kafka"}', 0), metrics.get("headrace_ledger_leaves", 0)

    wait_for("everything to be published", lambda: (c := come())[0] == c[1] > 0, deadline_s, come)
