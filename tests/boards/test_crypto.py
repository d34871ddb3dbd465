# SPDX-License-Identifier: Apache-2.0
"""A board without a seed refuses keys and random numbers. With one it gives exactly the numbers that proto/SPEC.md section
10.2 and HMAC_DRBG (SP 800-90A) say, computed here a second time; no boot repeats another; and it signs as the shared
vector says."""
import hashlib
import hmac
import json
import struct
import unittest

from emulator import BOARD, ROOT, BoardTest, crc32c

PAGE = 4096
MEMORY_BYTES = json.loads((ROOT / "boards" / BOARD / "qemu.json").read_text())["memory_bytes"]
VECTOR = dict(line.split() for line in (ROOT / "tests/vectors/signature.txt").read_text().splitlines()
              if not line.startswith("#"))
SEED = bytes(range(48))


def seed_page(sequence, seed):
    page = struct.pack(">4sHHI", b"HRSD", 1, 64, sequence) + seed
    return page + struct.pack(">I", crc32c(page))


def derived(seed, use):
    return b"".join(hashlib.sha256(b"headrace.seed.v1" + bytes([use, i]) + seed).digest() for i in range(2))[:48]


class Drbg:
    """HMAC_DRBG with SHA-256."""

    def __init__(self, seed):
        self.key, self.value = b"\0" * 32, b"\1" * 32
        self._update(seed)

    def _mac(self, data):
        return hmac.new(self.key, data, hashlib.sha256).digest()

    def _update(self, data=b""):
        for mark in (b"\0", b"\1")[:2 if data else 1]:
            self.key = self._mac(self.value + mark + data)
            self.value = self._mac(self.value)

    def give(self, n_bytes):
        out = b""
        while n_bytes > 0:
            part, block = min(n_bytes, 1024), b""
            while len(block) < part:
                self.value = self._mac(self.value)
                block += self.value
            self._update()
            out, n_bytes = out + block[:part], n_bytes - part
        return out


class Crypto(BoardTest):
    def provision(self, *pages):
        """Erased memory with these bytes at page 2 on, and the header that is to be signed at page 4."""
        memory = bytearray(b"\xff" * MEMORY_BYTES)
        header = bytes.fromhex(VECTOR["header"])
        memory[4 * PAGE:4 * PAGE + len(header)] = header
        for number, page in enumerate(pages, start=2):
            memory[number * PAGE:number * PAGE + len(page)] = page
        self.memory.write_bytes(memory)

    def boot(self, expect=0):
        board = self.board("image_crypto", "--net", "none", memory=self.memory)
        self.assertEqual(board.wait(), expect, board.text())
        said = board.text()
        board.close()
        self.assertIn("key before the seed: denied\nnumbers before the seed: refused\na new key before the seed: refused\n", said)
        return said

    def assert_numbers(self, said, seed):
        drbg = Drbg(derived(seed, 1))
        self.assertIn(f"random {drbg.give(64).hex()}\n", said)
        self.assertIn(f"later {drbg.give(1500)[-64:].hex()}\n", said)

    def test_a_board_without_a_seed_refuses_keys_and_numbers(self):
        self.provision()
        self.assertIn("seed: not_found\n", self.boot(expect=1))
        page = bytearray(seed_page(7, SEED))
        page[20] ^= 1
        self.provision(page)
        self.assertIn("seed: not_found\n", self.boot(expect=1))

    def test_each_boot_has_the_numbers_of_its_own_seed_and_leaves_the_next(self):
        self.provision(seed_page(7, SEED))
        seed, all_said = SEED, set()
        for sequence in range(8, 12):
            said = self.boot()
            self.assert_numbers(said, seed)
            all_said.add(said)
            seed = derived(seed, 2)
            memory = self.memory.read_bytes()
            pages = [memory[number * PAGE:(number + 1) * PAGE] for number in (2, 3)]
            self.assertIn(seed_page(sequence, seed).ljust(PAGE, b"\xff"), pages)
            self.assertIn(b"\xff" * PAGE, pages, "the seed that was used is not wiped")
        self.assertEqual(len(all_said), 4)

    def test_a_board_signs_as_the_shared_vector_says(self):
        self.provision(seed_page(7, SEED))
        said = self.boot()
        self.assertIn(f"signature {VECTOR['sig']}\nit verifies: ok\nchanged, it verifies: denied\na new key: made\n", said)


if __name__ == "__main__":
    unittest.main()
