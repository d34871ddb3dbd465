#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tools/demo runs once everything is built: simulated (or recorded, or live) AIS traffic through a collector, which
may be a microcontroller board, and an aggregator, both killed with SIGKILL on the way, and then the proof that each
sealed record came out exactly once."""
import argparse
import base64
import collections
import contextlib
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import board
from demo_feed import Feeder

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build/demo"
EVENTS, DEVICE_EVENTS, RAW = "marine.ais.raw", "headrace.device.events", "ingestion.ais.raw.v1"
DEVICE_RAW = "ingestion.device.raw.v1"


class Trouble(Exception):
    """Ends the demo with a message that says what to look at."""


def free_port():
    while True:  # none of those that connections take by themselves
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(10000, 32000)))
            return probe.getsockname()[1]


class Microcontroller(board.Board):
    """The collector as firmware on a board in QEMU, with what a program offers: poll, kill, wait. What its console says
    is shown."""

    def __init__(self, name, serial):
        super().__init__(name, WORK / "board", WORK / "device/memory.img",
                         ROOT / f"build/{name}/bin/headrace-collector.elf", serial)
        self.shown = 0
        self.last = {}  # what its spool held when it was last asked

    def start(self, *options):
        self.shown = 0
        return super().start(*options)

    def show(self):
        # What the shell was asked for the status lines, and its answers, are left out.
        for line in self.lines[self.shown:]:
            self.shown += 1
            if line.startswith(("headrace ", "identity ", "[")):
                print(f"       board: {line}", flush=True)

    def poll(self):
        return None if self.alive() else self.returncode()

    def wait(self):
        self.close()

    def state(self):
        try:
            self.last = self.spool()
        except AssertionError:  # no power, or no answer
            pass
        return self.last


class Pipeline:
    def __init__(self, options):
        self.bin = pathlib.Path(options.bin).resolve()
        self.options = options
        self.processes = {}
        self.kafka = None
        self.board = None

    def run_tool(self, *words):
        done = subprocess.run([self.bin / "headrace", *map(str, words)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Trouble(f"headrace {' '.join(map(str, words[:2]))} failed:\n{done.stderr}")
        return done.stdout

    def enrol(self, source):
        """Keys and certificate of the device; on a board they are in the image of its memory."""
        words = ["--ca", WORK / "ca", "--registry", WORK / "registry", "--out", WORK / "device", "--server-name",
                 "aggregator.demo"]
        if self.options.board:
            self.run_tool("device", "enrol", *words, "--name", "demo-board", "--board", self.options.board, "--aggregator",
                          f"coaps://{board.HOST}:{self.coap}", "--seal-max-age", "1s")
            self.board = Microcontroller(self.options.board, f"connect:{source}")
        else:
            self.run_tool("device", "enrol", *words, "--name", "demo-gateway", "--aggregator",
                          f"coaps+tcp://127.0.0.1:{self.coap}")
        kind = "board" if self.options.board else "gateway"
        print(f"A certificate authority, an aggregator's certificate and an enrolled {kind} are made.")

    def prepare(self, source):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        self.coap, self.http = free_port(), free_port()
        self.run_tool("ca", "init", "--dir", WORK / "ca")
        self.run_tool("ca", "server", "--dir", WORK / "ca", "--name", "aggregator.demo", "--san", "127.0.0.1")
        self.enrol(source)
        sink = f"  files:\n    dir: {WORK}/avro\n"
        if self.options.kafka:
            self.kafka = subprocess.run([ROOT / "tools/dev/kafka", "start", "--data", WORK / "kafka"], check=True,
                                        stdout=subprocess.PIPE, text=True).stdout.strip()
            print(f"Apache Kafka listens on {self.kafka}.")
            sink = f"  kafka:\n    properties:\n      bootstrap.servers: \"{self.kafka}\"\n    replication: 1\n"
        (WORK / "aggregator.yaml").write_text(f"""listen: ["coaps+tcp://127.0.0.1:{self.coap}", "coaps://127.0.0.1:{self.coap}"]
identity:
  certificate: {WORK}/ca/aggregator.demo.crt
  key: {WORK}/ca/aggregator.demo.key
  client_ca: {WORK}/ca/device-ca.crt
registry: {WORK}/registry
ledger:
  sqlite: {WORK}/ledger.db
sinks:
{sink}http:
  address: 127.0.0.1
  port: {self.http}
""")
        if self.board:
            return
        identity = (WORK / "device/collector.yaml").read_text()
        host, _, port = source.rpartition(":")
        (WORK / "collector.yaml").write_text(f"""{identity}
spool:
  path: {WORK}/spool
  size: 64MiB
seal:
  max_age: 1s
taps:
  - {{type: ais, source: tcp-client, host: {host}, port: {port}}}
status:
  path: {WORK}/collector.json
