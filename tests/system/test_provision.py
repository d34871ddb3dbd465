#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway gets its identity from `headrace device claim` and `device provision` alone, and delivers; what is wrong is
told with what to do next. What is interrupted: test_interruptions.py."""
import contextlib
import json
import os
import re
import socket
import threading
import unittest

import harness
from harness import SERVER_NAME, Process, free_port, program, wait_for
from nmea_oracle import checksum

SENTENCE = "AIVDM,1,1,,A,15M67FC000G?ufbE`FepT@3n00Sa,0"


class Gateway:
    """A collector whose identity is a directory that the ceremony fills."""

    def __init__(self, folder, serial):
        self.folder = folder / serial
        self.folder.mkdir()
        self.identity = self.folder / "identity"
        self.socket = self.identity / "provision.sock"
        self.config = self.folder / "collector.yaml"
        self.port = free_port()
        self.config.write_text(
            f"identity:\n  directory: {self.identity}\n  serial: {serial}\n"
            f"spool:\n  path: {self.folder}/spool\n  size: 1MiB\n  sector: 64KiB\n"
            "seal:\n  max_age: 200ms\n"
            f"taps:\n  - {{type: ais, source: udp, host: 127.0.0.1, port: {self.port}}}\n")
        self.serial = serial
        self.process = None
        self.starts = 0

    def start(self):
        self.starts += 1
        self.process = Process([program("headrace-collector"), "--config", self.config],
                               self.folder / f"log.{self.starts}.jsonl")
        wait_for("the gateway to listen or to end", lambda: self.answers() or not self.process.alive())
        if not self.process.alive():
            raise AssertionError("\n".join(self.process.lines))
        return self

    def answers(self):
        try:
            return self.say("prov hello")
        except OSError:
            return None

    def say(self, line):
        """The answer to a line of the ceremony."""
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(60)
            caller.connect(str(self.socket))
            caller.sendall(line.encode() + b"\n")
            return caller.makefile().readline().strip()

    def fields(self):
        return dict(word.split("=", 1) for word in self.say("prov hello").split()[2:])

    def feed(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as feeder:
            feeder.sendto(f"!{SENTENCE}*{checksum(SENTENCE.encode()):02X}\r\n".encode(), ("127.0.0.1", self.port))

    def kill(self):
        self.process.kill()

    def close(self):
        if self.process is not None:
            self.process.close()


class Line:
    """A cable between the tool and a gateway. When the line that begins with `point` was answered, something happens."""

    def __init__(self, gateway, point):
        self.gateway, self.point = gateway, point
        self.path = gateway.folder / "line.sock"
        self.ready = threading.Event()
        self.was_met = self.passes_answer = False
        self.answers_with = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.path.unlink()

    def _run(self):
        with contextlib.suppress(OSError):
            caller = self._listener.accept()[0]
            self.ready.wait()
            with caller, caller.makefile() as said:
                for line in said:
                    answer = self.gateway.say(line.strip())
                    if line.startswith(self.point) and not self.was_met:
                        self.was_met = True
                        self.on_point()
                        if self.hangs_up:
                            return
                        answer = self.answers_with or answer
                        if not self.passes_answer and not self.answers_with:
                            continue
                    caller.sendall(answer.encode() + b"\n")


class ProvisionTest(harness.SystemTest):
    def begin(self, serial="GW-7001"):
        self.site = harness.Site(self.folder)
        self.aggregator = self.own(harness.Aggregator(self.site))
        self.aggregator.start()
        self.gateway = self.own(Gateway(self.folder, serial))
        self.gateway.start()

    def headrace(self, *words, expect=0):
        return self.site.headrace("device", *words, "--config", self.aggregator.config, expect=expect)

    def claim(self, serial, name="harbour-gw7", *more, expect=0):
        return self.headrace("claim", "--serial", serial, "--name", name, "--site", "lower lock", *more, expect=expect)

    def words(self, verb, gateway, *more):
        return (*verb, "--socket", gateway.socket, "--dir", self.site.ca, "--aggregator", self.aggregator.coaps_tcp,
                "--server-name", SERVER_NAME, "--wait", "120", *more)

    def provision(self, gateway, *more, expect=0):
        return self.headrace(*self.words(["provision"], gateway, *more), expect=expect)

    def shown(self, device):
        return json.loads(self.headrace("show", device, "--json").stdout)["devices"][0]

    def batches(self, device):
        return self.aggregator.query("SELECT count(*) FROM batch WHERE device = ?", device)[0][0]

    def assert_delivers(self, gateway, device):
        before = self.batches(device)

        def delivered():
            gateway.feed()
            return self.batches(device) > before
        wait_for("a batch of what was fed", delivered)

    def test_a_gateway_is_provisioned_from_factory_state_by_the_tool_alone(self):
        self.begin()
        gateway = self.gateway
        self.assertEqual(gateway.fields()["state"], "factory")
        refused = self.provision(gateway, expect=1).stderr
        self.assertIn("headrace device claim", refused)
        told = self.claim("GW-7001", "harbour-gw7", "--dry-run").stdout
        self.assertIn("nothing was changed", told)
        self.assertEqual(self.claim("GW-7001").stdout, "GW-7001 is device 1, harbour-gw7: claimed\n")
        self.assertEqual(self.claim("GW-7001").stdout, "GW-7001 is device 1, harbour-gw7: claimed\n")
        self.assertIn("another name", self.claim("GW-7001", "somebody-else", expect=1).stderr)
        self.assertEqual(self.shown("1")["state"], "claimed")
        self.assertIn("P2 to P6, P7, P8, P9 would follow", self.provision(gateway, "--dry-run").stdout)
        self.assertEqual(gateway.fields()["state"], "factory")

        done = self.provision(gateway)
        steps = re.findall(r"^(P\d)", done.stdout, re.M)
        self.assertEqual(sorted(set(steps)), [f"P{i}" for i in range(1, 10)])
        fields = gateway.fields()
        self.assertEqual((fields["state"], fields["locked"], fields["device"], fields["epoch"]),
                         ("enrolled", "1", "1", "1"))
        self.assertEqual(self.shown("1")["state"], "active")
        self.assertEqual(self.shown("1")["key"], fields["record"])
        self.assert_delivers(gateway, 1)
        for line in ("prov begin", "prov csr", "prov record 2 " + 32 * "0", "prov part 0 00", "prov lock"):
            self.assertTrue(gateway.say(line).startswith("! locked "), line)
        rows = json.loads(self.site.headrace("audit", "1", "--json", "--config", self.aggregator.config).stdout)
        self.assertEqual([(r["action"], r["before"], r["after"]) for r in rows],
                         [("claimed", "", "claimed"), ("certified", "claimed", "enrolled"),
                          ("key_added", "enrolled", "enrolled"), ("activated", "enrolled", "active")])
        # Said again, nothing is done; started again, it delivers.
        again = self.provision(gateway).stdout
        self.assertIn("P9", again)
        self.assertNotIn("P4", again)
        self.assertEqual(len(json.loads(self.site.headrace("audit", "1", "--json", "--config",
                                                           self.aggregator.config).stdout)), len(rows))
        gateway.kill()
        gateway.start()
        self.assert_delivers(gateway, 1)
        self.assertEqual(gateway.fields()["key"], fields["key"])
        self.check_replace()

    def check_replace(self):
        """Other hardware takes the device's place: same number, next epoch, next stream; the old one is shut out."""
        new = self.own(Gateway(self.folder, "GW-7002"))
        new.start()
        words = self.words(["replace", "1"], new)
        self.assertIn("--yes", self.headrace(*words, expect=3).stderr)
        self.assertIn("P2 to P6", self.headrace(*words, "--dry-run").stdout)
        self.assertEqual(self.shown("1")["state"], "active")
        self.headrace(*words, "--yes")
        fields = new.fields()
        self.assertEqual((fields["device"], fields["epoch"], fields["locked"]), ("1", "2", "1"))
        self.assert_delivers(new, 1)
        streams = self.aggregator.query("SELECT DISTINCT stream FROM batch WHERE device = 1 ORDER BY stream")
        self.assertEqual(len(streams), 2)

        def of_old():
            return self.aggregator.query("SELECT count(*) FROM batch WHERE device = 1 AND stream = ?", streams[0][0])
        before = of_old()
        self.gateway.feed()
        self.assert_delivers(new, 1)
        self.assertEqual(of_old(), before)
        wait_for("the old hardware to be refused at the handshake", lambda: [
            e for e in self.aggregator.process.events("session_refused") if "hardware that was replaced" in e["text"]])
        shown = json.loads(self.site.headrace("device", "show", "1", "--json", "--config", self.aggregator.config).stdout)
        self.assertEqual([key["key_state"] for key in shown["transport_keys"]], ["replaced", "in use"])

    def test_what_is_wrong_is_told_with_what_to_do(self):
        self.begin()
        gateway = self.gateway
        self.claim("GW-7001")
        wrong = self.provision(gateway, "--serial", "GW-9999", expect=1).stderr
        self.assertIn("is GW-7001, not GW-9999: move the cable", wrong)
        gone = self.headrace("provision", "--console", f"tcp://127.0.0.1:{free_port()}", "--dir", self.site.ca,
                             "--aggregator", "coaps://a", "--server-name", "a", expect=1).stderr
        self.assertIn("is the device on, the cable in", gone)
        gateway.kill()
        self.assertIn("is the device on, the cable in", self.provision(gateway, expect=1).stderr)
        gateway.start()
        self.aggregator.stop()
        away = self.provision(gateway, expect=1).stderr
        self.assertIn("no aggregator answers", away)
        self.assertIn("say it again", away)
        self.aggregator.start()
        self.check_passphrase(gateway)
        self.check_foreign_request(gateway)
        self.assertEqual((gateway.fields()["state"], self.shown("1")["state"]), ("factory", "claimed"))
        self.provision(gateway)
        self.assertEqual(self.shown("1")["state"], "active")

    def check_passphrase(self, gateway):
        """An authority whose keys are encrypted, and the wrong passphrase for it."""
        right, wrong = self.folder / "right", self.folder / "wrong"
        right.write_text("eight and more\n")
        wrong.write_text("something else\n")
        other = self.folder / "encrypted"
        environment = {**os.environ, "HEADRACE_CA_PASSPHRASE_FILE": str(right)}
        harness.run(program("headrace"), "ca", "init", "--dir", other, "--encrypt", env=environment)
        words = [program("headrace"), "device", *self.words(["provision"], gateway), "--config", self.aggregator.config]
        words[words.index(self.site.ca)] = other
        environment["HEADRACE_CA_PASSPHRASE_FILE"] = str(wrong)
        told = harness.run(*words, expect=1, env=environment).stderr
        self.assertIn("not with this passphrase", told)

    def check_foreign_request(self, gateway):
        """A certification request of another device comes over the line."""
        other = self.own(Gateway(self.folder, "GW-7003"))
        other.start()
        other.say("prov begin")
        foreign = other.say("prov csr")
        with Line(gateway, "prov csr") as line:
            line.answers_with, line.on_point, line.hangs_up = foreign, lambda: None, False
            line.ready.set()
            words = list(self.words(["provision"], gateway))
            words[words.index(gateway.socket)] = line.path
            told = self.headrace(*words, expect=1).stderr
        self.assertIn("the certification request is of GW-7003, not of GW-7001", told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
