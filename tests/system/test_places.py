#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`headrace feeds places` on the ledger of a real aggregator: hubs, zones and nodes as documents tell them, with the times at
which that was so. The same log gives the same rows, read at once, in pieces, or by a process that is killed within it."""
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import unittest

import harness
import wire
from probe import Probe

PJM = "datetime_beginning_utc,pnode_id,pnode_name,type,zone,total_lmp_da\n"
MARCH_9, MARCH_10, MARCH_11 = ("2025-03-09T05:00:00.000Z", "2025-03-10T04:00:00.000Z", "2025-03-11T04:00:00.000Z")
ISONE = ('{"Locations":{"Location":{"LocationID":4001,"LocationType":"LOAD ZONE","LocationName":".Z.MAINE",'
         '"AreaType":"INTERNAL"}}}')
WINDOW_MS = 1741500000000  # 2025-03-09T06:00:00Z
CHUNK = 1024


def of(number, kind, value):
    """A field of a record; nothing for a zero."""
    if kind == 2:
        return wire._field(number, 2, wire.varint(len(value)) + value) if value else b""
    return wire._field(number, 0, wire.varint(value)) if value else b""


def document_records(number, feed, body, window_ms=0):
    """Document and Chunks (proto/SPEC.md section 3) of a body as it was received."""
    chunks = [body[at:at + CHUNK] for at in range(0, len(body), CHUNK)]
    zigzag = window_ms * 2
    head = b"".join([of(1, 0, number), of(2, 2, feed.encode()), of(3, 2, b"http://127.0.0.1/x"), of(4, 0, 200),
                     of(7, 2, hashlib.sha256(body).digest()), of(8, 0, len(body)), of(9, 0, len(chunks)),
                     of(12, 0, zigzag), of(13, 0, zigzag)])
    return [of(6, 2, head)] + [of(7, 2, of(1, 0, number) + of(2, 0, i) + of(3, 2, data)) for i, data in enumerate(chunks)]


def pjm(*rows):
    return (PJM + "".join(f"{day} 6:00:00 AM,{number},{name},{kind},{zone},20\n" for day, number, name, kind, zone in rows)).encode()


class Places(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.key = wire.Key(self.device.record_key)
        self.stream = wire.Stream(self.device.device_id)
        self.aggregator = self.own(harness.Aggregator(self.site)).start()
        self.probe = self.own(Probe(self.aggregator.coaps, self.device))
        self.n_documents = 0
        self.n_leaves = 0

    # ---- what is there ----

    def post(self, feed, body, window_ms=0, per_batch=8):
        """A document, its records spread over batches."""
        self.n_documents += 1
        records = document_records(self.n_documents, feed, body, window_ms)
        for at in range(0, len(records), per_batch):
            batch = self.stream.next(records[at:at + per_batch])
            self.assertEqual(self.probe.post(batch.envelope(self.key)).ack.status, wire.OK)
            self.n_leaves += 1

    def copy_of_ledger(self, name, *statements):
        path = self.folder / name
        with contextlib.closing(sqlite3.connect(f"file:{self.aggregator.ledger}?mode=ro", uri=True, timeout=60)) as source, \
                contextlib.closing(sqlite3.connect(path)) as target:
            source.backup(target)
            for sql in statements:
                target.execute(sql)
            target.commit()
        return path

    def into(self, table, *words, ledger=None, expect=0):
        done = self.site.headrace("feeds", "places", "--into", self.folder / table, *words, ledger or self.aggregator.ledger,
                                  expect=expect)
        return done.stdout + done.stderr

    def printed(self, table, *words, expect=0):
        return json.loads(self.site.headrace("feeds", "places", "--from", self.folder / table, "--json", *words,
                                             expect=expect).stdout)

    def rows(self, table):
        """Everything that the file says."""
        with contextlib.closing(sqlite3.connect(self.folder / table, timeout=60)) as db:
            return db.execute("SELECT * FROM place ORDER BY iso, kind, id, version").fetchall(), \
                db.execute("SELECT * FROM cursor").fetchall()

    def told(self, table, number, *words):
        return [(r["name"], r["zone"], r["valid_from"], r["valid_to"])
                for r in self.printed(table, "--iso", "pjm", "--id", number, *words)]

    # ---- the checks ----

    def check_first_run(self):
        self.post("pjm_da_lmp", pjm(("3/9/2025", 1, "PJM-RTO", "ZONE", ""), ("3/9/2025", 77, "NODE 77", "LOAD", "PECO")))
        said = self.into("table.db")
        self.assertIn("1 documents told of 2 places: 2 new, 0 changed", said)
        self.assertEqual(self.told("table.db", 77), [("NODE 77", "PECO", MARCH_9, None)])
        row, = self.printed("table.db", "--kind", "zone")
        self.assertEqual((row["id"], row["iso"], row["feed"], row["leaf"]), ("1", "pjm", "pjm_da_lmp", 0))
        self.assertEqual(row["document"], hashlib.sha256(pjm(("3/9/2025", 1, "PJM-RTO", "ZONE", ""),
                                                             ("3/9/2025", 77, "NODE 77", "LOAD", "PECO"))).hexdigest())
        before = (self.folder / "table.db").read_bytes()
        self.assertIn("0 leaves read, up to 1", self.into("table.db"))
        self.assertEqual((self.folder / "table.db").read_bytes(), before, "nothing new writes nothing")

    def check_changes(self):
        early = self.copy_of_ledger("early.db")
        self.post("pjm_da_lmp", pjm(("3/10/2025", 1, "PJM-RTO", "ZONE", ""), ("3/10/2025", 77, "NODE 77", "LOAD", "PECO")))
        self.assertIn("0 new, 0 changed, 2 unchanged, 0 of", self.into("table.db"))
        self.assertEqual(self.told("table.db", 77), [("NODE 77", "PECO", MARCH_9, None)])
        self.post("pjm_da_lmp", pjm(("3/11/2025", 77, "NODE 77", "LOAD", "BGE")))
        self.post("pjm_da_lmp", pjm(("3/10/2025", 77, "OLD NAME", "LOAD", "PECO"), ("3/10/2025", 5, "NODE 5", "LOAD", "DOM")))
        self.post("pjm_da_lmp", pjm(("3/11/2025", 77, "NODE 77", "LOAD", "")))  # what it leaves empty it does not deny
        self.assertIn("1 new, 1 changed, 1 unchanged, 1 of an earlier time", self.into("table.db"))
        self.assertEqual(self.told("table.db", 77), [("NODE 77", "PECO", MARCH_9, MARCH_11), ("NODE 77", "BGE", MARCH_11, None)])
        self.assertEqual(self.told("table.db", 5), [("NODE 5", "DOM", MARCH_10, None)], "a backfill makes a place known")
        self.post("pjm_da_lmp", pjm(("3/11/2025", 77, "NODE 77", "LOAD", "AEP")))  # a corrected publication of the day
        self.into("table.db")
        self.assertEqual(self.told("table.db", 77), [("NODE 77", "PECO", MARCH_9, MARCH_11), ("NODE 77", "BGE", MARCH_11, MARCH_11),
                                                     ("NODE 77", "AEP", MARCH_11, None)])
        for at, zone in (("2025-03-09T04:59:59Z", []), ("2025-03-09T05:00:00Z", ["PECO"]), ("2025-03-11T03:59:59Z", ["PECO"]),
                         ("2025-03-11T04:00:00Z", ["AEP"]), ("now", ["AEP"])):
            self.assertEqual([z for _, z, _, _ in self.told("table.db", 77, "--at", at)], zone, at)
        self.site.headrace("feeds", "places", "--from", self.folder / "table.db", "--at", "2025", expect=3)
        self.assertIn("this ledger ends at 1", self.into("table.db", ledger=early, expect=1))

    def check_lists(self):
        """A list of locations has no dates: it is valid from the window that was asked for."""
        self.post("isone_da_lmp", ISONE.encode(), WINDOW_MS)
        self.into("table.db")
        row, = self.printed("table.db", "--iso", "isone")
        self.assertEqual((row["kind"], row["id"], row["name"], row["valid_from"]),
                         ("zone", "4001", ".Z.MAINE", "2025-03-09T06:00:00.000Z"))

    def check_pieces(self):
        many = [("3/12/2025", 1000 + i, f"NODE {i}", "LOAD", "PECO") for i in range(300)]
        self.post("pjm_da_lmp", pjm(*many), per_batch=3)  # over several batches, and with them over several runs
        self.post("pjm_da_lmp", pjm(*(row[:2] + (row[2] + " B",) + row[3:] for row in many)))
        self.assertIn("304 new, 302 changed", self.into("whole.db"))
        while f"up to {self.n_leaves};" not in self.into("pieces.db", "--limit", "1"):
            pass
        self.assertIn("0 leaves read", self.into("pieces.db"))
        self.site.headrace("feeds", "places", "--into", self.folder / "table.db", "--config", self.aggregator.config)
        whole = self.rows("whole.db")
        self.assertEqual(self.rows("pieces.db"), whole)
        self.assertEqual(self.rows("table.db"), whole)
        return whole

    def check_kill(self, whole):
        """The writer waits for a reader at its commit, everything written, and is killed there."""
        table = self.folder / "killed.db"
        self.into("killed.db", "--limit", "2")
        before = self.rows("killed.db")
        with contextlib.closing(sqlite3.connect(table, timeout=60, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM place").fetchall()
            writer = subprocess.Popen([harness.program("headrace"), "feeds", "places", "--into", table, self.aggregator.ledger],
                                      stdout=subprocess.DEVNULL)
            try:
                journal = table.with_name(table.name + "-journal")
                harness.wait_for("the transaction", lambda: journal.exists() or writer.poll() is not None)
                self.assertIsNone(writer.poll(), "it ends only behind the reader")
            finally:
                writer.kill()
                writer.wait()
            reader.execute("COMMIT")
        self.assertEqual(self.rows("killed.db"), before)
        self.into("killed.db")
        self.assertEqual(self.rows("killed.db"), whole)

    def check_kill_at_commit(self, whole):
        program = harness.program("headrace")
        if b"HEADRACE_FAILPOINT" not in pathlib.Path(program).read_bytes():
            print("built without HEADRACE_FAULTS: not killed at its commit", flush=True)
            return
        for place, is_in in (("places_before_commit", False), ("places_after_commit", True)):
            table = f"{place}.db"
            self.into(table, "--limit", "2")
            before = self.rows(table)
            done = subprocess.run([program, "feeds", "places", "--into", self.folder / table, self.aggregator.ledger],
                                  env={**os.environ, "HEADRACE_FAILPOINT": f"{place}:1"}, stdout=subprocess.DEVNULL,
                                  timeout=harness.DEADLINE_S, check=False)
            self.assertEqual(done.returncode, -signal.SIGKILL)
            self.assertEqual(self.rows(table), whole if is_in else before, place)
            self.into(table)
            self.assertEqual(self.rows(table), whole, place)

    def check_refusals(self):
        other = self.copy_of_ledger("other.db", f"UPDATE log_head SET origin = '{'ab' * 16}'")
        self.assertIn("a table is of one log", self.into("table.db", ledger=other, expect=1))
        self.assertIn("is no table of places", self.into("early.db", expect=1))
        self.assertIn("there is no", self.site.headrace("feeds", "places", "--from", self.folder / "none.db", expect=1).stderr)
        self.assertIn("give --into", self.site.headrace("feeds", "places", expect=3).stderr)

    def check_retention(self, whole):
        """A ledger that begins at leaf 2, as one that retention shortened."""
        export, pruned = self.folder / "tail.export", self.folder / "pruned.db"
        self.site.headrace("ledger", "export", self.aggregator.ledger, "--out", export, "--from-leaf", 2)
        self.site.headrace("ledger", "rebuild", "--from", export, pruned)
        self.assertIn("retention took leaves 0 to 1", self.into("late.db", ledger=pruned, expect=2))
        self.into("behind.db", "--limit", "1")
        before = self.rows("behind.db")
        self.assertIn("retention took leaves 1 to 1", self.into("behind.db", ledger=pruned, expect=2))
        self.assertEqual(self.rows("behind.db"), before)
        self.assertIn("1 leaves were gone", self.into("behind.db", "--skip", ledger=pruned))
        self.assertEqual(self.rows("behind.db"), whole, "leaf 1 said nothing new")
        self.into("within.db", "--limit", "2")
        self.into("within.db", ledger=pruned)
        self.assertEqual(self.rows("within.db"), whole)

    def test_places_are_a_function_of_the_log(self):
        self.check_first_run()
        self.check_changes()
        self.check_lists()
        whole = self.check_pieces()
        self.check_kill(whole)
        self.check_kill_at_commit(whole)
        self.check_refusals()
        self.check_retention(whole)


if __name__ == "__main__":
    unittest.main(verbosity=2)
