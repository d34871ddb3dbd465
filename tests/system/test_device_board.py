# SPDX-License-Identifier: Apache-2.0
"""`headrace device enrol --board` and `headrace device show`: the image is taken apart here by a reader written from
proto/SPEC.md section 10 alone, and its keys and certificates are looked at with the openssl program."""
import base64
import hashlib
import os
import re
import stat
import struct
import subprocess
import unittest

import harness
import wire

PAGE = 4096
BOARDS = {"qemu_mps2_an385": (16 << 20, 256), "qemu_lm3s6965": (1 << 20, 64)}
FLAGS, BOARD, DEVICE, NAME, SITE, EPOCH, RECORD_KEY, TRANSPORT_KEY, CERTIFICATE, CA, AGGREGATOR, SERVER_NAME, MAC, IPV4, IPV6, \
    BAUD, SEAL_AGE = range(1, 18)
TEXTS = (BOARD, NAME, SITE, AGGREGATOR, SERVER_NAME)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def page_at(memory, address, magic):
    """(sequence, what stands between head and check) of a page that checks."""
    found, version, length, sequence = struct.unpack_from(">4sHHI", memory, address)
    if found != magic:
        raise AssertionError(f"{found} at {address}")
    page = memory[address:address + length]
    if version != 1 or struct.unpack(">I", page[-4:])[0] != crc32c(page[:-4]):
        raise AssertionError(f"format {version} or the check at {address}")
    return sequence, page[12:-4]


class Image:
    def __init__(self, path):
        self.memory = path.read_bytes()
        self.sequence, body = page_at(self.memory, 0, b"HRID")
        if page_at(self.memory, PAGE, b"HRID") != (self.sequence, body):
            raise AssertionError("the copies of the identity differ")
        self.seed = page_at(self.memory, 2 * PAGE, b"HRSD")
        self.sector_bytes, self.unit, self.spool_first, self.spool_sectors = struct.unpack_from(">IHII", body)
        self.fields = {}
        at = 14
        while at < len(body):
            tag, length = struct.unpack_from(">BH", body, at)
            value = body[at + 3:at + 3 + length]
            self.fields.setdefault(tag, []).append(value[:-1].decode("ascii") if tag in TEXTS else value)
            at += 3 + length

    def one(self, tag):
        value, = self.fields[tag]
        return value


def openssl(*argv, data):
    return subprocess.run(["openssl", *argv], input=data, capture_output=True, check=True).stdout


class BoardTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)

    def enrol(self, name, *more, board="qemu_lm3s6965", expect=0):
        out = self.folder / name
        done = self.site.headrace("device", "enrol", "--ca", self.site.ca, "--registry", self.site.registry, "--out", out,
                                  "--name", name, "--board", board, *more, expect=expect)
        return done if expect else out

    def show(self, path, expect=0):
        return self.site.headrace("device", "show", path, expect=expect)

    def test_an_image_holds_what_a_board_needs_and_the_rest_is_erased(self):
        for board, (size, sectors) in BOARDS.items():
            out = self.enrol(f"at-{board}", board=board)
            image = Image(out / "memory.img")
            self.assertEqual(len(image.memory), size)
            self.assertEqual((image.sector_bytes, image.unit, image.spool_first, image.spool_sectors), (4096, 8, 4, sectors))
            self.assertEqual(image.one(BOARD), board)
            self.assertEqual(image.one(FLAGS), b"\1")
            self.assertEqual(image.one(EPOCH), b"\0\1")
            self.assertEqual(image.fields[AGGREGATOR], ["coaps://aggregator:5684"])
            self.assertEqual(image.one(SERVER_NAME), "aggregator")
            self.assertEqual(image.one(MAC), b"\2" + image.one(DEVICE)[3:])
            self.assertEqual(set(image.fields), {FLAGS, BOARD, DEVICE, NAME, EPOCH, RECORD_KEY, TRANSPORT_KEY, CERTIFICATE, CA,
                                                 AGGREGATOR, SERVER_NAME, MAC})
            used = len(page_at(image.memory, 0, b"HRID")[1]) + 16
            for start, end in ((used, PAGE), (PAGE + used, 2 * PAGE), (2 * PAGE + 64, size)):
                self.assertEqual(image.memory[start:end].strip(b"\xff"), b"", f"{start} to {end} is not erased")

    def test_keys_and_certificates_belong_together(self):
        out = self.enrol("pier")
        image = Image(out / "memory.img")
        certificate = self.folder / "certificate.der"
        certificate.write_bytes(image.one(CERTIFICATE))
        trusted = self.folder / "trusted.der"
        trusted.write_bytes(image.one(CA))
        public = openssl("pkey", "-inform", "DER", "-pubout", data=image.one(TRANSPORT_KEY))
        self.assertEqual(openssl("x509", "-inform", "DER", "-pubkey", "-noout", data=image.one(CERTIFICATE)), public)
        record = openssl("pkey", "-inform", "DER", "-pubout", data=image.one(RECORD_KEY))
        self.assertEqual((out / "record.pub.pem").read_bytes(), record)
        self.assertNotEqual(record, public)
        subject = harness.run("openssl", "x509", "-inform", "DER", "-in", certificate, "-noout", "-subject").stdout
        self.assertIn(f"headrace-device-{int.from_bytes(image.one(DEVICE), 'big'):016x}", subject)
        for pem, text in ((out / "device.crt", image.one(CERTIFICATE)), (self.site.ca / "server-ca.crt", image.one(CA))):
            self.assertEqual(openssl("x509", "-outform", "DER", data=pem.read_bytes()), text)
        ca = self.site.ca
        harness.run("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca / "root.crt", "-untrusted",
                    ca / "device-ca.crt", out / "device.crt")
        entry = (self.site.registry / "1.yaml").read_text()
        self.assertIn(base64.b64encode(openssl("pkey", "-pubin", "-outform", "DER", data=record)).decode(), entry)

    def test_no_two_devices_share_a_secret_and_no_file_but_the_image_has_one(self):
        first, second = self.enrol("first"), self.enrol("second")
        images = [Image(out / "memory.img") for out in (first, second)]
        for tag in (RECORD_KEY, TRANSPORT_KEY, CERTIFICATE, MAC, DEVICE):
            self.assertNotEqual(images[0].one(tag), images[1].one(tag))
        self.assertNotEqual(images[0].seed, images[1].seed)
        self.assertEqual(sorted(path.name for path in first.iterdir()), ["device.crt", "memory.img", "record.pub.pem"])
        self.assertEqual(stat.S_IMODE(os.stat(first / "memory.img").st_mode), 0o600)

    def test_show_tells_everything_but_the_secrets(self):
        out = self.enrol("pier", "--site", "Gate 4, lower lock", "--ipv4", "192.0.2.7/26", "--gateway", "192.0.2.1", "--dns",
                         "192.0.2.53", "--ipv6", "2001:db8::7/64", "--aggregator", "coaps://192.0.2.9", "--aggregator",
                         "coaps://[2001:db8::9]:15684", "--server-name", "agg.example", "--baud", "38400", "--seal-max-age",
                         "2s", "--spool-sectors", "16", "--mac", "02:00:00:00:0a:09", "--unlocked")
        image = Image(out / "memory.img")
        self.assertEqual(image.one(IPV4), bytes([192, 0, 2, 7, 255, 255, 255, 192, 192, 0, 2, 1, 192, 0, 2, 53]))
        self.assertEqual(image.one(IPV6), bytes.fromhex("20010db8") + bytes(11) + b"\7\x40")
        self.assertEqual((image.one(BAUD), image.one(SEAL_AGE)), (struct.pack(">I", 38400), struct.pack(">I", 2000)))
        self.assertEqual((image.spool_sectors, image.one(FLAGS)), (16, b"\0"))
        shown = self.show(out / "memory.img").stdout
        for part in ("qemu_lm3s6965", "0000000000000001", "name pier", "Gate 4, lower lock", "unlocked", "its key      fits",
                     "192.0.2.7/26  gateway 192.0.2.1  DNS 192.0.2.53", "2001:db8::7/64", "coaps://192.0.2.9",
                     "coaps://[2001:db8::9]:15684", "agg.example", "38400 baud", "after 2000 ms", "02:00:00:00:0a:09",
                     "seed         sequence 1", "16 sectors of 4096 bytes from byte 16384  unit 8", "2 of 2 copies"):
            self.assertIn(part, shown)
        scalars = [image.one(tag)[7:39] for tag in (RECORD_KEY, TRANSPORT_KEY)]
        for secret in (*scalars, image.seed[1]):
            self.assertNotIn(secret.hex(), shown)
            self.assertNotIn(base64.b64encode(secret).decode()[:40], shown)
        spki = wire.Key(int.from_bytes(scalars[0], "big")).spki
        self.assertIn(hashlib.sha256(spki).hexdigest(), shown)

    def patch(self, out, address, data):
        with open(out / "memory.img", "r+b") as file:
            file.seek(address)
            file.write(data)

    def test_show_says_what_is_wrong_with_an_image(self):
        out = self.enrol("pier")
        self.patch(out, 40, b"\xA5")
        self.assertIn("1 of 2 copies", self.show(out / "memory.img").stdout)
        self.patch(out, 2 * PAGE, b"\xff" * PAGE)
        self.assertIn("none: the device opens no session", self.show(out / "memory.img", expect=1).stdout)
        self.patch(out, PAGE + 40, b"\xA5")
        self.assertIn("fails its check", self.show(out / "memory.img", expect=2).stderr)
        self.patch(out, 4, b"\0\2")
        self.patch(out, PAGE, b"\xff" * PAGE)
        self.assertIn("does not know", self.show(out / "memory.img", expect=2).stderr)
        self.patch(out, 0, b"\xff" * PAGE)
        self.assertIn("no identity", self.show(out / "memory.img", expect=2).stderr)
        self.assertIn("No such file", self.show(out / "nothing", expect=1).stderr)

    def test_a_board_is_enrolled_again_with_force_only_and_gets_a_new_epoch(self):
        out = self.enrol("pier")
        before = (out / "memory.img").read_bytes()
        self.assertIn("exists; --force replaces it", self.enrol("pier", "--device-id", 1, expect=1).stderr)
        self.assertEqual((out / "memory.img").read_bytes(), before)
        self.enrol("pier", "--device-id", 1, "--force")
        image = Image(out / "memory.img")
        self.assertEqual((image.one(EPOCH), image.sequence), (b"\0\2", 2))
        entry = (self.site.registry / "1.yaml").read_text()
        self.assertTrue(re.search(r"epoch: 1\b", entry) and re.search(r"epoch: 2\b", entry), entry)

    def test_every_mistake_is_told_and_nothing_is_made(self):
        cases = {
            ("--aggregator", "coap://x"): "is not coaps://HOST",
            ("--aggregator", "coaps+tcp://x"): "goes over TCP",
            ("--aggregator", f"coaps://{'x' * 90}"): "longer than the 95",
            ("--site", ""): "1 to 63 characters",
            ("--ipv4", "192.0.2.7"): "--ipv4 '192.0.2.7' is neither dhcp",
            ("--ipv4", "192.0.2.7/31"): "1 to 30 bits",
            ("--ipv4", "224.0.0.1/24"): "is neither dhcp",
            ("--ipv4", "192.0.2.7/24", "--gateway", "192.0.3.1"): "not in the network",
            ("--ipv4", "192.0.2.7/24", "--dns", "name"): "--dns 'name' is no IPv4 address",
            ("--gateway", "192.0.2.1"): "gives --gateway and --dns itself",
            ("--ipv6", "ff02::1/64"): "--ipv6 'ff02::1/64' is neither auto",
            ("--ipv6", "2001:db8::1"): "is neither auto",
            ("--ipv6", "2001:db8::1/48"): "--ipv6 '2001:db8::1/48' has not 64 bits of network",
            ("--mac", "01:00:00:00:00:01"): "no MAC address of one machine",
            ("--mac", "02:00:00:00:00"): "no MAC address",
            ("--baud", "110"): "from 1200 to 1000000",
            ("--seal-max-age", "50ms"): "no duration from 100ms",
            ("--seal-max-age", "5"): "no duration",
            ("--spool-sectors", "3"): "from 4 to 64",
            ("--spool-sectors", "65"): "from 4 to 64",
        }
        for words, part in cases.items():
            self.assertIn(part, self.enrol("pier", *words, expect=3).stderr, words)
        self.assertIn("there are: qemu_mps2_an385 qemu_lm3s6965", self.enrol("pier", board="qemu", expect=3).stderr)
        self.assertIn("needs --board", self.site.headrace(
            "device", "enrol", "--ca", self.site.ca, "--registry", self.site.registry, "--out", self.folder / "pier", "--name",
            "pier", "--baud", 38400, expect=3).stderr)
        self.assertFalse((self.folder / "pier").exists())
        self.assertEqual(list(self.site.registry.iterdir()), [])

    def test_a_spool_that_was_never_begun_is_said_to_be_none(self):
        out = self.enrol("pier")
        for verb in ("inspect", "verify"):
            done = self.site.headrace("spool", verb, out / "memory.img", expect=2)
            self.assertIn("no spool yet", done.stderr)


if __name__ == "__main__":
    unittest.main()
