# SPDX-License-Identifier: Apache-2.0
"""What arrives at the AIS input reaches the loop; when it can't, the loss is counted, to the byte on a line with a speed."""
import random
import threading
import time
import unittest

from emulator import DEADLINE_S, BoardTest, crc32c


class Serial(BoardTest):
    def start(self, *options, serial=None):
        self.running = self.board("image_serial", "--net", "none", *options, serial=serial)
        ready = self.running.wait_for(r"ready ring (\d+) receiver (\d+)\n")
        self.at = ready.end()
        self.ring, self.receiver = int(ready.group(1)), int(ready.group(2))
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        self.random = random.Random(seed)

    def ask(self, letter):
        self.running.type(letter)
        state = self.running.wait_for(r"state bytes (\d+) crc (\d+) dropped (\d+)\n", after=self.at)
        self.at = state.end()
        return tuple(int(number) for number in state.groups())

    def wait_until(self, what, check):
        """Asks until the check holds, for as long as something moves."""
        last, end = None, 0
        while True:
            state = self.ask("?")
            if check(state):
                return state
            if state != last:
                last, end = state, time.monotonic() + DEADLINE_S
            self.assertLess(time.monotonic(), end, f"{what}: {state}")

    def feed(self, data):
        thread = threading.Thread(target=self.running.serial.send, args=(data,), daemon=True)
        thread.start()
        return thread

    def test_bytes_arrive_whole_and_in_order(self):
        self.start()
        data = self.random.randbytes(self.ring + 4077)
        self.feed(data)
        state = self.wait_until("all bytes", lambda state: state[0] >= len(data))
        self.assertEqual(state, (len(data), crc32c(data), 0))

    def test_a_file_is_read_to_its_end(self):
        data = random.randbytes(10000)
        (self.folder / "feed").write_bytes(data)
        self.start(serial=f"file:{self.folder / 'feed'}")
        state = self.wait_until("all bytes", lambda state: state[0] >= len(data))
        self.assertEqual(state, (len(data), crc32c(data), 0))

    def test_a_line_without_speed_waits_for_a_loop_that_is_away(self):
        self.start()
        self.ask("p")
        data = self.random.randbytes(self.ring + 4000)
        self.feed(data)
        for _ in range(50):
            self.assertEqual(self.ask("?")[0], 0)
        self.ask("g")
        state = self.wait_until("all bytes", lambda state: state[0] >= len(data))
        self.assertEqual(state, (len(data), crc32c(data), 0))

    def test_what_a_full_ring_loses_is_counted_to_the_byte(self):
        self.start("--line", "115200")
        self.ask("p")
        data = self.random.randbytes(self.ring + 3000)
        self.feed(data)
        # The ring, then the receiver's own buffer; every byte behind that finds both full.
        kept = self.ring + self.receiver
        self.wait_until("the losses", lambda state: state[2] >= len(data) - kept)
        self.ask("g")
        state = self.wait_until("what was kept", lambda state: state[0] >= kept)
        self.assertEqual(state, (kept, crc32c(data[:kept]), len(data) - kept))
        more = self.random.randbytes(1000)
        self.feed(more)
        state = self.wait_until("the line goes on", lambda state: state[0] >= kept + len(more))
        self.assertEqual(state, (kept + len(more), crc32c(data[:kept] + more), len(data) - kept))


if __name__ == "__main__":
    unittest.main(verbosity=2)
