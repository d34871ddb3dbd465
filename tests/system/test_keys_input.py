#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong at the desk and in the field: each mistake is told with its cause and with what to do next, ends with the
exit code that is documented, and changes nothing: no file, no row of the registry, nothing on the device. The same command,
with the mistake mended, then works."""
import contextlib
import fcntl
import hashlib
import os
import re
import struct
import threading
import unittest

import harness
import pipeline
from harness import SERVER_NAME, free_port, program, wait_for
from test_provision import Gateway, Line

PASSPHRASE = "eight and more"
YEAR_S = 365 * 86400


class Clock:
    """The clock of the processes that get its environment; wrong by as much as one likes, from one moment to the next."""

    def __init__(self, path):
        self.path = path
        self.env = {"LD_PRELOAD": program("libclock_shift.so"), "HEADRACE_CLOCK_SHIFT": str(path)}
        self.set(0)

    def set(self, years):
        self.path.write_bytes(struct.pack("<q", int(years * YEAR_S * 1000)))

    @contextlib.contextmanager
    def wrong_by(self, years):
        self.set(years)
        yield
        self.set(0)


class Port:
    """A serial port with a gateway at its other end. The cable is pulled when the line `pulled_at` was said; with another
    answer for a line in `answers`, something else stands at the other end."""

    def __init__(self, gateway, path, pulled_at=None):
        self.gateway, self.pulled_at = gateway, pulled_at
        self._master, self.slave = os.openpty()
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(self.slave))
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.close(self.slave)
        self._thread.join()

    def _run(self):
        with contextlib.suppress(OSError), os.fdopen(self._master, "r+b", buffering=0) as master:
            said = b""
            while True:
                said += master.read(512)
                while b"\n" in said:
                    line, said = said.split(b"\n", 1)
                    answer = self.gateway.say(line.decode().strip())
                    if self.pulled_at and line.decode().startswith(self.pulled_at):
                        return
                    master.write(answer.encode() + b"\r\n")


class Site(harness.Site):
    """Its authority's keys are encrypted."""

    def headrace(self, *argv, expect=0):
        more = ("--encrypt",) if argv[:2] == ("ca", "init") else ()
        right = self.folder / "right"
        if not right.exists():
            right.write_text(PASSPHRASE + "\n")
            right.chmod(0o600)
        return harness.run(program("headrace"), *argv, *more, expect=expect,
                           env={**os.environ, "HEADRACE_CA_PASSPHRASE_FILE": str(right)})


def digest(folder):
    """Of each file under a folder, by name."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() + oct(path.stat().st_mode)
            for path in sorted(folder.rglob("*")) if path.is_file()}


class InputTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.clock = Clock(self.folder / "tool.clock")
        self.n_refused = 0
        self.addCleanup(lambda: print(f"{self.id().split('.')[-1]}: {self.n_refused} refusals"))

    def tool(self, *argv, env=None, expect=0):
        """The tool without a terminal; `env` comes on top, and a value of None takes a variable away."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HEADRACE_CA_")}
        every = {**clean, **self.clock.env, "HEADRACE_CA_PASSPHRASE_FILE": str(self.folder / "right"), **(env or {})}
        return harness.run(program("headrace"), *argv, expect=expect, start_new_session=True,
                           env={key: value for key, value in every.items() if value is not None})

    def state(self):
        return digest(self.folder / "ca")

    def refused(self, told, *argv, env=None, expect=1):
        """The command ends with that exit code and tells all of `told`, its own name in front; nothing is different."""
        before = self.state()
        done = self.tool(*argv, env=env, expect=expect)
        for text in [told] if isinstance(told, str) else told:
            self.assertIn(text, done.stderr, argv)
        self.assertRegex(done.stderr, r"(?m)^headrace", argv)
        self.assertEqual(self.state(), before, argv)
        self.n_refused += 1
        return done.stderr


