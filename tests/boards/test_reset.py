# SPDX-License-Identifier: Apache-2.0
"""Each way to end a boot is told on the console and named by the next one; the stack's use is known."""
import subprocess
import unittest

from emulator import BIN, BOARD, BoardTest


class Reset(BoardTest):
    def setUp(self):
        super().setUp()
        # In virtual time: the watchdogs of a minute are over in seconds, on a slow machine as on a fast one.
        self.running = self.board("image_reset", "--net", "none", "--icount", "--skip-sleep")
        self.at = self.running.wait_for(rf"boot {BOARD} after power\n").end()

    def ends(self, letter, *says):
        """Types the letter, expects the patterns in order, and goes on behind them."""
        self.running.type(letter)
        matches = []
        for pattern in says:
            match = self.running.wait_for(pattern, after=self.at)
            self.at = match.end()
            matches.append(match)
        return matches

    def test_a_reboot_is_a_reboot(self):
        self.ends("r", "after software\n")
        self.ends("r", "after software\n")

    def test_a_failed_assertion_says_where(self):
        self.ends("a", r"assertion failed: letter == 'b' \S*image_reset\.c:\d+\n", "after fault\n")
        self.ends("r", "after software\n")

    def test_a_fault_says_where(self):
        fault = self.ends("f", r"fault: pc ([0-9a-f]{8}) lr ([0-9a-f]{8}) status ([0-9a-f]{8}) address ([0-9a-f]{8})\n",
                          "after fault\n")[0]
        self.assertEqual(fault.group(3), "00010000")  # an undefined instruction
        self.assertRegex(self.function_at(int(fault.group(1), 16)), "obey|main")
        self.ends("j", r"fault: pc 2000f000 lr ", "after fault\n")

    def function_at(self, address):
        done = subprocess.run(["arm-none-eabi-addr2line", "-f", "-e", BIN / "image_reset.elf", hex(address)],
                              capture_output=True, text=True, check=True)
        return done.stdout

    def test_a_stack_that_runs_over_is_a_fault(self):
        self.ends("o", r"fault: stack overflow, sp [0-9a-f]{8} ", "after fault\n")

    def test_the_deepest_use_of_the_stack_is_known(self):
        before, used, of = self.ends("u", r"before (\d+)\n", r"used (\d+)\n", r"of (\d+)\n")
        before, used, of = (int(match.group(1)) for match in (before, used, of))
        self.assertGreater(before, 0)
        self.assertGreaterEqual(used - before, 20 * 64)  # 20 frames of 16 words
        self.assertLess(used, of)

    def test_the_watchdog_tells_where_the_loop_hangs_and_resets(self):
        alarm = self.ends("w", r"watchdog: the loop is at pc ([0-9a-f]{8}) lr ", "after watchdog\n")[0]
        self.assertRegex(self.function_at(int(alarm.group(1), 16)), "hang|obey|main")
        self.ends("W", "after watchdog\n")  # interrupts were off: not every board could tell where
        self.ends("r", "after software\n")

    def test_a_watchdog_that_is_fed_is_quiet(self):
        self.ends("k", "still here\n", "after software\n")
        self.assertNotIn("watchdog:", self.running.text())

    def test_long_work_goes_on_but_not_for_ever(self):
        self.ends("l", "works on\n", "watchdog: the loop is at pc ", "after watchdog\n")

    def test_a_power_cut_leaves_no_cause_behind(self):
        self.running.close()
        again = self.board("image_reset", "--net", "none")
        again.wait_for("after power\n")
        again.type("q")
        self.assertEqual(again.wait(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
