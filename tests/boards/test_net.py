# SPDX-License-Identifier: Apache-2.0
"""A board's network and its DTLS client against a real server: what sessions leave in memory, names, both families of
addresses, lost datagrams, a clock that wraps, frames of noise, and servers that are not to be believed.

HEADRACE_LONG=1 opens more sessions. ctest runs each class of tests for itself."""
import ipaddress
import itertools
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import noise
from emulator import BIN, BOARD, BoardTest, DEADLINE_S, ROOT
from lan import BOARD4, Lan, PREFIX6, SERVER4, SERVER6, UDP, ip_packet, udp

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
SESSIONS = 200 if os.environ.get("HEADRACE_LONG") == "1" else 50
NOISE_FRAMES = 20000 if os.environ.get("HEADRACE_LONG") == "1" else 800
LONG_S = 8 * DEADLINE_S
HANDSHAKE = 22  # DTLS content types
APPLICATION = (23, 25)


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name = pathlib.Path(folder), name
        openssl("req", "-x509", *CURVE, "-keyout", self.path("key"), "-out", self.path("pem"), "-subj", f"/CN={name}", "-days", 30)

    def path(self, kind, of=None):
        return self.folder / f"{self.name}{'-' + of if of else ''}.{kind}"

    def make_authority(self, name):
        """Another authority, which this one stands behind."""
        made = Authority.__new__(Authority)
        made.folder, made.name = self.folder, name
        openssl("req", "-new", *CURVE, "-keyout", made.path("key"), "-out", made.path("csr"), "-subj", f"/CN={name}",
                "-addext", "basicConstraints=critical,CA:TRUE")
        openssl("x509", "-req", "-in", made.path("csr"), "-CA", self.path("pem"), "-CAkey", self.path("key"),
                "-copy_extensions", "copy", "-days", 30, "-out", made.path("pem"))
        return made

    def make(self, name, dns):
        openssl("req", "-new", *CURVE, "-keyout", self.path("key", name), "-out", self.path("csr", name), "-subj", f"/CN={dns}",
                "-addext", f"subjectAltName=DNS:{dns}")
        openssl("x509", "-req", "-in", self.path("csr", name), "-CA", self.path("pem"), "-CAkey", self.path("key"),
                "-copy_extensions", "copy", "-days", 30, "-out", self.path("pem", name))

    def with_chain(self, name):
        """The certificate, and behind it the authority's own."""
        path = self.path("pem", name)
        path.write_bytes(path.read_bytes() + self.path("pem").read_bytes())

    def der(self, kind, of=None):
        path = self.path(kind, of)
        der = path.with_suffix(f".{kind}.der")
        openssl("x509" if kind == "pem" else "ec", "-in", path, "-out", der, "-outform", "DER")
        return der.read_bytes()


