# SPDX-License-Identifier: Apache-2.0
"""Many collectors under one feeder that knows what each was given, and the oracle that compares what was issued, what
was acknowledged and what was delivered.

Each message is told apart by its bits: the MMSI of a type 1 position says which collector, its longitude which of that
collector's messages."""
import collections
import contextlib
import json
import selectors
import signal
import socket
import threading
import time

import pipeline
from harness import wait_for
from nmea_oracle import checksum

FIRST_MMSI = 200000000
CHARS = 28  # of a type 1 message: 168 bits


def armored(gateway, number):
    """The payload of message `number` of a collector (ITU-R M.1371-5, table 45)."""
    bits = 1 << 162 | (FIRST_MMSI + gateway) << 130 | number << 79
    sixes = (bits >> 6 * (CHARS - 1 - i) & 63 for i in range(CHARS))
    return "".join(chr(v + 48 if v < 40 else v + 56) for v in sixes)


def identified(payload):
    """(collector, number) of a payload; fails when it is none of ours."""
    bits = 0
    for c in payload.encode():
        bits = bits << 6 | (c - 48 if c < 88 else c - 56)
    gateway, number = (bits >> 130 & 0x3FFFFFFF) - FIRST_MMSI, bits >> 79 & 0xFFFFFFF
    if gateway < 0 or armored(gateway, number) != payload:
        raise AssertionError(f"an alien message: {payload}")
    return gateway, number


class Feeder:
    """A receiver for each collector: it takes the collector's connection and gives it one message after the other.
    `lives[g]` lists, for each connection of collector g, the numbers of the messages that it was given."""

    def __init__(self, n_gateways, rate, random):
        self.lives = [[] for _ in range(n_gateways)]
        self._next = [0] * n_gateways
        self._rate, self._random = rate, random
        self._connections = {}
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(n_gateways)]
        self.ports = [listener.getsockname()[1] for listener in self._listeners]
        self._selector = selectors.DefaultSelector()
        for gateway, listener in enumerate(self._listeners):
            self._selector.register(listener, selectors.EVENT_READ, gateway)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        due = time.monotonic()
        while not self._end.is_set():
            for key, _ in self._selector.select(max(0, due - time.monotonic())):
                self._accept(key.data)
            if time.monotonic() >= due:
                # What a stopped machine missed is not made up for.
                due = max(due, time.monotonic() - 1) + self._random.expovariate(self._rate)
                self._give(self._random.randrange(len(self.lives)))

    def _accept(self, gateway):
        if gateway in self._connections:
            self._connections[gateway].close()
        connection, _ = self._listeners[gateway].accept()
        connection.settimeout(60)
        self._connections[gateway] = connection
        self.lives[gateway].append([])

    def _give(self, gateway):
        connection = self._connections.get(gateway)
        if connection is None:
            return
        number = self._next[gateway]
        self._next[gateway] += 1
        self.lives[gateway][-1].append(number)
        sentence = f"AIVDM,1,1,,A,{armored(gateway, number)},0"
        try:
            connection.sendall(f"!{sentence}*{checksum(sentence.encode()):02X}\r\n".encode())
        except OSError:  # it was killed; the next life comes with a new connection
            self._connections.pop(gateway).close()

    def given(self, gateway):
        """How many messages the present life of a collector was given."""
        return len(self.lives[gateway][-1]) if self.lives[gateway] else 0

    def pause(self):
        """No more messages; the connections stay."""
        self._end.set()
        self._thread.join()

    def close(self):
        self.pause()
        self._selector.close()
        for connection in [*self._listeners, *self._connections.values()]:
            connection.close()