shutdown_flush: 5s
""")

    def start(self, name):
        if name == "collector" and self.board:
            self.processes[name] = self.board.start()
            return
        log = open(WORK / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [self.bin / f"headrace-{name}", "--config", WORK / f"{name}.yaml"], stdout=log, stderr=log,
            stdin=subprocess.DEVNULL)

    def alive(self):
        for name, process in self.processes.items():
            if process.poll() is not None and process is self.board:
                raise Trouble(f"the board ended with {process.poll()}; see {WORK}/board")
            if process.poll() is not None:
                tail = (WORK / f"{name}.log").read_text(errors="replace")[-1500:]
                raise Trouble(f"headrace-{name} ended with {process.returncode}; the end of {WORK}/{name}.log:\n{tail}")

    def kill(self, name):
        if name == "collector" and self.board:
            print("--- SIGKILL to QEMU: the board loses power ---", flush=True)
        else:
            print(f"--- SIGKILL to the {name} ---", flush=True)
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self, name, timeout=20):
        process = self.processes.pop(name, None)
        if process is None:
            return
        if process is self.board:
            process.show()
            process.close()
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Trouble(f"headrace-{name} did not end within {timeout} s; see {WORK}/{name}.log")
        if process.returncode != 0:
            raise Trouble(f"headrace-{name} ended with {process.returncode}; see {WORK}/{name}.log")

    def metrics(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        found = collections.Counter()
        for name, value in re.findall(r"^headrace_(\w+)(?:\{[^}]*\})? ([0-9.e+]+)$", text, re.M):
            found[name] += float(value)
        return found

    def status(self):
        if self.board:
            return self.board.state()
        try:
            return json.loads((WORK / "collector.json").read_text())
        except (OSError, ValueError):
            return {}

    def show(self, seconds, feeder):
        if self.board:
            self.board.show()
        status, metrics = self.status(), self.metrics()
        sealed, acked = status.get("sealed_batches", 0), status.get("acked_batches", 0)
        leaves, published = metrics.get("ledger_leaves", 0), metrics.get("publish_next_leaf", 0)
        sent = f"{feeder.sent} sent, " if feeder else ""
        print(f"{seconds:4.0f} s  {sent}{status.get('next_record_seq', 0)} records spooled, batches: {sealed} sealed, "
              f"{acked} acked, {leaves:.0f} committed, {published:.0f} published, lag {max(0, leaves - published):.0f}",
              flush=True)

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        if self.kafka:
            subprocess.run([ROOT / "tools/dev/kafka", "stop", "--kill", "--data", WORK / "kafka"], check=False)


def wait_for(pipeline, what, check, seconds):
    deadline = time.monotonic() + seconds
    while not check():
        pipeline.alive()
        if time.monotonic() > deadline:
            raise Trouble(f"after {seconds} s still waiting for {what}; logs are in {WORK}")
        time.sleep(0.1)


def traffic(options, binary):
    """The lines to feed, or None when the collector connects to a live source."""
    if options.source is None:
        count = options.rate * options.seconds
        done = subprocess.run([binary / "headrace", "sim", "ais", "--to", "-", "--count", str(count), "--vessels", "200",
                               "--rate", "0", "--seed", str(options.seed)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise Trouble(f"headrace sim ais failed: {done.stderr.decode()}")
        return done.stdout.splitlines(keepends=True)
    path = pathlib.Path(options.source)
    if path.exists():
        return path.read_bytes().splitlines(keepends=True)
    if re.fullmatch(r"[^/]+:\d+", options.source):
        return None
    raise Trouble(f"{options.source} is neither a file nor HOST:PORT")


def run(pipeline, options):
    lines = traffic(options, pipeline.bin)
    feeder = None
    if lines is None:
        source = options.source
    else:
        feeder = Feeder(lines, options.rate, options.seconds * 2 if options.source is None else options.seconds)
        source = f"127.0.0.1:{feeder.port}"
        feeder.start()
    pipeline.prepare(source)
    pipeline.start("aggregator")
    wait_for(pipeline, "the aggregator to be ready", lambda: pipeline.metrics(), 30)
    pipeline.start("collector")
    began = time.monotonic()
    kills = [(options.seconds / 3, "collector"), (options.seconds * 2 / 3, "aggregator")]
    while not (feeder.done.is_set() if feeder else time.monotonic() - began > options.seconds):
        time.sleep(1)
        pipeline.alive()
        pipeline.show(time.monotonic() - began, feeder)
        if kills and time.monotonic() - began > kills[0][0]:
            _, victim = kills.pop(0)
            pipeline.kill(victim)
            time.sleep(1)
            pipeline.start(victim)
    leaves = "board seals what it holds, and is switched off" if pipeline.board else "collector seals what it holds and leaves"
    print(f"The traffic has ended; the {leaves}.")
    wait_for(pipeline, "the aggregator to be back", lambda: pipeline.metrics(), 60)
    time.sleep(1.5)  # one seal age
    wait_for(pipeline, "the last acknowledgement", lambda: drained(pipeline.status()), 60)
    pipeline.stop("collector")
    wait_for(pipeline, "the publisher",
             lambda: (m := pipeline.metrics()) and m["publish_next_leaf"] == m["ledger_leaves"] > 0, 120)
    pipeline.show(time.monotonic() - began, feeder)
    pipeline.stop("aggregator")
    return lines[:feeder.sent] if feeder else None


def drained(status):
    return status and status["sealed_batches"] > 0 and status["sealed_batches"] == status["acked_batches"]


def tail(pipeline, topic):
    where = ["--kafka", pipeline.kafka] if pipeline.kafka else ["--files", WORK / "avro"]
    return [json.loads(line) for line in pipeline.run_tool("tail", *where, "--topic", topic).splitlines()]


def raw_batches(pipeline):
    """Every signed batch that was published, as bytes."""
    if not pipeline.kafka:
        return [bytes.fromhex(row["envelope"]) for topic in (RAW, DEVICE_RAW) if (WORK / "avro" / topic).exists()
                for row in tail(pipeline, topic)]
    read = subprocess.run([ROOT / "tools/dev/kafka", "read", "--data", WORK / "kafka", "--topics", f"{RAW},{DEVICE_RAW}"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    return [base64.b64decode(json.loads(line)["value"]) for line in read.splitlines()]


def payloads_of(lines):
    """The armored payloads of whole single-sentence messages, for comparing with what came out."""
    found = collections.Counter()
    for line in lines:
        fields = line.strip().split(b",")
        if len(fields) == 7 and fields[1] == b"1":
            found[fields[5].decode()] += 1
    return found


def prove(pipeline, sent):
    events, device_events = tail(pipeline, EVENTS), tail(pipeline, DEVICE_EVENTS)
    per_record = collections.Counter((e["stream"], e["record_seq"]) for e in events)
    control = {(e["stream"], e["record_seq"]) for e in device_events}
    seen = set(per_record) | control
    gaps = [stream for stream in {s for s, _ in seen}
            if {r for s, r in seen if s == stream} != set(range(max(r for s, r in seen if s == stream) + 1))]
    doubled = [place for place, n in per_record.items() if n != 1]
    batches = raw_batches(pipeline)
    bad = 0
    for index, envelope in enumerate(batches):
        path = WORK / "envelope.bin"
        path.write_bytes(envelope)
        done = subprocess.run([pipeline.bin / "headrace", "verify", path, "--key", WORK / "device/record.pub.pem"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bad += done.returncode != 0
    print("\nThe proof")
    if sent is not None:
        out, into = collections.Counter(e["payload"] for e in events), payloads_of(sent)
        alien = [p for p, n in out.items() if p in into and n > into[p]]
        missing = sum((into - out).values())
        victim = "board that lost power" if pipeline.board else "killed collector"
        print(f"  {len(sent)} sentences sent; {missing} single-sentence messages were on their way into the {victim} "
              f"(its window in memory, as promised)")
        if alien:
            raise Trouble(f"{len(alien)} payloads came out more often than they went in, such as {alien[0]}")
    print(f"  {len(seen)} records sealed ({len(events)} AIS, {len(control)} of the collector about itself); "
          f"each exactly once: {'yes' if not doubled and not gaps else 'NO'}")
    print(f"  {len(batches)} signed batches published, {len(batches) - bad} signatures verified with the device's key")
    if batches:
        size = sum(map(len, batches))
        print(f"  {size / max(1, len(seen)):.1f} bytes per record, header and signature included, before TLS")
    program = pipeline.bin.relative_to(ROOT) / "headrace"
    if pipeline.kafka:
        print(f"  read them with: tools/dev/kafka start --data {WORK.relative_to(ROOT)}/kafka, then "
              f"{program} tail --kafka {pipeline.kafka}")
    else:
        print(f"  read them with: {program} tail --files {WORK.relative_to(ROOT)}/avro")
    if doubled or gaps or bad or not events:
        raise Trouble(f"the proof failed: {len(doubled)} doubled, gaps in streams {gaps}, {bad} bad signatures, "
                      f"{len(events)} events")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", nargs="?")
    parser.add_argument("--bin", required=True)
    parser.add_argument("--kafka", action="store_true")
    parser.add_argument("--board")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rate", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # A line of 38,400 baud brings a board 80 messages a second.
    options.rate = options.rate or (80 if options.board else 400)
    pipeline = Pipeline(options)
    try:
        sent = run(pipeline, options)
        prove(pipeline, sent)
    except Trouble as trouble:
        sys.exit(f"tools/demo: {trouble}")
    except KeyboardInterrupt:
        sys.exit("\ntools/demo: interrupted; nothing is left running")
    finally:
        pipeline.close()


signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
main()