class DeskTest(InputTest):
    """Where the authority is kept."""

    def setUp(self):
        super().setUp()
        (self.folder / "right").write_text(PASSPHRASE + "\n")
        (self.folder / "right").chmod(0o600)
        self.ca = self.folder / "ca"
        self.tool("ca", "init", "--dir", self.ca, "--encrypt")

    def test_a_passphrase_that_is_wrong_missing_or_shown_to_all(self):
        wrong, empty, line, folder = (self.folder / name for name in ("wrong", "empty", "line", "folder"))
        wrong.write_text("something else\n")
        empty.write_text("")
        line.write_text("\n")
        folder.mkdir()
        for path in (wrong, empty, line):
            path.chmod(0o600)
        file, text = "HEADRACE_CA_PASSPHRASE_FILE", "HEADRACE_CA_PASSPHRASE"
        key = f"{self.ca}/server-ca.key: "
        server = ("ca", "server", "--dir", self.ca, "--name", "agg.example")
        cases = [
            ({file: str(wrong)}, [key + "not with this passphrase, or the file is damaged: say it again with the right one",
                                  "nothing was signed"]),
            ({file: None, text: "something else"}, key + "not with this passphrase"),
            ({file: None, text: ""}, key + "the passphrase is empty: say it again with the right one"),
            ({file: str(line)}, key + "the passphrase is empty"),
            ({file: str(empty)}, "has no first line of up to 255 characters: put the passphrase there, or unset it to be asked"),
            ({file: str(folder)}, "has no first line"),
            ({file: str(self.folder / "none")}, "No such file or directory: name a file that you can read, or unset it"),
            ({file: None}, "no terminal to ask at; set $HEADRACE_CA_PASSPHRASE_FILE"),
        ]
        if os.geteuid() != 0:  # root reads everything
            wrong.chmod(0)
            cases.append(({file: str(wrong)}, "Permission denied: name a file that you can read"))
        for env, told in cases:
            said = self.refused(told, *server, env=env)
            self.assertEqual(len(said.splitlines()), 1, said)
        # Of each verb that signs.
        self.tool("ca", "bundle", "--dir", self.ca)
        env = {file: None, text: "something else"}
        for argv in (("ca", "operator", "--dir", self.ca, "--name", "maria", "--role", "admin"),
                     ("ca", "issuer", "--dir", self.ca, "--name", "server-ca-2"), ("ca", "bundle", "--dir", self.ca),
                     ("device", "enrol", "--ca", self.ca, "--registry", self.ca / "registry", "--out", self.ca / "gw", "--name", "gw")):
            self.refused("not with this passphrase", *argv, env=env)
        self.refused("a passphrase has 8 to 255 characters", "ca", "init", "--dir", self.ca / "new", "--encrypt", env={file: None, text: "short"})
        # A file that everybody can read is told, and taken.
        wrong.write_text(PASSPHRASE + "\n")
        wrong.chmod(0o644)
        self.assertIn(f"everybody on this machine can read {wrong}, a passphrase: `chmod 600 {wrong}`",
                      self.tool(*server, env={file: str(wrong)}).stderr)
        self.assertEqual(self.tool(*server, "--force").stderr, "")

    def test_a_clock_that_is_wrong_by_years(self):
        new, server = self.folder / "new", ("ca", "server", "--dir", self.ca, "--name", "agg.example")
        for years, day in ((-56, r"19\d\d"), (-5, r"20\d\d"), (30, r"20\d\d")):
            with self.clock.wrong_by(years):
                said = self.refused("set the clock", *server)
                self.assertRegex(said, rf"this machine's clock says {day}-\d\d-\d\d")
        self.assertIn(f"{self.ca}/server-ca.crt ended on 20", said)
        self.assertIn("make another issuer (`headrace ca issuer`). Nothing was signed", said)
        with self.clock.wrong_by(-56):
            self.refused(["which can't be: set it", "say it again; nothing was signed"], "ca", "init", "--dir", new, "--encrypt")
            self.assertFalse(new.exists())
            self.refused("begins on", "ca", "issuer", "--dir", self.ca, "--name", "server-ca-2")
        self.tool("ca", "init", "--dir", new, "--encrypt")
        self.tool(*server)

    def test_what_is_no_authority_and_what_is_not_whole(self):
        nowhere = self.folder / "nowhere"
        self.refused([f"is {nowhere} the authority's directory, as `headrace ca init` makes it?"], "ca", "server", "--dir", nowhere,
                     "--name", "agg.example")
        kept = (self.ca / "server-ca.key").read_bytes()
        (self.ca / "server-ca.key").write_bytes(kept[:100])
        server = ("ca", "server", "--dir", self.ca, "--name", "agg.example")
        self.refused("or fetch the file from its second place", *server)
        (self.ca / "server-ca.key").write_bytes(kept)
        self.tool(*server)
        self.refused("exists; --force replaces it", *server)

    def test_a_bundle_that_is_stale_or_skipped_or_somebody_elses(self):
        bundle, other = self.ca / "trust.bundle", self.folder / "other"
        make = ("ca", "bundle", "--dir", self.ca)
        lengths = []
        for _ in range(3):
            self.tool(*make)
            lengths.append(bundle.stat().st_size)
        whole = bundle.read_bytes()
        bundle.write_bytes(whole[:lengths[0]] + whole[lengths[1]:])
        self.refused(["is not trust bundle 2: a version is missing or the file is damaged", "fetch the authority's, which has all"], *make)
        self.refused("is not trust bundle 2", "ca", "bundle", "--sign", bundle, "--key", self.ca / "root.key")
        self.refused("is not trust bundle 2", "ca", "bundle", "--show", bundle)
        bundle.write_bytes(whole[:-1])
        self.refused("is not trust bundle 3", *make)
        # Another authority's.
        self.tool("ca", "init", "--dir", other, "--encrypt")
        self.tool("ca", "bundle", "--dir", other)
        bundle.write_bytes((other / "trust.bundle").read_bytes())
        self.refused(["none of these keys signs what follows version 1 in", "is that file of this authority?", "Nothing was written"], *make)
        bundle.write_bytes(whole)
        self.assertIn("version 4, 2 signatures added", self.tool(*make).stdout)
        self.refused(["there is no bundle in"], "ca", "bundle", "--show", self.folder / "none")


