# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: real programs, real certificates, real sockets. Nothing here is a stand-in.

HEADRACE_BIN names the folder of the programs under test (ctest sets it). Everything a test makes lies in one temporary
folder; HEADRACE_KEEP=1 keeps it."""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HEADRACE_BIN", ROOT / "build/host/bin"))
DEADLINE_S = float(os.environ.get("HEADRACE_DEADLINE_S", "180"))  # generous: it says that something hangs, not how fast
SERVER_NAME = "aggregator"


def program(name):
    path = BIN / name
    if not path.exists():
        raise AssertionError(f"{path} is not built")
    return str(path)


def wait_for(what, check, deadline_s=None, seen=None):
    """The first truthy answer of check(); fails with `what`, and what seen() has to say, when there is none in time."""
    end = time.monotonic() + (deadline_s or DEADLINE_S)
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}" + (f"; there was {seen()}" if seen else ""))
        time.sleep(0.02)


GIVEN_PORTS = set()


def free_port():
    """A port that is free for UDP and TCP on loopback now, and not of those that connections take by themselves. It may be
    lost to somebody else until it is bound; Aggregator.start then takes another."""
    for _ in range(500):
        port = random.randrange(10000, 32000)
        if port in GIVEN_PORTS:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp, contextlib.suppress(OSError):
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
            GIVEN_PORTS.add(port)
            return port
    raise AssertionError("no free port")


def run(*argv, expect=0, **kwargs):
    """Runs a program to its end and returns it; fails with its output when it ends otherwise than expected."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=DEADLINE_S, **kwargs)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def install_python(folder, package, requirements):
    """A folder on the path that holds a package which pip installs by that file beside the tests, unless it is there; None, or a
    reason why it can't be had."""
    if not (folder / package).is_dir():
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                               "--target", str(folder), "-r", str(pathlib.Path(__file__).with_name(requirements))],
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            return f"{package} can't be installed: {done.stderr.strip()[-300:]}"
    sys.path.insert(0, str(folder))
    return None


def issue_expired(issuer, key, subject, extensions, out):
    """A certificate of 2020 for that key by the issuer (path without .crt and .key)."""
    with tempfile.TemporaryDirectory() as name:
        state = pathlib.Path(name)
        (state / "new").mkdir()
        (state / "index").write_text("")
        (state / "serial").write_text("01\n")
        (state / "conf").write_text(
            "[ca]\ndefault_ca=x\n[x]\n"
            f"database={state}/index\nserial={state}/serial\nnew_certs_dir={state}/new\n"
            "default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\norganizationalUnitName=optional\n"
            f"[e]\n{extensions}\n")
        run("openssl", "req", "-new", "-key", key, "-subj", subject, "-out", state / "request")
        run("openssl", "ca", "-batch", "-config", state / "conf", "-cert", issuer.with_suffix(".crt"), "-keyfile",
            issuer.with_suffix(".key"), "-in", state / "request", "-out", out, "-notext",
            "-startdate", "20200101000000Z", "-enddate", "20210101000000Z")


