# SPDX-License-Identifier: Apache-2.0
"""The board's memory keeps the rules of NOR flash, outlives the board, and loses power where a test says."""
import itertools
import unittest

from emulator import BOARD_DATA, BoardTest, CUT_EXIT_CODE

SECTOR, UNIT, CHUNK = 4096, 8, 64
SECTORS = BOARD_DATA["memory_bytes"] // SECTOR
KEPT_BITS = 0xA5  # of a torn byte: those that had not changed yet


def bounded_operations():
    """What image_flash's bounded run does, as functions over the memory: one that is whole, one that is torn."""
    for sector in range(2):
        start = sector * SECTOR

        def erase(memory, start=start):
            memory[start:start + SECTOR] = b"\xff" * SECTOR

        def erase_torn(memory, start=start):
            half = start + SECTOR // 2
            memory[start:half] = b"\xff" * (SECTOR // 2)
            memory[half:half + 512] = bytes(byte | KEPT_BITS for byte in memory[half:half + 512])

        yield erase, erase_torn
        for i in range(5):
            address, length, value = start + i * CHUNK, CHUNK if i % 2 == 0 else UNIT, 0x10 + sector * 5 + i

            def program(memory, address=address, length=length, value=value):
                memory[address:address + length] = bytes([value]) * length

            def program_torn(memory, address=address, length=length, value=value):
                whole = length // UNIT // 2 * UNIT
                unit = [value] * (UNIT // 2) + [value | KEPT_BITS] * (UNIT - UNIT // 2)
                memory[address:address + whole] = bytes([value]) * whole
                memory[address + whole:address + whole + UNIT] = bytes(unit)

            yield program, program_torn


class Flash(BoardTest):
    def run_flash(self, what, *options, expect):
        board = self.board("image_flash", "--net", "none", "--word", f"do={what}", *options, memory=self.memory)
        self.assertEqual(board.wait(), expect, board.text())
        board.close()
        return board.text()

    def test_erases_to_ff_and_keeps_what_was_programmed(self):
        said = self.run_flash("cycle", expect=0)
        self.assertIn(f"sectors {SECTORS}\nsector_bytes {SECTOR}\nunit_bytes {UNIT}\n", said)
        memory = self.memory.read_bytes()
        for sector in (0, SECTORS - 1):
            expected = bytes((at // CHUNK + at % CHUNK + sector) & 0xFF for at in range(SECTOR))
            self.assertEqual(memory[sector * SECTOR:(sector + 1) * SECTOR], expected)
        self.assertEqual(set(memory[SECTOR:-SECTOR]), {0xFF}, "nothing else was touched")

    def test_the_table_by_which_images_are_made_says_what_the_drivers_say(self):
        self.assertIn("agreed\n", self.run_flash("compare", expect=0))

    def test_a_broken_rule_is_an_assert_that_says_so_and_resets(self):
        for what, why in {"crooked": "address % unit_bytes == 0", "across": "sector_bytes", "beyond": "sector < "}.items():
            with self.subTest(what):
                said = self.run_flash(what, expect=3)
                self.assertRegex(said, rf"breaking\n\nassertion failed: .*{why}.* \S*nor\.c:\d+")

    def test_what_the_medium_reads_back_is_an_error_and_no_assert(self):
        self.assertIn("refused\n", self.run_flash("twice", expect=0))
        self.assertIn("worn out\n", self.run_flash("worn", expect=0))

    def test_power_goes_before_inside_and_after_every_operation(self):
        self.memory.write_bytes(b"\x5a" * SECTORS * SECTOR)
        operations = list(bounded_operations())
        expected = bytearray(self.memory.read_bytes())
        for whole, _ in operations:
            whole(expected)
        said = self.run_flash("bounded", expect=0)
        self.assertIn(f"operations {len(operations)}\n", said)
        self.assertEqual(self.memory.read_bytes(), bytes(expected))
        for n, how in itertools.product(range(1, len(operations) + 1), ("before", "torn", "after")):
            with self.subTest(operation=n, how=how):
                expected = bytearray(b"\x5a" * SECTORS * SECTOR)
                self.memory.write_bytes(expected)
                for whole, _ in operations[:n - 1]:
                    whole(expected)
                whole, torn = operations[n - 1]
                {"before": lambda memory: None, "torn": torn, "after": whole}[how](expected)
                self.run_flash("bounded", "--cut", f"{n}:{how}", expect=CUT_EXIT_CODE)
                self.assertTrue(self.memory.read_bytes() == bytes(expected), "the memory is not what the cut should leave")

    def test_a_cut_behind_the_last_operation_is_not_met(self):
        self.run_flash("bounded", "--cut", "13:torn", expect=0)

    def test_without_its_file_the_memory_is_missing_or_forgets(self):
        board = self.board("image_flash", "--net", "none", "--word", "do=cycle")
        a_card = any("if=sd" in word for word in BOARD_DATA["memory"])
        self.assertEqual(board.wait(), 2 if a_card else 0, board.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
