# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL server for a test, by tools/dev/postgres."""
import os
import pathlib
import subprocess

from harness import ROOT, run

TOOL = ROOT / "tools/dev/postgres"


class Postgres:
    """A server of the test's own, on a unix socket. It ends with the test, however that ends: its keeper waits for the end
    of our pipe."""

    def __init__(self, folder, name="postgres", primary=None):
        """`primary`: a server that this one follows as its standby."""
        self.data = pathlib.Path(folder) / name
        of = ["--of", primary.data] if primary else []
        self._keeper = subprocess.Popen([TOOL, "run", "--data", self.data, *of], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.socket = self._keeper.stdout.readline().strip()
        if not self.socket.startswith("/"):
            raise AssertionError("no PostgreSQL server came up")
        self.password_file = self.data / "password"

    def _run(self, *words):
        subprocess.run([TOOL, *words, "--data", self.data], stdout=subprocess.DEVNULL, check=True)

    def kill(self):
        """SIGKILL to every process of it, as by a power cut."""
        self._run("stop", "--kill")

    def stop(self):
        self._run("stop")

    def start(self):
        self._run("start")

    def promote(self):
        """A standby becomes a server that takes writes."""
        self._run("promote")

    def psql(self, sql, expect=0):
        """What psql prints for it, asked as the superuser: rows as lines, columns with |."""
        environment = {**os.environ, "PGPASSWORD": (self.data / "superuser").read_text()}
        return run("psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-U", "postgres", "-d", "headrace",
                   "-c", sql, expect=expect, env=environment).stdout

    def query(self, sql, schema="headrace"):
        """Rows as lists of texts."""
        return [line.split("|") for line in self.psql(f'SET search_path TO "{schema}"; {sql}').splitlines()]

    def ledger(self, schema="headrace", **more):
        """The ledger section of an aggregator's configuration."""
        settings = {"host": self.socket, "password_file": self.password_file, "schema": schema, **more}
        return "ledger:\n  postgres:\n" + "".join(f"    {key}: {value}\n" for key, value in settings.items())

    def close(self):
        self._keeper.stdin.close()
        self._keeper.wait(120)
        self._keeper.stdout.close()
