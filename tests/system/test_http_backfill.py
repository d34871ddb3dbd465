#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""headrace-collector backfill: windows of the past beside live polls of the same host, the collector killed in between. That
no live poll goes a millisecond later for it is tests/sim/test_poll_plan.c's."""
import collections
import datetime
import subprocess
import unittest

import iso_sim
from harness import DEADLINE_S, program, run, wait_for
from http_site import PJM, HttpSite

N_WINDOWS = 30
STEP = datetime.timedelta(minutes=5)


def ms(moment):
    return int(moment.timestamp() * 1000)


class HttpBackfill(HttpSite):
    def setUp(self):
        super().setUp()
        self.sim.route(PJM, "/", lambda handler: iso_sim.body(b'{"asked":"' + handler.path.encode() + b'"}', "application/json")(handler))
        self.write_feed("pjm_past", f"{PJM}/past?w={{start:epoch}}", expect="json", window="{kind: interval, length: 5m}",
                        schedule="{lag: 1m, catch_up: 0}")
        self.write_feed("pjm_live", f"{PJM}/live?at={{now:epoch}}", expect="json", schedule="{every: 3s}")
        self.start_of = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(days=2)
        self.end_of = self.start_of + N_WINDOWS * STEP

    def words(self, start, end):
        text = "%Y-%m-%dT%H:%MZ"
        return [program("headrace-collector"), "backfill", "--config", self.collector.config, "--feed", "pjm_past",
                "--from", start.strftime(text), "--to", end.strftime(text)]

    def next_ms(self):
        """How far the collector says, durably, that it has come."""
        try:
            return int((self.collector.folder / "spool.backfill/pjm_past").read_text().split()[3])
        except OSError:
            return 0

    def asked(self):
        """{start of a window of the past: requests}"""
        starts = [int(r.path.split("=")[1]) for r in self.sim.seen(PJM) if r.path.startswith("/past")]
        return collections.Counter(start for start in starts if ms(self.start_of) <= start < ms(self.end_of))

    def of_past(self, found):
        return [d for d in self.of(found, "pjm_past") if d.status == 200 and ms(self.start_of) <= d.window_ms[0] < ms(self.end_of)]

    def test_each_window_is_fetched_once_though_the_collector_is_killed(self):
        process = self.start().process
        command = subprocess.Popen(self.words(self.start_of, self.end_of), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_for("a third of the windows to be done", lambda: self.next_ms() >= ms(self.start_of + N_WINDOWS // 3 * STEP),
                     seen=lambda: (self.next_ms(), process.lines[-5:]))
            process.kill()
            other = run(*self.words(self.start_of - STEP, self.end_of), expect=1)
            self.assertIn("is under way", other.stderr)
            done_ms = self.next_ms()
            self.assertLess(done_ms, ms(self.end_of), "it was killed in the middle")
            self.assertIsNone(command.poll())
            asked_before = self.asked()
            process = self.collector.start().process
            output, errors = command.communicate(timeout=DEADLINE_S)
        finally:
            command.kill()
            command.wait()
        self.assertEqual(command.returncode, 0, errors)
        self.assertEqual(output.splitlines()[-1], f"pjm_past: {N_WINDOWS} of {N_WINDOWS} windows")
        self.assertGreater(len(output.splitlines()), 3, "progress was shown")

        wanted = {ms(self.start_of + n * STEP) for n in range(N_WINDOWS)}
        found = self.wait_documents("every window", lambda found: {d.window_ms[0] for d in self.of_past(found)} == wanted)
        asked = self.asked()
        self.assertEqual(set(asked), wanted)
        for start in wanted:
            # What was told to be done is never asked for again; what was under way at the kill, once more.
            again = start >= done_ms and start in asked_before
            self.assertLessEqual(asked[start], 2 if again else 1, start)
        counts = collections.Counter(d.window_ms[0] for d in self.of_past(found))
        for start in wanted:
            self.assertEqual(counts[start], 1 if start < done_ms else counts[start], start)
        for document in self.of_past(found):
            if document.n_chunks:
                self.assertIn(f"w={document.window_ms[0]}\"".encode(), document.body())
        live = [d for d in self.of(found, "pjm_live") if d.status == 200]
        self.assertGreaterEqual(len(live), 3, "live polls went on")
        self.assertEqual(self.sim.too_soon, [])

        # Asked for again, nothing is left to do.
        n_before = sum(self.asked().values())
        again = run(*self.words(self.start_of, self.end_of))
        self.assertIn(f"{N_WINDOWS} of {N_WINDOWS} windows", again.stdout)
        part = run(*self.words(self.start_of + STEP, self.end_of - STEP))
        self.assertIn("windows", part.stdout)
        status = self.collector.wait_status("the backfill to be over", lambda s: s["stats"]["http"]["backfills"] == 0)
        self.assertEqual(sum(self.asked().values()), n_before, status)
        self.assertEqual(process.stop(), 0)

    def test_what_can_t_be_asked_for_is_refused(self):
        self.start()
        words = self.words(self.start_of, self.end_of)
        for change, why in (({"pjm_past": "pjm_live"}, "snapshots"), ({"pjm_past": "pjm_other"}, "no feed of that name"),
                            ({words[-1]: "2026-13-01"}, "are days or times"), ({words[-1]: words[-3]}, "are days or times")):
            refused = run(*[change.get(word, word) for word in words], expect=1)
            self.assertIn(why, refused.stderr)
        run(*words[:-2], expect=3)


if __name__ == "__main__":
    unittest.main()
