#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What may be wrong with what a board is given: its memory, its identity, its line, its peer, its console. The console
says in words what is wrong, a counter counts it, and the board stays up and does what can still be done."""
import base64
import json
import subprocess
import sys
import unittest

import nmea_oracle
from boards import BOARD, Board, coaps, enrol_board, fields_of, wait_progress
from harness import Aggregator, Site, SystemTest, program
from pipeline import AIS, EVENTS, seeded
from proxies import UdpProxy
from secrets_of import found, secrets_of
from test_board import fleet

OTHER_BOARD = {"qemu_mps2_an385": "qemu_lm3s6965", "qemu_lm3s6965": "qemu_mps2_an385"}[BOARD]
SESSIONS = "headrace_coap_sessions_opened_total"
SECTOR = 4096
IDENTITY_SECTORS, SEED_SECTORS, SPOOL_SECTOR = (0, 1), (2, 3), 4  # proto/image/image.h
SPOOL_SECTORS = {"qemu_mps2_an385": 256, "qemu_lm3s6965": 64}[BOARD]
QUICK = ["--seal-max-age", "300ms"]


class InputTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = seeded(self.id())
        self.site = Site(self.folder)
        self.aggregator = self.own(Aggregator(self.site))

    def enrol(self, name="board", port=None, more=(), **options):
        return enrol_board(self.site, name, [coaps(port or self.aggregator.port)], more=[*QUICK, *more], **options)

    def power_on(self, device, name=None):
        return self.own(Board(device.folder / (name or "power"), device.memory)).start()

    def tail(self, topic):
        done = subprocess.run([program("headrace"), "tail", "--files", self.aggregator.files, "--topic", topic],
                              stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_works(self, board):
        """The board does its work: what comes in is acknowledged."""
        before = board.status()["ais"]["messages"]
        data = fleet(20, seed=77)
        board.feed(b"\r\n" + data)
        board.wait_messages(before + len(nmea_oracle.Log(data).messages))
        board.wait_drained()

    def assert_up(self, board, trouble):
        """The board says what is wrong and answers its shell; bytes of the line are counted, and nothing is sent."""
        board.wait_said(rf" error {trouble} advice=")
        data = fleet(20)
        board.feed(data)
        said = fields_of(board.ask("status")[0])
        self.assertEqual((said["board"], said["state"]), (BOARD, trouble))
        wait_progress("the bytes to be counted", lambda: board.status()["device"]["serial_unused"] == len(data),
                      lambda: board.status()["device"]["serial_unused"])
        board.ask("help", "help:")
        self.assert_never_restarted(board)

    def assert_never_restarted(self, board):
        self.assertEqual(len([line for line in board.lines if line.startswith("headrace ")]), 1, "it began anew")


def patch(memory, address, data):
    with open(memory, "r+b") as file:
        file.seek(address)
        file.write(data)


def sector(memory, number):
    with open(memory, "rb") as file:
        file.seek(number * SECTOR)
        return file.read(SECTOR)


class Memory(InputTest):
    def test_a_board_without_its_memory_stays_up(self):
        """The PSRAM of a QEMU without a file is there and blank; a card is not there at all."""
        board = self.own(Board(self.folder / "power", None)).start()
        self.assert_up(board, {"qemu_mps2_an385": "not_provisioned", "qemu_lm3s6965": "no_memory"}[BOARD])

    def test_a_blank_memory_is_a_board_that_is_not_provisioned(self):
        device = self.enrol()
        device.memory.unlink()
        board = self.power_on(device)
        self.assert_up(board, "not_provisioned")
        board.type("reboot\r")
        board.wait_said(r"^headrace .*reset=software")

    def test_an_identity_that_fails_its_check_is_told_and_one_copy_is_enough(self):
        device = self.enrol()
        flip(device.memory, IDENTITY_SECTORS[0], 100)
        self.aggregator.start()
        board = self.power_on(device)
        self.assert_works(board)
        board.close()
        for sector in IDENTITY_SECTORS:  # both: the board has written the damaged one afresh
            flip(device.memory, sector, 101)
        self.assert_up(self.power_on(device, "again"), "image_damaged")

    def test_an_image_for_another_board_is_refused(self):
        device = self.enrol()
        other = self.enrol("other", board_name=OTHER_BOARD)
        for number in IDENTITY_SECTORS:
            patch(device.memory, number * SECTOR, sector(other.memory, number))
        self.assert_up(self.power_on(device), "image_foreign")

    def test_without_a_seed_no_key_is_used_and_no_handshake_begins(self):
        self.aggregator.start()
        device = self.enrol()
        for number in SEED_SECTORS:
            patch(device.memory, number * SECTOR, b"\xff" * SECTOR)
        before = self.aggregator.metric(SESSIONS)
        self.assert_up(self.power_on(device), "no_seed")
        self.assertEqual(self.aggregator.metric(SESSIONS), before)
        self.assertEqual(self.aggregator.metric("headrace_coap_handshakes_failed_total"), 0)

    def test_another_devices_spool_is_left_alone(self):
        self.aggregator.start()
        first, second = self.enrol("first"), self.enrol("second")
        board = self.power_on(first)
        self.assert_works(board)
        board.close()
        spool = b"".join(sector(first.memory, SPOOL_SECTOR + i) for i in range(SPOOL_SECTORS))
        patch(second.memory, SPOOL_SECTOR * SECTOR, spool)
        board = self.power_on(second)
        self.assert_up(board, "spool_foreign")
        board.close()
        self.assertEqual(b"".join(sector(second.memory, SPOOL_SECTOR + i) for i in range(SPOOL_SECTORS)), spool)

    def test_a_corrupt_spool_sector_costs_its_own_batches_which_a_loss_names(self):
        device = self.enrol()
        board = self.power_on(device)
        data = fleet(1200)
        messages = nmea_oracle.Log(data).messages
        board.feed(data)
        board.wait_messages(len(messages))
        n_sealed = board.wait_sealed()["sealed_batches"]
        board.close()
        used = [SPOOL_SECTOR + i for i in range(SPOOL_SECTORS)
                if sector(device.memory, SPOOL_SECTOR + i).count(b"\xff") < SECTOR // 4]
        self.assertGreater(len(used), 3)
        hit = used[len(used) // 2]
        for place in self.random.sample(range(SECTOR), 64):
            flip(device.memory, hit, place)
        self.aggregator.start()
        board = self.power_on(device, "again")
        board.wait_said(r" warn spool_hole reason=damaged ")
        board.wait_drained()
        self.assert_works(board)
        self.assertGreater(board.status()["collector"]["losses"], 0)
        board.close()
        self.check_losses(n_sealed, messages)

    def check_losses(self, n_sealed, messages):
        losses = [event for event in self.tail(EVENTS) if event["kind"] == "loss"]
        self.assertEqual({loss["loss_reason"] for loss in losses}, {"damaged"})
        lost = {n for loss in losses for n in range(loss["loss_first_record_seq"],
                                                    loss["loss_first_record_seq"] + loss["loss_records"])}
        lost_batches = {n for loss in losses for n in range(loss["loss_from_seq"], loss["loss_to_seq"] + 1)}
        events = self.tail(AIS) + self.tail(EVENTS)
        seen = {event["record_seq"] for event in events}
        self.assertEqual(seen | lost, set(range(max(seen) + 1)))
        self.assertEqual(seen & lost, set())
        self.assertLess(len(lost_batches), n_sealed // 2)
        payloads = [event["payload"] for event in sorted(self.tail(AIS), key=lambda e: e["record_seq"])]
        sent = [message[3] for message in messages]
        head = [p for p in payloads if p in set(sent)]
        self.assertEqual(len(head), len(sent) - len(lost), "what is lost is what the Loss counts")
        print(f"{BOARD}: a corrupt sector took {len(lost)} of {len(sent)} records; the Loss names each", flush=True)


def flip(memory, number, place):
    data = bytearray(sector(memory, number))
    data[place] ^= 0x55
    patch(memory, number * SECTOR, data)


class Line(InputTest):
    def test_garbage_and_over_long_lines_are_counted_and_cost_nothing_else(self):
        self.aggregator.start()
        device = self.enrol()
        board = self.power_on(device)
        good = fleet(60)
        messages = nmea_oracle.Log(good).messages
        lines = good.splitlines(keepends=True)
        noise = bytes(self.random.choice([b for b in range(256) if b not in b"\r\n!$#\\"]) for _ in range(300))
        bad = [b"!AIVDM,1,1,,A," + b"1" * 2000 + b",0*00\r\n", b"\xff" * 4000 + b"\r\n",
               b"!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*24\r\n", b"$GPGGA,1*00\r\n", b"\x00\x01\x02\r\n",
               noise + b"\r\n", b"!AIVDM,1,1,,A,,0\r\n"]
        # A good line comes last: when its message is there, all before it was read.
        fed = b"".join(bad[number % len(bad)] + line for number, line in enumerate(lines))
        board.feed(fed)
        board.wait_messages(len(messages))
        board.wait_drained()
        ais = board.status()["ais"]
        self.assertEqual(ais["messages"], len(messages))
        n_of = [len(range(kind, len(lines), len(bad))) for kind in range(len(bad))]
        self.assertEqual(ais["line_too_long"], n_of[0] + n_of[1])
        self.assertEqual(ais["bad_checksum"], n_of[2])
        self.assertEqual(ais["missing_checksum"], n_of[6])
        self.assertGreaterEqual(ais["other_lines"] + ais["other_sentences"], n_of[3] + n_of[4] + n_of[5])
        self.assertEqual(board.status()["device"]["serial_bytes"], len(fed))


class Peer(InputTest):
    def refused(self, device, why):
        """The handshake fails for this reason, is tried again, and records are kept meanwhile."""
        self.aggregator.start()
        board = self.power_on(device)
        board.wait_said(rf" warn net_handshake_refused .*{why}")
        wait_progress("a second try", lambda: board.status()["uplink"]["sessions_failed"] >= 2,
                      lambda: board.status()["uplink"]["sessions_failed"])
        data = fleet(20)
        board.feed(data)
        board.wait_messages(len(nmea_oracle.Log(data).messages))
        spool = board.spool()
        self.assertEqual(spool["acked_batches"], 0)
        self.assertEqual(self.aggregator.metric("headrace_ledger_leaves"), 0)
        self.assert_never_restarted(board)
        return board

    def test_an_aggregator_whose_certificate_another_authority_signed_is_not_trusted(self):
        stranger = Site(self.folder / "stranger")
        self.refused(self.enrol(ca=stranger.ca), "not correctly signed")

    def test_an_aggregator_of_another_name_is_not_trusted(self):
        self.refused(self.enrol(server_name="elsewhere.example"), "does not match")

    def test_an_aggregator_that_does_not_know_the_boards_certificate_is_told(self):
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        self.refused(self.enrol(registry=elsewhere), "Alert")


class Listener(UdpProxy):
    """Keeps each datagram."""

    def __init__(self, *arguments):
        self.heard = []
        super().__init__(*arguments)

    def keep(self, data):
        self.heard.append(data)


class Console(InputTest):
    def test_a_locked_shell_tells_no_secret_and_changes_nothing(self):
        self.aggregator.start()
        proxy = self.own(Listener(self.aggregator.port, self.random))
        device = self.enrol(port=proxy.port)
        before = secrets_of(device.memory)
        board = self.power_on(device)
        board.wait_said(r"The console is locked")
        self.assert_works(board)
        self.assertIn("locked", board.ask("reboot", "locked ")[0])
        board.ask("x" * 200, "too_long ")
        board.ask("\x01\x7fformat", "unknown ")
        keys = fields_of(board.ask("keys")[0])
        self.assertEqual(int(keys["device"], 16), device.device_id)
        self.assertEqual(board.spool()["drained"], "yes")
        self.assertEqual(fields_of(board.ask("net")[0])["ipv4"], "10.0.2.15")
        self.assertEqual(fields_of(board.ask("status")[0])["refused_lines"], "3")
        self.assert_never_restarted(board)
        board.close()
        self.check_secrets(device, before, proxy)

    def check_secrets(self, device, before, proxy):
        """Neither key and no seed stands in what the console, the wire or a topic heard."""
        heard = {"console": b"".join(path.read_bytes() for path in sorted((device.folder / "power").glob("console.*.log"))),
                 "wire": b"\n".join(proxy.heard),
                 "files": b"".join(path.read_bytes() for path in sorted(self.aggregator.files.rglob("*")) if path.is_file()),
                 "topics": json.dumps([self.tail(AIS), self.tail(EVENTS)]).encode()}
        secrets = {**before, **secrets_of(device.memory)}
        self.assertEqual({name.split()[0] for name in secrets}, {"record", "transport", "seed"})
        self.assertEqual(len(secrets), 4, "two keys, the seed of this boot and that of the next")
        for where, said in heard.items():
            self.assertGreater(len(said), 500, where)
            self.assertEqual(found(secrets, said), set(), where)
            for name, secret in secrets.items():  # the search sees one that is there
                for form in (secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret),
                             base64.b64encode(b"a" + secret + b"bc"), base64.encodebytes(b"ab" + secret * 2)):
                    self.assertEqual(found(secrets, said[:300] + form + said[300:]), {name}, where)

    def test_a_reboot_that_was_asked_for_seals_what_there_is_and_says_so(self):
        self.aggregator.start()
        board = self.power_on(self.enrol(more=["--unlocked"]))
        self.assert_works(board)
        data = fleet(20, seed=78)
        board.feed(data)
        board.wait_messages(len(nmea_oracle.Log(fleet(20, seed=77) + data).messages))
        board.type("reboot\r")
        board.wait_said(r"^headrace .*reset=software")
        self.assertEqual(fields_of(board.wait_said(r"^spool found=closed"))["recovered_records"], "0")
        self.assert_works(board)
        board.close()
        sent = [message[3] for seed in (77, 78, 77) for message in nmea_oracle.Log(fleet(20, seed=seed)).messages]
        events = sorted(self.tail(AIS), key=lambda event: event["record_seq"])
        self.assertEqual([event["payload"] for event in events], sent)
        boots = sorted((e for e in self.tail(EVENTS) if e["kind"] == "boot"), key=lambda event: event["record_seq"])
        self.assertEqual([boot["boot_reason"] for boot in boots], ["first", "clean"])


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
