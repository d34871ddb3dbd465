#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What comes out of Kafka proves itself, offline: with `headrace verify`, and with the openssl command line alone.

Batches that went through the whole pipeline are read back from the raw topics. The signed bytes are put together here
after proto/SPEC.md section 2.3."""
import hashlib
import subprocess
import sys
import unittest

import wire
from harness import Aggregator, Site, SystemTest, program, run
from pipeline import Batch, Broker, Collector, RAW, seeded, wait_published

HEADER, SIGNATURE = 108, 64
PAYLOAD_SAMPLES = 200


def der_integer(number):
    """DER INTEGER of 32 big-endian bytes."""
    body = number.lstrip(b"\x00")
    body = b"\x00" + body if not body or body[0] & 0x80 else body
    return b"\x02" + bytes([len(body)]) + body


def der_signature(raw):
    body = der_integer(raw[:32]) + der_integer(raw[32:])
    return b"\x30" + bytes([len(body)]) + body


def signed_bytes(spki, header):
    out = (b"\x84\x6aSignature1\x43\xa1\x01\x26\x58\x2dedge.batch.v1" + hashlib.sha256(spki).digest() + b"\x58\x6c" + header)
    assert len(out) == 173
    return out


class Signatures(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.random = seeded("signatures")

    def setUp(self):
        super().setUp()
        broker = self.own(Broker(self.folder))
        self.site = Site(self.folder)
        self.device = self.site.enrol("gateway")
        self.stranger = self.site.enrol("stranger")
        aggregator = self.own(Aggregator(self.site, sinks=broker.sinks())).start()
        log = self.folder / "fleet.nmea"
        with open(log, "wb") as out:
            subprocess.run([program("headrace"), "sim", "ais", "--rate", "0", "--count", "5000", "--to", "-"], stdout=out,
                           stderr=subprocess.DEVNULL, check=True)
        collector = self.own(Collector(self.device, [aggregator.coaps_tcp], f"  - {{type: ais, source: file, path: {log}}}\n",
                                       more="seal: {max_bytes: 2000}\n"))
        collector.start("--once")
        self.assertEqual(collector.process.wait(), 0)
        wait_published(aggregator)
        published = sorted(broker.read(*RAW), key=lambda p: p.leaf)
        self.envelopes = [p.value for p in published]
        self.assertGreater(len(self.envelopes), 40)

    def verify(self, envelope, expect, device=None):
        """`headrace verify` of these bytes must end with this exit code."""
        path = self.folder / "envelope"
        path.write_bytes(envelope)
        done = run(program("headrace"), "verify", path, "--key", (device or self.device).public_key, expect=None)
        self.assertEqual(done.returncode, expect, f"{done.stdout}{done.stderr}\n{envelope[:HEADER + SIGNATURE].hex()}")
        return done.stdout

    def test_every_batch_verifies_and_one_wrong_byte_is_refused(self):
        for envelope in self.envelopes:
            self.verify(envelope, 0)
        self.verify(self.envelopes[0], 1, self.stranger)
        envelope = self.envelopes[len(self.envelopes) // 2]
        payload = self.random.sample(range(HEADER + SIGNATURE, len(envelope)), PAYLOAD_SAMPLES)
        places = [*range(HEADER + SIGNATURE), *payload]
        for place in places:
            wrong = bytearray(envelope)
            wrong[place] ^= 1 << self.random.randrange(8)
            self.verify(wrong, 1)
        for wrong in envelope[:-1], envelope + b"\x00", envelope[:HEADER + SIGNATURE], b"":
            self.verify(wrong, 1)
        print(f"{len(self.envelopes)} batches accepted; {len(places)} wrong bytes refused, at every place of header and "
              f"signature and {PAYLOAD_SAMPLES} of the payload", flush=True)

    def test_openssl_alone_verifies_every_batch_and_the_chain_is_whole(self):
        spki = subprocess.run(["openssl", "pkey", "-pubin", "-in", self.device.public_key, "-outform", "DER"],
                              stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(len(spki), 91)
        prev = wire.stream_anchor(self.device.device_id, 0)
        for envelope in self.envelopes:
            header, signature = envelope[:HEADER], envelope[HEADER:HEADER + SIGNATURE]
            self.assertTrue(self.openssl_accepts(signed_bytes(spki, header), der_signature(signature)))
            self.assertEqual(header[44:76], prev)
            self.assertEqual(header[76:108], wire.merkle_root(Batch(envelope).records()))
            prev = hashlib.sha256(header).digest()
        wrong = bytearray(signed_bytes(spki, header))
        wrong[-1] ^= 1
        self.assertFalse(self.openssl_accepts(bytes(wrong), der_signature(signature)))
        print(f"openssl verifies {len(self.envelopes)} batches; digests and roots join them to one chain", flush=True)

    def openssl_accepts(self, message, signature):
        (self.folder / "signature.der").write_bytes(signature)
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.device.public_key, "-signature",
                               self.folder / "signature.der"], input=message, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode == 0, b"Verified OK" in done.stdout)
        return done.returncode == 0


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
