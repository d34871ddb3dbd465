# SPDX-License-Identifier: Apache-2.0
"""publish_probe, and what must have come out of it: it delivers a ledger whose content follows from leaf numbers, so a
test knows every record that there must be; Apache Kafka's own consumer with isolation.level=read_committed says what
there is."""
import base64
import collections
import json
import os
import pathlib
import subprocess
import time

from harness import BIN, ROOT

MAX_RECORDS = 7
DEADLINE_S = 300
BASE_MS = int(time.time() * 1000)  # when the ledgers of this run begin
TOPICS = "marine.ais.raw,ingestion.ais.raw.v1"


def expected(leaves):
    """(leaf, record) of every event that a ledger of this size must give."""
    return {(leaf, record) for leaf in range(leaves) for record in range(1 + leaf % MAX_RECORDS)}


def probe(kind, target, leaves, origin, failpoint=None, log=subprocess.DEVNULL, **settings):
    """A publisher that runs beside the test; its stderr goes to `log`. Settings: `cursor` names another cursor topic,
    `timeout_ms` is that of a request, `transaction_ms` that of a transaction."""
    environment = dict(os.environ)
    environment.pop("HEADRACE_FAILPOINT", None)
    environment["HEADRACE_PROBE_BASE_MS"] = str(BASE_MS)
    if failpoint:
        environment["HEADRACE_FAILPOINT"] = failpoint
    environment.update({f"HEADRACE_PROBE_{name.upper()}": str(value) for name, value in settings.items()})
    return subprocess.Popen([BIN / "publish_probe", kind, str(target), str(leaves), origin], env=environment,
                            stdout=subprocess.PIPE, stderr=log, text=True)


class Publisher:
    """A publisher whose log is kept."""

    def __init__(self, folder, name, target, leaves, origin, **settings):
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        self._log = open(self.log_path, "w")
        self.process = probe("kafka", target, leaves, origin, log=self._log, **settings)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def finish(self):
        """Waits for its end with everything delivered; what it said in numbers."""
        out, _ = self.process.communicate(timeout=DEADLINE_S)
        if self.process.returncode != 0:
            raise AssertionError(f"the publisher ended with {self.process.returncode}: {out}\n{self.log()[-3000:]}")
        return json.loads(out)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._log.close()


def assert_exactly_once(test, lines, origin, leaves, first_leaf=0):
    """Every event and every raw batch of this log, from `first_leaf` on, is in the topics once, in leaf order in each
    partition. `lines` are those of `tools/dev/kafka read`."""
    wanted = expected(leaves) - expected(first_leaf)
    counts = collections.Counter()
    raw = collections.Counter()
    last = {}
    for line in lines:
        record = json.loads(line)
        headers = {name: base64.b64decode(value).decode() for name, value in record["headers"].items()}
        if headers["log"] != origin:
            continue
        leaf, index = int(headers["leaf"]), int(headers.get("record_index", -1))
        place = (record["topic"], record["partition"])
        test.assertGreater((leaf, index), last.get(place, (-1, -1)), f"out of order in {place}")
        last[place] = (leaf, index)
        if index >= 0:
            counts[leaf, index] += 1
        else:
            raw[leaf] += 1
    twice = [at for at, n in counts.items() if n > 1]
    test.assertEqual(twice[:20], [], f"{len(twice)} events are there more than once")
    missing = sorted(wanted - set(counts))
    test.assertEqual(missing[:20], [], f"{len(missing)} events are missing")
    test.assertEqual(set(counts) - wanted, set())
    test.assertEqual(set(raw), set(range(first_leaf, leaves)))
    test.assertEqual(set(raw.values()), {1})
    print(f"{test.id().split('.')[-1]}: {len(counts)} events and {len(raw)} raw batches, each exactly once", flush=True)
