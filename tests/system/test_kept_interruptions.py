#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a gateway keeps in files, with real processes: another transport key (made, asked for, certified, kept, used,
promoted) and another trust bundle (fetched, kept, adopted). The device is killed at each change of its files, the
aggregator at its entry of the certificate, and both, or the message lost, at each message on the way. Each time it ends by
itself with one pair or the new bundle, and delivers."""
import collections
import os
import signal
import unittest

import harness
import pipeline
import trust_bundle
from harness import wait_for
from interruptions import BEFORE, BEHIND, Interruption, Point, TlsRelay

LONG = os.environ.get("HEADRACE_LONG") == "1"
CHANGES = ("file_written", "folder_changed")  # before a file is in its place, and when it is but may not last
RECORDS = 6 if LONG else 1                    # of TLS with data, each way, from the start on
KINDS = ("device", "aggregator", "message")


class KeptTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.ca = self.site.ca
        self.site.headrace("ca", "bundle", "--dir", self.ca)
        issued = self.folder / "issued"
        issued.mkdir()
        self.device = self.site.enrol("gateway")
        self.aggregator = self.own(harness.Aggregator(self.site, extra=(
            f"renewal: {{issuer_certificate: {self.ca / 'device-ca.crt'}, issuer_key: {self.ca / 'device-ca.key'}, "
            f"folder: {issued}}}\ntrust_bundle: {self.ca / 'trust.bundle'}\n")))
        self.aggregator.start()
        self.tls = self.own(TlsRelay(self.aggregator.port, Interruption()))
        self.tls.interruption.may_pass.set()
        self.keys, self.trust = self.folder / "keys", self.device.folder / "trust"
        self.keys.mkdir(mode=0o700)
        tap = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {harness.free_port()}}}\n"
        self.collector = self.own(pipeline.Collector(
            self.device, [f"coaps+tcp://127.0.0.1:{self.tls.port}"], tap, "stats_interval: 1s\nseal: {max_age: 200ms}\n"
            f"shutdown_flush: 0s\nrenewal: {{folder: {self.keys}, before: 1d}}\ntrust: {self.trust}\n"))
        self.collector.start()
        self.counts = collections.Counter()
        self.failpoint = None
        self.delivers()

    def batches(self):
        return [row[0] for row in self.aggregator.query("SELECT seq FROM batch WHERE device = ? ORDER BY seq", self.device.device_id)]

    def delivers(self):
        n_before = len(self.batches())
        wait_for("more batches", lambda: len(self.batches()) >= n_before + 2)

    def pair(self):
        current = self.keys / "current.pem"
        return current.read_text() if current.exists() else None

    def restart(self):
        if self.collector.process.alive() and not self.failpoint:
            self.collector.process.kill()
            self.collector.start()

    # ---- one thing that is asked for, and what must have come of it ----

    def ask_key(self):
        """At a start: a running gateway looks for the request now and then."""
        self.restart()
        before = self.pair()
        (self.keys / "renew").touch()
        return lambda: self.pair() != before and [path.name for path in self.keys.iterdir()] == ["current.pem"]

    def check_key(self):
        harness.run("openssl", "verify", "-partial_chain", "-purpose", "sslclient", "-trusted", self.ca / "device-ca.crt",
                    self.keys / "current.pem")
        public = [harness.run("openssl", *words, "-in", self.keys / "current.pem").stdout for words in (("x509", "-pubkey", "-noout"),
                                                                                                     ("pkey", "-pubout"))]
        self.assertEqual(*public)

    def ask_bundle(self):
        self.restart()
        authorities = [path for name in ("server-ca", "server-ca-b") if (path := self.ca / f"{name}.crt").exists()]
        self.version = len(self.shown(self.ca / "trust.bundle")) + 1
        self.site.headrace("ca", "bundle", "--dir", self.ca, *(word for path in authorities for word in ("--ca", path)))
        return lambda: self.version in self.kept() and (self.trust / "authorities.pem").exists()

    def shown(self, file):
        return self.site.headrace("ca", "bundle", "--show", file, "--json").stdout.splitlines()

    def kept(self):
        return [trust_bundle.taken_apart(path.read_bytes())[0]["version"] for path in self.trust.glob("bundle.?")]

    def check_bundle(self):
        self.collector.process.kill()
        self.collector.start()
        self.assertEqual(self.collector.process.wait_event("trust_opened")["version"], self.version)

    # ---- interruptions ----

    def go_on(self, is_done):
        """Whoever was ended is started, until it is done; then it delivers, and each batch is there once. A gateway that
        runs on asks for a certificate again after five minutes, at its start at once."""
        if not is_done():
            self.restart()

        def look():
            if not self.collector.process.alive():
                self.collector.start()
            if not self.aggregator.process.alive():
                self.aggregator.start()
            return is_done()
        wait_for("what was asked for", look, seen=lambda: sorted(path.name for path in [*self.keys.iterdir(), *self.trust.iterdir()]))
        self.delivers()
        seqs = self.batches()
        self.assertEqual(seqs, list(range(len(seqs))))

    def at_each_change(self, ask, check):
        """The device dies at each change of its files in turn, until there is none more."""
        for name in CHANGES:
            for k in range(1, 20):
                self.failpoint = f"{name}:{k}"
                self.collector.process.kill()
                self.collector.start(env={"HEADRACE_FAILPOINT": self.failpoint})
                doomed, is_done = self.collector.process, ask()
                self.failpoint = None
                wait_for("its death, or the end", lambda: not doomed.alive() or is_done())
                was_killed = not doomed.alive()
                if was_killed:
                    self.assertEqual(doomed.returncode(), -signal.SIGKILL)
                    self.counts[name, "device"] += 1
                self.go_on(is_done)
                check()
                if not was_killed:
                    break

    def at_each_message(self, ask, check):
        for name in ("data to aggregator", "data to device"):
            for n in range(1, RECORDS + 1):
                for i, kind in enumerate(KINDS):
                    for phase in (BEFORE, BEHIND) if LONG else ((BEFORE, BEHIND)[(n + i) % 2],):
                        strikes = {"device": lambda: self.collector.process.kill(), "aggregator": self.aggregator.kill}
                        interruption = Interruption(Point(None, name, n, phase), kind, strikes)
                        interruption.may_pass.set()
                        is_done = ask()
                        self.tls.interruption = interruption
                        wait_for("the interruption", lambda: interruption.is_met)
                        self.counts[name, kind] += 1
                        self.go_on(is_done)
                        check()

    def tell(self, what):
        table = ", ".join(f"{name} {kind} {n}" for (name, kind), n in sorted(self.counts.items()))
        print(f"\n{what}: {self.counts.total()} interruptions: {table}", flush=True)

    def test_a_transport_key_is_changed_whatever_is_interrupted(self):
        self.at_each_change(self.ask_key, self.check_key)
        for _ in range(2):
            self.aggregator.stop()
            self.aggregator.start(env={"HEADRACE_FAILPOINT": "certificate_audited:1"})
            is_done = self.ask_key()
            wait_for("the aggregator to die", lambda: not self.aggregator.process.alive())
            self.counts["certificate_audited", "aggregator"] += 1
            self.go_on(is_done)
            self.check_key()
        self.at_each_message(self.ask_key, self.check_key)
        self.tell("another transport key")
        self.assertGreaterEqual((self.counts["file_written", "device"], self.counts["folder_changed", "device"]), (2, 4))

    def test_a_trust_bundle_is_adopted_whatever_is_interrupted(self):
        self.at_each_change(self.ask_bundle, self.check_bundle)
        self.at_each_message(self.ask_bundle, self.check_bundle)
        self.tell("another trust bundle")
        self.assertGreaterEqual(self.counts["file_written", "device"], 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