class Gateways:
    """A fleet of real collectors, each with its key, its spool and its receiver."""

    def __init__(self, site, n, addresses, feeder, more):
        """`addresses(g)`: where collector g looks for aggregators."""
        self.feeder = feeder
        self.collectors = []
        self.acked = [0] * n  # batches that a collector ever said were acknowledged
        for g in range(n):
            tap = f"  - {{type: ais, source: tcp-client, host: 127.0.0.1, port: {feeder.ports[g]}}}\n"
            self.collectors.append(pipeline.Collector(site.enrol(f"g{g}"), addresses(g), tap, more, spool_size="1MiB",
                                                      sector="64KiB"))

    def start(self):
        for collector in self.collectors:
            collector.start()
        return self

    def sample(self):
        """Takes down what each collector says is acknowledged."""
        for g, collector in enumerate(self.collectors):
            with contextlib.suppress(OSError):
                status = json.loads(collector.status_path.read_text())
                self.acked[g] = max(self.acked[g], status["acked_batches"])

    def kill(self, some):
        self.sample()
        for g in some:
            self.collectors[g].process.kill()
            self.collectors[g].start()

    def drain(self, deadline_s):
        """Everything given is sealed, acknowledged and freed; then they end."""
        self.feeder.pause()
        for g, collector in enumerate(self.collectors):
            wait_for(f"collector {g} to have everything sealed and acknowledged", lambda: (s := collector.status())
                     and s["stats"]["ais"]["messages"] == self.feeder.given(g) and s["drained"] and s["open_records"] == 0,
                     deadline_s, lambda: (self.feeder.given(g), collector.status()))
        for collector in self.collectors:
            collector.process.signal(signal.SIGTERM)
        for collector in self.collectors:
            collector.process.wait(deadline_s)
        self.sample()

    def statuses(self):
        """What each said last."""
        return [json.loads(collector.status_path.read_text()) for collector in self.collectors]

    def close(self):
        for collector in self.collectors:
            collector.close()


class Oracle:
    """Compares the sets at the end of a run; `figures` says how large they were."""

    def __init__(self, test, gateways, topics, events):
        """`topics`: what the read_committed consumer saw; `events`: the decoded AIS events."""
        self.test, self.gateways, self.topics, self.events = test, gateways, topics, events
        self.device_of = [collector.device.device_id for collector in gateways.collectors]
        self.figures = collections.Counter()

    def check(self, ledger):
        """`ledger`: (leaf, device, stream, seq, digest) of each row."""
        self.figures["records"] = self.topics.assert_exactly_once()
        self.figures["batches"] = len(self.topics.batches)
        self._ledger_equals_topic(ledger)
        self._acked_is_delivered()
        self._issued_is_delivered()
        return dict(self.figures)

    def _ledger_equals_topic(self, ledger):
        in_topic = {(leaf, b.device, b.stream, b.batch_seq, b.digest) for leaf, b in self.topics.raw.items()}
        self.test.assertEqual(len(ledger), len(set(ledger)))
        self.test.assertEqual(sorted(set(ledger) ^ in_topic)[:5], [], "in the ledger or in Kafka, not in both")
        self.figures["ledger rows"] = len(ledger)

    def _acked_is_delivered(self):
        batches = collections.Counter(batch.device for batch in self.topics.batches)
        records = collections.Counter()
        for batch in self.topics.batches:
            records[batch.device] += batch.n_records
        self.test.assertEqual(set(batches) - set(self.device_of), set(), "alien devices")
        for g, status in enumerate(self.gateways.statuses()):
            device = self.device_of[g]
            self.test.assertEqual((status["stream"], batches[device], records[device]),
                                  (0, status["sealed_batches"], status["next_record_seq"]), f"collector {g}: sealed")
            self.test.assertEqual(batches[device], status["acked_batches"], f"collector {g}: acknowledged")
            self.test.assertLessEqual(self.gateways.acked[g], batches[device], f"collector {g}: once acknowledged")
            self.test.assertEqual(status["stats"]["collector"]["losses"], 0)
            self.figures["acked batches"] += status["acked_batches"]

    def _issued_is_delivered(self):
        """Of each life of a collector a beginning is delivered, in order and once; of the last all. What is missing
        went with the memory of a killed collector."""
        delivered = [[] for _ in self.device_of]
        for event in sorted(self.events, key=lambda e: e["record_seq"]):
            gateway, number = identified(event["payload"])
            delivered[gateway].append(number)
        for g, lives in enumerate(self.gateways.feeder.lives):
            there = iter([*delivered[g], None])
            at = next(there)
            for life, given in enumerate(lives):
                n = 0
                while n < len(given) and given[n] == at:
                    n, at = n + 1, next(there)
                self.figures["issued"] += len(given)
                self.figures["delivered"] += n
                self.figures["lost with a killed collector's memory"] += len(given) - n
                if life == len(lives) - 1:
                    self.test.assertEqual(n, len(given), f"collector {g} lost what it was given last")
            self.test.assertIsNone(at, f"collector {g}: message {at} is delivered where it can't be")
        self.test.assertGreater(self.figures["delivered"], 0)
