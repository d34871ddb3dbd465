#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The memory of a polling collector, while four operators send it bodies of 4 to 8 MB at the same time."""
import collections
import hashlib
import os
import pathlib
import random
import threading
import unittest

import iso_sim
from harness import DEADLINE_S
from http_site import CAISO, MISO, PJM, SPP, HttpSite, documents

LIMIT_KB = 16 * 1024
MIB = 1024 * 1024
WAIT_S = 300
SYSTEM_AUTHORITIES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def memory_kb(pid, *names):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return [values[name] for name in names]


class HttpMemory(HttpSite):
    def test_four_bodies_of_4_to_8_mb_at_once_leave_the_collector_below_16_mb(self):
        """VmHWM, the most that was ever resident: shared libraries, libcurl's among them, are in it."""
        chance = random.Random(20261122)
        archives = [b"PK\x03\x04" + chance.randbytes(n * MIB) for n in (8, 4)]
        # Digits: 8 and 4 MiB of text that pack to some 4.5 and 2.3.
        tables = [b'{"rows":"' + chance.randbytes(n * MIB).hex().encode() + b'"}' for n in (4, 2)]
        together = threading.Barrier(4)

        def all_at_once(data, kind):
            whole = iso_sim.body(data, kind)

            def answer(handler):
                together.wait(DEADLINE_S)
                return whole(handler)
            return answer

        bodies = dict(zip((CAISO, PJM, SPP, MISO), archives + tables))
        for host, data in bodies.items():
            name = {CAISO: "caiso", PJM: "pjm", SPP: "spp", MISO: "miso"}[host] + "_large"
            kind = "application/zip" if data in archives else "application/json"
            self.sim.route(host, "/", all_at_once(data, kind), iso_sim.body(b"", status=404))
            self.write_feed(name, f"{host}/large", expect="zip" if data in archives else "json", every_ms=1000,
                            schedule="{every: 1h}", max_bytes="16MiB", attempts=0)
        # What a deployment trusts is larger than a test's one authority.
        if SYSTEM_AUTHORITIES.exists():
            self.authorities = self.folder / "authorities.pem"
            self.authorities.write_bytes(SYSTEM_AUTHORITIES.read_bytes() + self.device.trusted.read_bytes())
        self.spool_size = "96MiB"
        process = self.start().process
        first_kb, = memory_kb(process.pid, "VmHWM")
        # The ledger is decoded once, at the end: that is slow here.
        self.collector.wait_status("four bodies to be taken and acknowledged", lambda s: (
            s["stats"].get("http", {}).get("documents", 0) == 4 and s["drained"] and
            s["stats"]["collector"]["records"] >= s["stats"]["http"]["records"]), WAIT_S)
        found = documents(self.aggregator)
        good = [document for document in found if document.status == 200]
        self.assertEqual(collections.Counter(d.sha256 for d in good),
                         collections.Counter(hashlib.sha256(data).digest() for data in bodies.values()))
        for document in good:
            self.assertEqual(hashlib.sha256(document.body()).digest(), document.sha256, document)
        self.assertEqual(collections.Counter(d.encoding for d in good), {0: 2, 1: 2})
        most_kb, now_kb, anonymous_kb = memory_kb(process.pid, "VmHWM", "VmRSS", "RssAnon")
        print(f"collector: VmHWM {most_kb} kB, VmRSS {now_kb} kB, of it {anonymous_kb} kB its own; {first_kb} kB at its start",
              flush=True)
        if os.environ.get("HEADRACE_SANITIZED"):
            print("a sanitizer's memory is in it: not compared", flush=True)
        else:
            self.assertLess(most_kb, LIMIT_KB)
        # Nothing is left where the bodies waited.
        self.assertEqual([path.name for path in self.collector.folder.iterdir() if path.name.startswith(".document")], [])
        self.assertEqual(self.collector.process.stop(), 0)


if __name__ == "__main__":
    unittest.main()
