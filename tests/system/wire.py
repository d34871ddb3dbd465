# SPDX-License-Identifier: Apache-2.0
"""Batches and acks after proto/SPEC.md, written a second time and from the text alone, so that the tests don't believe
our own encoder. Signing is textbook ECDSA over P-256: slow, not constant in time, and independent."""
import base64
import dataclasses
import hashlib
import re
import secrets
import struct

SEQ_NONE = 0xFFFFFFFF
FIRST_OF_STREAM, KEY_SWITCH, LOSS = 1, 2, 4
OK, DUPLICATE, GAP, MALFORMED, UNKNOWN_KEY, REVOKED, QUARANTINED, UNKNOWN_DEVICE, FORK, EQUIVOCATION, UNSUPPORTED, \
    BAD_SIGNATURE, BAD_ROOT, SLOW_DOWN, UNAVAILABLE, STREAM_AHEAD = range(16)

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)
SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def _add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _multiply(k, point):
    out = None
    while k:
        if k & 1:
            out = _add(out, point)
        point = _add(point, point)
        k >>= 1
    return out


class Key:
    """A record key out of a PKCS#8 PEM file as OpenSSL writes it, or a number."""

    def __init__(self, source):
        if isinstance(source, int):
            self.secret = source
        else:
            der = base64.b64decode(re.sub(r"-----[^-]+-----|\s", "", source.read_text()))
            self.secret = int.from_bytes(der[der.index(b"\x02\x01\x01\x04\x20") + 5:][:32], "big")
        self.spki = _spki(_multiply(self.secret, G))

    def sign(self, message):
        z = int.from_bytes(hashlib.sha256(message).digest(), "big")
        while True:
            k = secrets.randbelow(N - 1) + 1
            r = _multiply(k, G)[0] % N
            s = pow(k, -1, N) * (z + r * self.secret) % N
            if r and s:
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _halves(signature):
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def _point(spki):
    return int.from_bytes(spki[-64:-32], "big"), int.from_bytes(spki[-32:], "big")


def _spki(point):
    return SPKI_PREFIX + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def verifies(spki, message, signature):
    """Textbook ECDSA over P-256 with SHA-256."""
    z = int.from_bytes(hashlib.sha256(message).digest(), "big")
    r, s = _halves(signature)
    w = pow(s, -1, N)
    point = _add(_multiply(z * w % N, G), _multiply(r * w % N, _point(spki)))
    return point is not None and point[0] % N == r


def other_key_of(signature, message, spki):
    """The other key of which this is a signature too: from r only the point R or -R is known, and each gives a key. Nobody
    knows its private half."""
    z = int.from_bytes(hashlib.sha256(message).digest(), "big")
    r, s = _halves(signature)
    w = pow(s, -1, N)
    x, y = _add(_multiply(z * w % N, G), _multiply(r * w % N, _point(spki)))
    minus_z = _multiply(-z % N, G)
    return _spki(_multiply(pow(r, -1, N), _add(_multiply(s, (x, P - y)), minus_z)))


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number, kind, content):
    return varint(number << 3 | kind) + content


def event_record(code, text, dt_ms=0):
    """Record{dt_ms, event{code, text}}"""
    body = _field(1, 0, varint(code)) + _field(2, 2, varint(len(text)) + text.encode())
    return (_field(1, 0, varint(dt_ms)) if dt_ms else b"") + _field(13, 2, varint(len(body)) + body)


def key_switch_record(stream, new, dt_ms=0):
    """Record{dt_ms, key_switch}: the last of the next batch of the stream, behind which the new key signs."""
    prev, switch_seq = stream.prev, stream.seq + 1
    proof = new.sign(b"edge.keyswitch.v1" + struct.pack(">QII", stream.device_id, stream.stream, switch_seq) + prev)
    body = b"".join([_field(1, 0, varint(stream.epoch)), _field(2, 0, varint(stream.epoch + 1)),
                     _field(3, 2, varint(len(new.spki)) + new.spki), _field(4, 0, varint(switch_seq)),
                     _field(5, 2, varint(len(proof)) + proof)])
    return (_field(1, 0, varint(dt_ms)) if dt_ms else b"") + _field(9, 2, varint(len(body)) + body)