class FieldTest(InputTest):
    """With a device and an aggregator."""

    def setUp(self):
        super().setUp()
        self.site = Site(self.folder)
        self.far_clock = Clock(self.folder / "aggregator.clock")
        self.admin_port = free_port()
        server = self.site.ca / SERVER_NAME
        self.aggregator = self.own(harness.Aggregator(self.site, env=self.far_clock.env))
        self.admin = (f"admin:\n  address: 0.0.0.0\n  port: {self.admin_port}\n  certificate: {server}.crt\n  key: {server}.key\n"
                      f"  operator_ca: {self.site.ca / 'operator-ca.crt'}\n")
        self.gateway = None

    def meet(self, serial):
        self.gateway = self.own(Gateway(self.folder, serial))
        self.gateway.start()

    def state(self):
        rows = [self.aggregator.query(f"SELECT * FROM {table} ORDER BY 1, 2")
                for table in ("device", "device_key", "enrolment", "audit")] if self.aggregator.ledger.exists() else []
        return super().state(), rows, self.gateway and self.gateway.answers()

    def provision(self, where=None, ca=None, verb=("provision",)):
        where = where or ("--socket", self.gateway.socket)
        return ("device", *verb, *where, "--dir", ca or self.site.ca, "--aggregator", self.aggregator.coaps_tcp, "--server-name", SERVER_NAME,
                "--wait", "120", "--config", self.aggregator.config)

    def claim(self, serial, name):
        return ("device", "claim", "--serial", serial, "--name", name, "--config", self.aggregator.config)

    def finish(self, argv):
        """The same command works now."""
        self.assertIn("P9", self.tool(*argv).stdout)
        self.assertEqual(self.gateway.fields()["locked"], "1")

    def test_the_port_the_cable_and_the_device_on_it(self):
        self.aggregator.start()
        self.meet("GW-7001")
        port = self.folder / "port"
        argv = self.provision(("--console", port))
        # What is no serial device is not written to, and says so.
        text, folder = self.folder / "notes.txt", self.folder / "notes"
        text.write_text("kept\n")
        folder.mkdir()
        for where in (text, folder):
            self.refused("it is no serial device, and nothing was written to it: name the device's port, such as /dev/ttyUSB0",
                         *self.provision(("--console", where)))
        self.assertEqual(text.read_text(), "kept\n")
        away = "is the device on, the cable in, and is this its port? a gateway has the socket while its collector runs"
        self.refused([f"{port}: No such file or directory: {away}"], *argv)
        self.refused(f"Connection refused: {away}", *self.provision(("--console", f"tcp://127.0.0.1:{free_port()}")))
        self.refused("give either --console or --socket", *argv, "--socket", port, expect=3)
        with Port(self.gateway, port) as line:
            fcntl.flock(line.slave, fcntl.LOCK_EX)
            self.refused(f"{port}: Device or resource busy: another program has it: close the terminal there", *argv)
            fcntl.flock(line.slave, fcntl.LOCK_UN)
            # The wrong device, one that nobody claimed, a claim that is another's.
            self.refused(f"the device at {port} is GW-7001, not GW-9: move the cable to the right one, or name its port", *argv,
                         "--serial", "GW-9")
            self.refused(["nobody claimed that: say headrace device claim first", "say it again when that is mended"], *argv)
            self.tool(*self.claim("GW-7001", "harbour-gw7"))
            self.refused("this serial is claimed under another name or site", *self.claim("GW-7001", "another"))
            self.refused("there is no such device", *self.provision(("--console", port), verb=("replace", "77")), "--yes")
        # The cable, in P3, in the middle of P6, and at its end.
        for at in ("prov csr", "prov part 64", "prov install"):
            with Port(self.gateway, port, pulled_at=at):
                done = self.tool(*argv, expect=1)
            self.assertRegex(done.stderr, rf"(?m)^headrace device provision: {port}: .*: look at the cable and the device, and say it again: "
                                          "what is done stays done$")
            self.n_refused += 1
        key = self.gateway.fields()["key"]
        with Port(self.gateway, port):
            self.finish(argv)
        self.assertEqual(self.gateway.fields()["key"], key)

    @unittest.skipUnless(pipeline.LONG, "HEADRACE_LONG=1: it is patient for a minute")
    def test_nobody_at_the_other_end_of_the_cable(self):
        self.aggregator.start()
        self.meet("GW-7003")
        port = self.folder / "port"
        with Port(self.gateway, port) as line:
            line.gateway = type("Silence", (), {"say": lambda self, line: "boot: ready"})()
            said = self.refused(f"{port}: nobody answers: is this the device's port, and is the device on?",
                                *self.provision(("--console", port)))
            self.assertIn("no answer yet, asking again (2 of 5)", said)

    def test_an_authority_a_request_or_a_clock_that_is_not_right(self):
        self.aggregator.start()
        self.meet("GW-7002")
        self.tool(*self.claim("GW-7002", "harbour-gw8"))
        wrong = self.folder / "wrong"
        wrong.write_text("something else\n")
        wrong.chmod(0o600)
        self.refused(f"{self.site.ca}/device-ca.key: not with this passphrase", *self.provision(), env={"HEADRACE_CA_PASSPHRASE_FILE": str(wrong)})
        self.refused(f"is {self.folder} the authority's directory", *self.provision(ca=self.folder))
        # Clocks: the tool's, the aggregator's, and both.
        both = r"this machine's clock says (\d+)-\d\d-\d\d and the aggregator's (\d+)-\d\d-\d\d: set the one that is wrong"
        for here, there in ((5, 0), (-5, 0), (0, 8), (0, -8), (30, 0)):
            with self.clock.wrong_by(here), self.far_clock.wrong_by(there):
                said = self.refused("certificates would be for the wrong years. Nothing was changed", *self.provision())
            a, b = (int(year) for year in re.search(both, said).groups())
            self.assertAlmostEqual(a - b, here - there, delta=1)
        with self.clock.wrong_by(-6), self.far_clock.wrong_by(-6):
            self.refused("device-ca.crt begins on", *self.provision())
        self.check_requests()
        # The device's own clock does no harm: it goes by the aggregator's.
        self.gateway.kill()
        clock = Clock(self.folder / "device.clock")
        clock.set(-9)
        kept = dict(os.environ)
        os.environ.update(clock.env)
        try:
            self.gateway.start()
        finally:
            os.environ.clear()
            os.environ.update(kept)
        self.finish(self.provision())

    def check_requests(self):
        """Requests that are another device's, another key's, damaged."""
        self.gateway.say("prov begin")
        own = self.gateway.say("prov csr")
        made = self.folder / "other.der"
        for serial, told in (("GW-9", "the certification request is of GW-9, not of GW-7002: is the right device on this port? nothing was signed"),
                             ("GW-7002", "the hardware's proof does not hold: another device answered in between, or the line is not to be trusted")):
            harness.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null",
                        "-subj", f"/CN={serial}", "-outform", "DER", "-out", made)
            self.request_is(f"= csr csr={made.read_bytes().hex()}", told)
        self.request_is(own[:-1] + ("0" if own[-1] != "0" else "1"),
                        "is not signed by the key in it, so nothing was signed: say it again, and send the device back when it stays so")
        self.request_is(own[:40], "can't be read, so nothing was signed: look at the cable, and say it again")

    def request_is(self, answer, told):
        with Line(self.gateway, "prov csr") as line:
            line.answers_with, line.on_point, line.hangs_up = answer, lambda: None, False
            line.ready.set()
            self.refused(told, *self.provision(("--socket", line.path)))
            self.assertTrue(line.was_met)

    def over_tls(self, identity, *argv, host="127.0.0.1", ca=None):
        return (*argv, "--admin", f"https://{host}:{self.admin_port}", "--identity", identity, "--ca", ca or self.site.ca / "server-ca.crt")

    def test_an_aggregator_that_is_away_or_somebody_elses_or_says_no(self):
        listing = ("device", "list")
        nobody = free_port()
        self.refused([f"no aggregator answers at 127.0.0.1 port {nobody}: Connection refused: does it run there, and is this its address"],
                     *listing, "--admin", f"http://127.0.0.1:{nobody}")
        self.refused("is the name right (--admin, or the http section of --config)", *listing, "--admin", "http://none.invalid:80")
        self.refused("give --config YAML, or --admin http://HOST:PORT", *listing, "--config", self.folder / "none.yaml")
        self.refused("--admin is http://HOST:PORT or https://HOST:PORT", *listing, "--admin", "ftp://x")
        self.tool("ca", "operator", "--dir", self.site.ca, "--name", "maria", "--role", "admin")
        self.tool("ca", "operator", "--dir", self.site.ca, "--name", "anna", "--role", "viewer")
        maria, anna = self.site.ca / "operator-maria", self.site.ca / "operator-anna"
        self.refused("no aggregator answers at", *self.over_tls(maria, *listing))
        self.aggregator.extra = self.admin
        self.aggregator.start()
        self.refused("https wants --identity PATH and --ca FILE", *listing, "--admin", f"https://127.0.0.1:{self.admin_port}")
        self.refused("operator` made them", *self.over_tls(self.folder / "none", *listing))
        self.refused("--ca names the server-ca.crt", *self.over_tls(maria, *listing, ca=self.folder / "none"))
        self.refused("is that the port of the aggregator's `admin:` section?",
                     *listing, "--admin", f"https://127.0.0.1:{self.aggregator.http_port}", "--identity", maria, "--ca", self.site.ca / "server-ca.crt")
        self.refused(["is no aggregator, or ended in the middle", "the admin section's is https:"], *listing, "--admin",
                     f"http://127.0.0.1:{self.admin_port}")
        # Its certificate is of another authority, has another name, has ended by the tool's clock.
        other = self.folder / "other"
        self.tool("ca", "init", "--dir", other, "--encrypt")
        self.tool("ca", "operator", "--dir", other, "--name", "eve", "--role", "admin")
        self.refused(["the certificate of 127.0.0.1", "this may be somebody else's server, and nothing was told to it"],
                     *self.over_tls(maria, *listing, ca=other / "server-ca.crt"))
        self.refused(["the certificate of 127.0.0.2", "--admin must have a name or address that its certificate has"],
                     *self.over_tls(maria, *listing, host="127.0.0.2"))
        with self.clock.wrong_by(5):
            self.refused(["certificate has expired", "is this machine's clock right (`date`)?"], *self.over_tls(maria, *listing))
        # One's own is of another authority, has ended by the aggregator's clock, is a viewer's.
        self.refused("is your certificate of its authority, not called back, and of that role?",
                     *self.over_tls(other / "operator-eve", *listing))
        with self.far_clock.wrong_by(5):
            self.refused(["an operator's certificate opens this (403)", "and the aggregator's 20"], *self.over_tls(maria, *listing))
        claim = ("device", "claim", "--serial", "GW-1", "--name", "gw1")
        self.refused(["role operator or admin may do that (403)", "`headrace ca operator` makes another where the authority is kept"],
                     *self.over_tls(anna, *claim))
        self.refused("ask it over its admin section, --admin https://HOST:PORT", *claim, "--config", self.aggregator.config)
        self.assertIn("claimed", self.tool(*self.over_tls(maria, *claim)).stdout)
        self.check_expired(maria, claim)

    def check_expired(self, maria, claim):
        """An operator's certificate that ended a year ago; by the one that is made anew, the same command works."""
        issuer = harness.run("openssl", "x509", "-in", self.site.ca / "operator-ca.crt", "-noout", "-subject").stdout
        self.assertIn("operators", issuer)
        with contextlib.ExitStack() as stack:
            for clock in (self.clock, self.far_clock):
                stack.enter_context(clock.wrong_by(1.5))  # both say that a year and a half went by, and it is one's own that ended
            self.refused(["an operator's certificate opens this (403); ", f"{maria}.crt ended on 20", "have another one made where the authority is "
                          "kept, `headrace ca operator --force`"], *self.over_tls(maria, *claim))
            self.tool("ca", "operator", "--dir", self.site.ca, "--name", "maria", "--role", "admin", "--force")
            self.assertIn("claimed", self.tool(*self.over_tls(maria, *claim)).stdout)