class Peer:
    """The server, and what it said."""

    def __init__(self, authority, name, trusted):
        self.posts = []
        self._process = subprocess.Popen([BIN / "peer", trusted.path("pem"), authority.path("pem", name), authority.path("key", name)],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.port = int(re.fullmatch(r"port (\d+)\n", self._process.stdout.readline()).group(1))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("post "):  # the rest is libcoap's log
                self.posts.append(tuple(map(int, re.findall(r"\d+", line))))

    def different_posts(self):
        """What a slow machine made the board send again, and the server take again, counts once."""
        return [post for post, before in zip(self.posts, [None, *self.posts]) if post != before]

    def close(self):
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()


class NetTest(BoardTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="hr-net-")
        cls.addClassCleanup(folder.cleanup)
        cls.authority = Authority(folder.name, "authority")
        cls.stranger = Authority(folder.name, "stranger")
        for authority in (cls.authority, cls.stranger):
            authority.make("server", "aggregator.test")
        cls.authority.make("other", "other.test")
        cls.authority.make("board", "headrace-device-0000000000000001")
        blobs = [random.randbytes(48), cls.authority.der("pem"), cls.authority.der("pem", "board"), cls.authority.der("key", "board")]
        cls.content = struct.pack("<4H", *map(len, blobs)) + b"".join(blobs)

    def server(self, authority=None, name="server", trusted=None):
        authority = authority or self.authority
        peer = Peer(authority, name, trusted or authority)
        self.addCleanup(peer.close)
        return peer

    def run_board(self, peer, host, names=(), rule=None, **words):
        size = json.loads((ROOT / "boards" / BOARD / "qemu.json").read_text())["memory_bytes"]
        self.memory.write_bytes(self.content.ljust(size, b"\xff"))
        if host == SERVER4:
            words = {"family": 4, **words}  # IPv6 takes some seconds to come up
        words = [f"--word={name}={value}" for name, value in {"host": host, "port": peer.port, **words}.items()]
        for _ in range(20):
            self.lan = Lan(peer.port, {name: list(map(ipaddress.ip_address, found)) for name, found in dict(names).items()}, rule)
            self.addCleanup(self.lan.close)
            option = self.lan.net_option()
            self.lan.start()
            try:
                return self.board("image_net", "--net", option, *words, memory=self.memory)
            except AssertionError as error:
                if "in use" not in str(error):
                    raise
        return self.fail("no free port")

    def ends_well(self, board, deadline_s=DEADLINE_S):
        code = board.wait(deadline_s)
        self.assertIn("\ndone\n", board.text()[-400:], board.text()[-3000:])
        self.assertEqual(code, 0)

    def memory_lines(self, board, kind):
        """The figures of each line "KIND N key=value ..."."""
        lines = re.findall(rf"^{kind} (\d+) (.*)$", board.text(), re.M)
        self.assertEqual([int(number) for number, _ in lines], list(range(len(lines))))
        return [{key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)} for _, line in lines]