class Process:
    """A program that runs beside the test. Its stderr is kept whole, and read line by line while it comes."""

    def __init__(self, argv, log_path, env=None):
        self.log_path = pathlib.Path(log_path)
        self.lines = []
        self._log = open(self.log_path, "ab")
        self._process = subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})}, start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stderr:
            self._log.write(line)
            self._log.flush()
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    @property
    def pid(self):
        return self._process.pid

    def alive(self):
        return self._process.poll() is None

    def returncode(self):
        return self._process.poll()

    def signal(self, number):
        if self.alive():
            self._process.send_signal(number)

    def wait(self, deadline_s=None):
        code = self._process.wait(deadline_s or DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return code

    def stop(self):
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        """SIGKILL, as a power cut of the process."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def close(self):
        if self.alive():
            self.kill()
        self._reader.join(DEADLINE_S)
        self._process.stderr.close()
        self._log.close()  # closing twice is fine

    def events(self, name=None):
        """The JSON lines of the log so far, those of one event if named. A line that is no JSON is a failure."""
        out = []
        for line in list(self.lines):
            if line.startswith("{"):
                entry = json.loads(line)
                if name is None or entry.get("event") == name:
                    out.append(entry)
        return out

    def wait_event(self, name, **fields):
        def look():
            for entry in self.events(name):
                if all(entry.get(key) == value for key, value in fields.items()):
                    return entry
            if not self.alive():
                raise AssertionError(f"ended with {self.returncode()} before {name}:\n" + "\n".join(self.lines[-30:]))
            return None

        return wait_for(f"the event {name} {fields} in {self.log_path}", look, seen=lambda: self.lines[-10:])


SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$")


def parse_metrics(text):
    """{name or name{label="x"}: number} of a Prometheus text."""
    out = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = SAMPLE.match(line)
            if match is None:
                raise AssertionError(f"not a sample: {line!r}")
            name, labels, value = match.groups()
            out[f"{name}{{{labels}}}" if labels else name] = float(value)
    return out


class Site:
    """A folder with an authority, a registry, and enrolled devices."""

    def __init__(self, folder, init=()):
        """`init` are further words of `ca init`."""
        self.folder = pathlib.Path(folder)
        self.ca = self.folder / "ca"
        self.registry = self.folder / "registry"
        self.registry.mkdir(parents=True, exist_ok=True)
        self.headrace("ca", "init", "--dir", self.ca, *init)
        self.headrace("ca", "server", "--dir", self.ca, "--name", SERVER_NAME, "--san", "localhost", "--san", "127.0.0.1")

    def headrace(self, *argv, expect=0):
        return run(program("headrace"), *argv, expect=expect)

    def enrol(self, name, device_id="auto", registry=None, ca=None, aggregator=None):
        """Makes a device; returns its folder and its id."""
        out = self.folder / "devices" / name
        out.parent.mkdir(exist_ok=True)
        more = ["--aggregator", aggregator] if aggregator else []
        done = self.headrace("device", "enrol", "--ca", ca or self.ca, "--registry", registry or self.registry, "--out",
                             out, "--name", name, "--device-id", device_id, "--server-name", SERVER_NAME, *more)
        return Device(out, int(re.search(r"device (\d+) ", done.stdout).group(1)))

    def decide(self, verb, device_id, reason="test"):
        self.headrace("device", verb, device_id, "--registry", self.registry, "--reason", reason)


class Device:
    def __init__(self, folder, device_id):
        self.folder = folder
        self.device_id = device_id
        self.certificate = folder / "device.crt"
        self.key = folder / "device.key"
        self.record_key = folder / "record.key"
        self.public_key = folder / "record.pub.pem"
        self.trusted = folder / "server-ca.crt"


class Aggregator:
    """A headrace-aggregator with its folder; may be killed and started again on the same ports and ledger."""

    def __init__(self, site, name="aggregator", sinks=None, limits=None, env=None, extra="", ledger=None):
        """`ledger` is the section of another ledger than a SQLite file in its folder."""
        self.site = site
        self.folder = site.folder / name
        self.folder.mkdir(exist_ok=True)
        self.ledger = self.folder / "ledger.db"
        self.files = self.folder / "avro"
        self.config = self.folder / "aggregator.yaml"
        self.sinks = sinks or f"  files:\n    dir: {self.files}\n"
        self.limits = limits or {}
        self.env = env or {}
        self.extra = extra
        self.ledger_section = ledger
        self.port = free_port()
        self.http_port = free_port()
        self.process = None
        self.starts = 0

    @property
    def coaps(self):
        return f"coaps://127.0.0.1:{self.port}"

    @property
    def coaps_tcp(self):
        return f"coaps+tcp://127.0.0.1:{self.port}"

    def write_config(self):
        ledger = self.ledger_section or f"ledger:\n  sqlite: {self.ledger}\n"
        limits = "".join(f"  {key}: {value}\n" for key, value in self.limits.items())
        self.config.write_text(
            f'listen: ["{self.coaps}", "{self.coaps_tcp}"]\n'
            "identity:\n"
            f"  certificate: {self.site.ca / SERVER_NAME}.crt\n"
            f"  key: {self.site.ca / SERVER_NAME}.key\n"
            f"  client_ca: {self.site.ca / 'device-ca.crt'}\n"
            f"registry: {self.site.registry}\n"
            f"{ledger}"
            f"sinks:\n{self.sinks}"
            f"http:\n  port: {self.http_port}\n" + (f"limits:\n{limits}" if limits else "") + self.extra)

    def start(self, ready=True, env=None):
        """Starts it and, unless told otherwise, waits until it says that it is ready. A port that was lost to somebody
        else before the first start is replaced."""
        for _ in range(5):
            self._start_once(env)
            if not ready or wait_for("the aggregator to be ready or to end",
                                     lambda: self.http("/readyz")[0] == 200 or not self.process.alive()) \
                    and self.process.alive():
                return self
            if self.starts > 1 or not any("can't listen" in line for line in self.process.lines):
                break
            self.port, self.http_port = free_port(), free_port()
            self.starts = 0
        raise AssertionError(f"the aggregator ended with {self.process.returncode()}:\n"
                             + "\n".join(self.process.lines[-30:]))

    def _start_once(self, env):
        self.close()
        self.write_config()
        self.starts += 1
        self.process = Process([program("headrace-aggregator"), "--config", self.config],
                               self.folder / f"log.{self.starts}.jsonl", {**self.env, **(env or {})})

    def http(self, path):
        """(status, text); (0, cause) when nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self):
        status, text = self.http("/metrics")
        if status != 200:
            raise AssertionError(f"/metrics answered {status}: {text}")
        return parse_metrics(text)

    def metric(self, name):
        return self.metrics().get(name, 0.0)

    def wait_metric(self, name, at_least):
        wait_for(f"{name} to reach {at_least}", lambda: self.metric(name) >= at_least, seen=lambda: self.metric(name))

    def stop(self):
        return self.process.stop()

    def kill(self):
        return self.process.kill()

    def close(self):
        """Ends it, in peace if it still runs: what a sanitizer has to say at the end is a failure too."""
        if self.process is None:
            return
        if self.process.alive():
            self.process.stop()
        code, lines = self.process.returncode(), self.process.lines
        self.process.close()
        self.process = None
        if code not in (0, 1, 4, 5, -signal.SIGKILL) or any("Sanitizer" in line for line in lines):
            raise AssertionError(f"the aggregator ended with {code}:\n" + "\n".join(lines[-60:]))

    def query(self, sql, *arguments):
        """Rows of the ledger, read beside the running program."""
        with contextlib.closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=60)) as ledger:
            return ledger.execute(sql, arguments).fetchall()


class SystemTest(unittest.TestCase):
    """A test with a folder of its own; what is handed to `own` is closed at its end."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="headrace-test-"))
        if os.environ.get("HEADRACE_KEEP"):
            print(f"{self.id()}: {self.folder}")
        else:
            self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def own(self, thing):
        self.addCleanup(thing.close)
        return thing