def ais_record(payload_bits, dt_ms=0):
    """Record{dt_ms, ais_a}: a VDM on channel A of whole octets."""
    return (_field(1, 0, varint(dt_ms)) if dt_ms else b"") + _field(2, 2, varint(len(payload_bits)) + payload_bits)


def merkle_root(leaves):
    """RFC 6962 section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def stream_anchor(device_id, stream, last_digest=bytes(32)):
    return hashlib.sha256(b"edge.stream0.v1" + struct.pack(">QI", device_id, stream) + last_digest).digest()


@dataclasses.dataclass
class Batch:
    device_id: int
    seq: int
    records: list
    prev: bytes
    stream: int = 0
    epoch: int = 1
    first_record: int = 0
    flags: int = 0
    boot_id: int = 1
    base_uptime_ms: int = 1000
    schema_id: int = 1
    magic: int = 0x45B1
    root: bytes = None  # None: the right one

    @property
    def payload(self):
        return b"".join(varint(len(r)) + r for r in self.records)

    @property
    def header(self):
        root = merkle_root(self.records) if self.root is None else self.root
        out = struct.pack(">HBBQIHI", self.magic, 1, self.flags, self.device_id, self.stream, self.epoch, self.seq)
        out += self.first_record.to_bytes(6, "big") + struct.pack(">HHI", len(self.records), len(self.payload), self.boot_id)
        out += self.base_uptime_ms.to_bytes(6, "big") + struct.pack(">H", self.schema_id) + self.prev + root
        assert len(out) == 108
        return out

    @property
    def digest(self):
        return hashlib.sha256(self.header).digest()

    def tbs(self, key):
        return (bytes.fromhex("846a") + b"Signature1" + bytes.fromhex("43a10126582d") + b"edge.batch.v1"
                + hashlib.sha256(key.spki).digest() + bytes.fromhex("586c") + self.header)

    def envelope(self, key):
        return self.header + key.sign(self.tbs(key)) + self.payload


class Stream:
    """A device's chain: each call of next() gives the batch that follows."""

    def __init__(self, device_id, stream=0, epoch=1, last_digest=bytes(32)):
        self.device_id, self.stream, self.epoch = device_id, stream, epoch
        self.prev = stream_anchor(device_id, stream, last_digest)
        self.seq = 0
        self.first_record = 0

    def peek(self, records, **changes):
        flags = FIRST_OF_STREAM if self.seq == 0 else 0
        return Batch(**{**dict(device_id=self.device_id, seq=self.seq, records=records, prev=self.prev, stream=self.stream,
                               epoch=self.epoch, first_record=self.first_record, flags=flags), **changes})

    def next(self, records, **changes):
        batch = self.peek(records, **changes)
        self.prev = batch.digest
        self.seq += 1
        self.first_record += len(records)
        return batch


@dataclasses.dataclass
class Ack:
    version: int
    status: int
    stream: int
    cum_seq: int
    sack: int
    cum_digest: bytes
    server_utc_ms: int
    hints: int

    @classmethod
    def of(cls, data):
        if len(data) != 29:
            raise AssertionError(f"an ack has 29 bytes, this has {len(data)}")
        version, status, stream, cum_seq, sack = struct.unpack(">BBIII", data[:14])
        return cls(version, status, stream, cum_seq, sack, data[14:22], int.from_bytes(data[22:28], "big"), data[28])


def _check_vector():
    """The shared vector of PROTOCOL.md 1.3, in tests/vectors/signature.txt, holds for this second writing too."""
    import pathlib
    lines = (pathlib.Path(__file__).resolve().parents[1] / "vectors/signature.txt").read_text().splitlines()
    vector = dict(line.split(None, 1) for line in lines if line and not line.startswith("#") and len(line.split(None, 1)) == 2)
    key = Key(int(vector["priv"], 16))
    batch = Batch(device_id=1, seq=0, records=[], prev=bytes(32))
    assert hashlib.sha256(key.spki).hexdigest() == vector["spki_sha256"]
    header = bytes.fromhex(vector["header"])
    tbs = batch.tbs(key)[:-108] + header
    assert tbs.hex() == vector["tbs"] and hashlib.sha256(header).hexdigest() == vector["batch_digest"]


_check_vector()