class Memory(NetTest):
    def test_many_sessions_leave_nothing_behind(self):
        peer = self.server()
        board = self.run_board(peer, SERVER4, sessions=SESSIONS, posts=1)
        self.ends_well(board, LONG_S)
        self.assertEqual(peer.different_posts(), [(1024, n % 256, n % 256) for n in range(SESSIONS)])
        after = self.memory_lines(board, "session")
        self.assertEqual(len(after), SESSIONS)
        for number, line in enumerate(after):
            # The first session leaves a list of ciphers behind, which is made once; the generator was there.
            for what in ("used", "blocks", "heap", "pbufs"):
                self.assertEqual(line[what], after[0][what], f"{what} after session {number}")
            for what in ("refused", "heap_err", "pbuf_err"):
                self.assertEqual(line[what], 0, f"{what} after session {number}")
        self.assertEqual(after[0]["pbufs"], 0)
        self.assertLess(after[0]["used"], 400)
        first, last = after[0]["peak"], after[-1]["peak"]
        print(f"pool: {first} B at the peak of the first session, {last} B after {SESSIONS}; heap {after[-1]['heap_peak']} B; "
              f"open: {self.memory_lines(board, 'open')[0]['used']} B; {re.search(r'stack .*', board.text()).group()}")
        self.assertLess(last - first, 512)  # ECDSA numbers differ by a few bytes from session to session

    def test_a_server_whose_authority_has_an_authority_fits_in_memory(self):
        below = self.authority.make_authority("below")
        below.make("server", "aggregator.test")
        below.with_chain("server")
        peer = self.server(below, trusted=self.authority)
        board = self.run_board(peer, SERVER4, sessions=2, posts=2)
        self.ends_well(board)
        print(f"pool: {self.memory_lines(board, 'session')[-1]['peak']} B at the peak, with a chain of two certificates")

    def test_a_pool_that_is_too_small_costs_the_session_and_nothing_else(self):
        hog, step = 14000, 250
        peer = self.server()
        board = self.run_board(peer, SERVER4, sessions=hog // step + 1, hog=hog)
        self.ends_well(board, LONG_S)
        after = self.memory_lines(board, "session")
        came_up = len(re.findall(r"^open \d+ ", board.text(), re.M))
        self.assertGreater(came_up, 5)
        self.assertLess(came_up, len(after) - 5)
        for number, line in enumerate(after):
            # What is made once is made by the first session that gets so far.
            self.assertLess(line["used"], 400, f"after session {number}")
            self.assertEqual((line["pbufs"], line["heap"]), (0, after[0]["heap"]), f"after session {number}")
        self.assertEqual(after[-1]["used"], after[-2]["used"])


class Ways(NetTest):
    def test_names_lead_to_either_family(self):
        names = {"four.test": [SERVER4], "six.test": [SERVER6], "both.test": [SERVER6, SERVER4]}
        for host, version in (("four.test", 4), ("six.test", 6), ("both.test", 4)):
            with self.subTest(host):
                board = self.run_board(self.server(), host, names, posts=3)
                self.ends_well(board)
                self.assertEqual({v for v, _, _ in self.lan.relayed}, {version})
                self.assertEqual(sorted(set(self.lan.asked)), [(host, "A"), (host, "AAAA")])

    def test_a_name_that_nobody_knows_is_said(self):
        board = self.run_board(self.server(), "nobody.test", family=4)
        board.wait_for("net_unreachable host=nobody.test port=\\d+ reason=no server of names knows the name")
        self.assertEqual(board.wait(), 1)

    def test_addresses_come_by_dhcp_and_advertisement_or_are_given(self):
        board = self.run_board(self.server(), SERVER6, posts=2)
        self.ends_well(board)
        self.assertIn(f"net_address ipv4={BOARD4}\n", board.text())
        (address,) = self.lan.addresses
        self.assertIn(address, PREFIX6)
        self.assertIn(f"net_address ipv6={address}\n", board.text().lower())

        board = self.run_board(self.server(), SERVER4, static=1, posts=2)
        self.ends_well(board)
        self.assertEqual(self.lan.addresses, {ipaddress.ip_address("10.77.0.99")})
        board = self.run_board(self.server(), "fd78::2", static=1, family=6, posts=2)
        self.ends_well(board)
        self.assertEqual(self.lan.addresses, {ipaddress.ip_address("fd78::99")})

    def test_a_clock_that_wraps_in_a_handshake_and_in_an_exchange(self):
        """The clock of lwIP and libcoap stands just before its wrap until the first datagram of a kind was sent, and lost. So
        the time to send it again is reckoned before the wrap and comes after it, on any machine."""
        for kinds in ((HANDSHAKE,), APPLICATION):
            with self.subTest(kinds):
                seen, is_lost = [], threading.Event()

                def rule(to_server, payload, kinds=kinds, seen=seen, is_lost=is_lost):
                    if not to_server or payload[0] not in kinds:
                        return False
                    seen.append(payload)
                    is_lost.set()
                    return len(seen) == 1

                peer = self.server()
                board = self.run_board(peer, SERVER4, rule=rule, clock_stands=1, static=1, posts=3, ack_timeout=1000)
                self.assertTrue(is_lost.wait(DEADLINE_S), board.text())
                self.assertEqual(len(seen), 1, "sent again while the clock stood")
                board.type("x")
                self.ends_well(board)
                self.assertEqual(self.lan.lost, 1)
                self.assertEqual(len(peer.different_posts()), 3)

    def test_one_datagram_of_five_is_lost_and_the_address_changes(self):
        count, requests = itertools.count(1), itertools.count(1)

        def rule(to_server, payload):
            """Regular, so that no message is lost too often to be sent again. The fifth request leaves from elsewhere: by its
            connection id the server knows whose it is."""
            if to_server and payload[0] in APPLICATION and next(requests) == 5:
                self.lan.move()
            return next(count) % 5 == 0

        peer = self.server()
        board = self.run_board(peer, SERVER4, rule=rule, sessions=2, posts=12, ack_timeout=500)
        self.ends_well(board, LONG_S)
        self.assertEqual(board.text().count("net_session_open"), 2)
        self.assertGreater(self.lan.lost, 8)
        self.assertEqual(len(peer.different_posts()), 24)
        for line in self.memory_lines(board, "session"):
            self.assertEqual((line["pbufs"], line["refused"], line["heap_err"]), (0, 0, 0))

    def test_frames_that_nobody_should_send_do_no_harm(self):
        seed = int(os.environ.get("HEADRACE_SEED", "20261121"))
        print(f"HEADRACE_SEED={seed}", flush=True)
        chance, put = random.Random(seed), 0

        def rule(to_server, payload):
            """Behind each request of the first session a burst, before its answer."""
            nonlocal put
            if to_server and payload[0] in APPLICATION and put < NOISE_FRAMES:
                for _ in range(4):
                    self.lan.put(noise.frame_of_noise(chance, self.lan.sent))
                    put += 1
            return False

        peer = self.server()
        board = self.run_board(peer, SERVER4, rule=rule, sessions=2, posts=NOISE_FRAMES // 4 + 20, ack_timeout=500)
        self.ends_well(board, LONG_S)
        self.assertGreaterEqual(put, NOISE_FRAMES)
        self.assertEqual(len(peer.different_posts()), 2 * (NOISE_FRAMES // 4 + 20))
        self.assertEqual(board.text().count("net_session_open"), 2)
        first, second = self.memory_lines(board, "session")
        for what in ("used", "blocks", "pbufs"):
            self.assertEqual(second[what], first[what], what)
        self.assertEqual((second["pbufs"], second["refused"]), (0, 0))

    def test_strangers_whose_datagrams_go_nowhere_take_no_memory(self):
        """Each is told so, and that waits in memory until the stranger's address is resolved, which it never is."""
        strangers = iter([PREFIX6[0x1000], PREFIX6[0x1001]])  # the board has room for four neighbours

        def rule(to_server, payload):
            stranger = next(strangers, None) if to_server and payload[0] in APPLICATION else None
            if stranger is not None:
                (board_address,) = self.lan.addresses
                datagram = ip_packet(stranger, board_address, UDP, udp(1000, 9, bytes(1200)))
                self.lan.put(self.lan.sent[-1][:12] + b"\x86\xdd" + datagram)
            return False

        peer = self.server()
        board = self.run_board(peer, SERVER6, rule=rule, family=6, posts=12)
        self.ends_well(board)
        self.assertEqual(len(peer.different_posts()), 12)
        (line,) = self.memory_lines(board, "open")
        print(f"heap: {line['heap_peak']} B at the peak")
        self.assertEqual((line["heap_err"], line["refused"]), (0, 0))
        self.assertEqual(next(strangers, None), None)
        self.assertLess(line["heap_peak"], 3072)

    def test_servers_that_are_not_to_be_believed_are_refused_in_words(self):
        for peer, reason in ((self.server(self.stranger), "not correctly signed by the trusted CA"),
                             (self.server(name="other"), "does not match with the expected CN")):
            with self.subTest(reason):
                board = self.run_board(peer, SERVER4, sessions=3)
                self.assertEqual(board.wait(), 1)
                self.assertEqual(board.text().count("down refused\n"), 3)
                # Said once, though it was tried three times.
                self.assertEqual(len(re.findall(rf"net_handshake_refused .*{reason}", board.text())), 1)
                self.assertEqual(peer.posts, [])
                after = self.memory_lines(board, "session")
                self.assertEqual(after[2]["used"], after[0]["used"])

    def test_without_a_seed_no_handshake_begins(self):
        board = self.run_board(self.server(), SERVER4, seed=0)
        self.assertEqual(board.wait(), 1)
        self.assertIn("down ", board.text())
        self.assertEqual(self.lan.relayed, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
