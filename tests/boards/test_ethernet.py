# SPDX-License-Identifier: Apache-2.0
"""Frames of every length go through the driver both ways, and one that is none does not stop the next."""
import random
import socket
import unittest

from emulator import BoardTest, DEADLINE_S

BOARD_MAC, OUR_MAC, EVERYBODY = bytes.fromhex("024852000007"), bytes.fromhex("024852000001"), b"\xff" * 6
MULTICAST = bytes.fromhex("3333ff000007")
MIN_BYTES, MAX_BYTES = 60, 1514


class Ethernet(BoardTest):
    def setUp(self):
        super().setUp()
        self.wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.wire.close)
        self.wire.bind(("127.0.0.1", 0))
        self.wire.settimeout(DEADLINE_S)
        self.start()
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        self.random = random.Random(seed)

    def start(self):
        """QEMU binds its own end of the wire; a port that was free may be lost until then, so others are tried."""
        for _ in range(20):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            try:
                self.running = self.board("image_ethernet", "--net", f"frames:{self.wire.getsockname()[1]}:{port}")
            except AssertionError as error:
                if "in use" not in str(error):
                    raise
                continue
            self.running.wait_for("ready\n")
            self.wire.connect(("127.0.0.1", port))
            return
        self.fail("no free port")

    def frame(self, length, to=BOARD_MAC):
        payload = bytearray(self.random.randbytes(length - 12))
        payload[2] = ord("e")
        return to + OUR_MAC + bytes(payload)

    def answer(self, frame):
        back = OUR_MAC + BOARD_MAC + frame[12:14] + bytes((byte + 1) & 0xFF for byte in frame[14:])
        return back.ljust(MIN_BYTES, b"\0")

    def exchange(self, frame):
        """Frames may be lost on this wire while the board starts; afterwards each has an answer."""
        self.wire.send(frame)
        got = self.wire.recv(65536)
        self.assertEqual(got[:len(frame)].ljust(MIN_BYTES, b"\0"), self.answer(frame))

    def test_frames_of_every_length_both_ways(self):
        for length in [*range(MIN_BYTES, 140), *range(MAX_BYTES - 20, MAX_BYTES + 1), 500, 501, 502, 503]:
            with self.subTest(length):
                self.exchange(self.frame(length))

    def test_broadcast_and_multicast_arrive(self):
        self.exchange(self.frame(100, EVERYBODY))
        self.exchange(self.frame(100, MULTICAST))

    def test_a_frame_that_is_half_read_does_not_disturb_the_next(self):
        for length in (60, 61, 62, 63, 1000):
            dropped = bytearray(self.frame(length))
            dropped[14] = ord("d")
            self.wire.send(bytes(dropped))
            self.exchange(self.frame(length + 1))

    def test_a_frame_that_is_too_long_or_too_short_does_not_disturb_the_next(self):
        for frame in (self.frame(MAX_BYTES + 4), self.frame(1600), self.frame(MAX_BYTES + 1), b"\x02"):
            self.wire.send(frame)
            self.exchange(self.frame(200))

    def test_a_burst_is_taken_or_lost_but_never_mixed(self):
        frames = [self.frame(self.random.randrange(MIN_BYTES, MAX_BYTES + 1)) for _ in range(60)]
        expected = {self.answer(frame) for frame in frames}
        for frame in frames:
            self.wire.send(frame)
        last = self.frame(77)
        answers = 0
        # What overran is gone; the last frame is sent again until it comes back.
        self.wire.settimeout(2)
        for _ in range(60):
            self.wire.send(last)
            while True:
                try:
                    got = self.wire.recv(65536)
                except TimeoutError:
                    break
                if got == self.answer(last):
                    self.assertGreater(answers, 0)
                    return
                self.assertIn(got, expected)
                answers += 1
        self.fail("the board does not answer any more")


if __name__ == "__main__":
    unittest.main(verbosity=2)
