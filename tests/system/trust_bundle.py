# SPDX-License-Identifier: Apache-2.0
"""Trust bundles after proto/SPEC.md section 13, written a second time and from the text alone. Run by itself it prints
tests/vectors/trust.txt."""
import base64
import hashlib
import struct

import wire

DOMAIN = b"edge.trustbundle.v1"


# Authorities that a TLS library takes, for who looks at them; openssl made them.
OLD_AUTHORITY = base64.b64decode(
    "MIIBeDCCAR6gAwIBAgIUION0UMz36gFZm4nnTHkOPswEVJYwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNYXV0aG9yaXR5IG9sZDAgFw0yNjExMj"
    "IwNTI2MjNaGA8yMTI2MTAyOTA1MjYyM1owGDEWMBQGA1UEAwwNYXV0aG9yaXR5IG9sZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFMKmV8e"
    "vKdKTtBLYm9ga2kaMvx9U5GOr4LpEpU73fJgbULHQ6+SN5tnEHUfWPjqmjg05brGKniGZP3FqiodtjGjRDBCMB8GA1UdIwQYMBaAFIx90a9S9+"
    "cdRG/RXhbqqYHhCP+qMA4GA1UdDwEB/wQEAwICBDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCUmpnHORXCqO+BkyR07L8R"
    "lHXukIx6gzYnyytZs2RDdAIgaJfYJqo3ioEQcxSw+CGhP7tQ9sYAZ1Ks0D0JKIt0HAo=")
NEW_AUTHORITY = base64.b64decode(
    "MIIBeTCCAR6gAwIBAgIUUwWnZlgt/nRdpUIFC9vgGYqg/9swCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNYXV0aG9yaXR5IG5ldzAgFw0yNjExMj"
    "IwNTI2MjNaGA8yMTI2MTAyOTA1MjYyM1owGDEWMBQGA1UEAwwNYXV0aG9yaXR5IG5ldzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOfwsAdS"
    "OB1vzfI+QlYKk7Xw4N3po/hiy3Fq0qksLvJOUMXuz0Nfqg+1H2hhQt4DAr2OqVXBkVocmPRfIBfVsomjRDBCMB8GA1UdIwQYMBaAFLQo2IWynx"
    "inGf7zgJlnE90opK7jMA4GA1UdDwEB/wQEAwICBDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCT7vwqfWXCWJJXzj2nMA9g"
    "0kUAczwm7PtJsXtGNiqjywIhAI00wPTVX6jNc6DE3raqiosuJQ5FxZt9N70NMrB8mV3I")


def field(tag, value):
    return struct.pack(">BH", tag, len(value)) + value


def head(version, fields, form=1):
    return b"HRTB" + struct.pack(">HHI", form, 12 + len(fields), version) + fields


def body(version, threshold, signers, authorities, names=(), later=b""):
    fields = field(1, bytes([threshold])) + b"".join(field(2, key) for key in sorted(signers))
    fields += b"".join(field(3, der) for der in authorities)
    fields += b"".join(field(4, name.encode() + b"\0") for name in names)
    return head(version, fields + later)


def to_be_signed(signed, spki):
    length = b"\x58" + bytes([len(signed)]) if len(signed) < 256 else b"\x59" + struct.pack(">H", len(signed))
    return (b"\x84\x6aSignature1\x43\xa1\x01\x26\x58\x33" + DOMAIN + hashlib.sha256(spki).digest() + length + signed)


def signature(signed, key):
    return hashlib.sha256(key.spki).digest() + key.sign(to_be_signed(signed, key.spki))


def sealed(signed, keys):
    return signed + bytes([len(keys)]) + b"".join(sorted(signature(signed, key) for key in keys))


def taken_apart(bundle):
    """{version, threshold, signers, authorities, names, signers_of} of one bundle, and what stands behind it."""
    magic, form, length, version = struct.unpack(">4sHHI", bundle[:12])
    assert (magic, form) == (b"HRTB", 1)
    found = {1: [], 2: [], 3: [], 4: []}
    at = 12
    while at < length:
        tag, size = struct.unpack(">BH", bundle[at:at + 3])
        found.setdefault(tag, []).append(bundle[at + 3:at + 3 + size])
        at += 3 + size
    end = length + 1 + 96 * bundle[length]
    ids = [bundle[i:i + 32] for i in range(length + 1, end, 96)]
    return {"version": version, "threshold": found[1][0][0], "signers": found[2], "authorities": found[3],
            "names": [name.rstrip(b"\0").decode() for name in found[4]], "signed_by": ids, "bytes": bundle[:end]}, bundle[end:]


def vectors():
    keys = [wire.Key(n) for n in (101, 102, 103, 104)]
    one, two, three, four = (key.spki for key in keys)
    old_ca, new_ca = b"\x30\x82\x01\x2c" + b"\xa1" * 300, b"\x30\x81\xc8" + b"\xa2" * 200
    first = body(1, 2, (one, two), (old_ca,), ("agg.example",))
    second = body(2, 1, (two, three), (old_ca, new_ca), later=field(64, b"receipt"))
    foreign = body(2, 1, (three, four), (new_ca,))
    third = body(3, 1, (two, three), (new_ca,))
    yield "digest_one", hashlib.sha256(to_be_signed(first, one)).digest()
    yield "first", sealed(first, keys[:2])
    yield "first_by_one", sealed(first, keys[:1])
    yield "second", sealed(second, keys[:2])
    yield "second_by_one_of_two", sealed(second, keys[:1])
    yield "second_by_its_own", sealed(second, keys[1:3])
    yield "second_foreign", sealed(foreign, keys[2:])
    yield "second_not_by_new", sealed(foreign, keys[:2])
    yield "second_by_all", sealed(foreign, keys)
    yield "second_forged", second + b"\x02" + b"".join(
        sorted(hashlib.sha256(spki).digest() + signature(second, keys[3])[32:] for spki in (one, two)))
    yield "third", sealed(third, keys[1:2])
    # The same three with authorities that are some.
    yield "store_first", sealed(body(1, 2, (one, two), (OLD_AUTHORITY,), ("agg.example",)), keys[:2])
    yield "store_second", sealed(body(2, 1, (two, three), (OLD_AUTHORITY, NEW_AUTHORITY), ("agg.example", "agg2.example")), keys[:2])
    yield "store_third", sealed(body(3, 1, (two, three), (NEW_AUTHORITY,), ("agg2.example",)), keys[1:2])
    yield "store_first_by_one", sealed(body(1, 2, (one, two), (OLD_AUTHORITY,)), keys[:1])
    yield "store_no_authority", sealed(body(2, 1, (two, three), (b"\x30\x03\x02\x01\x00",)), keys[:2])
    yield "old_authority", OLD_AUTHORITY
    yield "new_authority", NEW_AUTHORITY


if __name__ == "__main__":
    print("# Trust bundles (proto/SPEC.md section 13), by tests/system/trust_bundle.py, which shares nothing with ours; what is in\n"
          "# them stands there and in tests/unit/test_trust.c. digest_one is what the first signer signs of `first`.")
    for name, data in vectors():
        print(f"{name:<20} {data.hex()}")