class BundleTest(harness.SystemTest):
    """A file of trust bundles at the aggregator, and at a device, that is not the newest one of the authority."""

    def test_a_bundle_that_is_stale_or_skipped_or_somebody_elses(self):
        site = harness.Site(self.folder)
        file, other = site.ca / "trust.bundle", self.folder / "other"
        served = self.folder / "served.bundle"
        lengths = []
        for _ in range(3):
            site.headrace("ca", "bundle", "--dir", site.ca)
            lengths.append(file.stat().st_size)
        whole = file.read_bytes()
        first, second = whole[:lengths[0]], whole[:lengths[1]]
        file.write_bytes(first)  # what a device begins with
        device = site.enrol("gateway")
        site.headrace("ca", "init", "--dir", other)
        for _ in range(3):
            site.headrace("ca", "bundle", "--dir", other)
        served.write_bytes(second)
        aggregator = self.own(harness.Aggregator(site, extra=f"trust_bundle: {served}\n"))
        aggregator.start()
        tap = f"  - {{type: ais, source: tcp-server, host: 127.0.0.1, port: {free_port()}}}\n"
        more = f"stats_interval: 1s\nseal: {{max_age: 200ms}}\nshutdown_flush: 0s\ntrust: {device.folder / 'trust'}\n"
        collector = self.own(pipeline.Collector(device, [aggregator.coaps], tap, more))
        collector.start().process.wait_event("trust_adopted", version=2)
        cases = ((first, "it ends before the version that is served: copy the authority's newest file"),
                 (first + whole[lengths[1]:], "what stands there is no trust bundle, or not the next version"),
                 ((other / "trust.bundle").read_bytes(), "it is another authority's, or another history than the one that is served: copy the "
                                                         "authority's own file"),
                 (b"no bundle", "what stands there is no trust bundle, or not the next version"))
        for content, why in cases:
            n = len(aggregator.process.events("trust_bundle_refused"))
            served.write_bytes(content)
            told = wait_for(why, lambda n=n: aggregator.process.events("trust_bundle_refused")[n:])
            self.assertEqual((told[-1]["why"], told[-1]["served_version"]), (why, 2))
        # One that stands there at the start is handed out, and the device does not follow: an older one is not asked for.
        for content, event in ((first, None), ((other / "trust.bundle").read_bytes(), "trust_refused")):
            aggregator.stop()
            served.write_bytes(content)
            aggregator.start()
            at = (collector.status() or {"stats": {"uplink": {"accepted": 0}}})["stats"]["uplink"]["accepted"]
            collector.wait_status("it to deliver", lambda s, at=at: s["stats"]["uplink"]["accepted"] >= at + 2)
            if event:
                self.assertEqual(collector.process.wait_event(event, wanted_version=3)["why"], "not_by_old_signers")
        self.assertEqual([line["version"] for line in collector.process.events("trust_adopted")], [2])
        # The right one is followed; a device that was told something else asks again after five minutes, or a restart.
        aggregator.stop()
        served.write_bytes(whole)
        aggregator.start()
        collector.process.kill()
        collector.start().process.wait_event("trust_adopted", version=3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
