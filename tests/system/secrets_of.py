# SPDX-License-Identifier: Apache-2.0
"""What must never leave a board's memory, read out of its memory file by proto/SPEC.md section 10, and a search for it."""
import base64
import struct

PAGE, PAGES = 4096, 4
HEAD_BYTES, FIELDS_AT, CHECK_BYTES = 12, 26, 4
NAMES = {7: "record key", 8: "transport key"}
SCALAR_AT, SCALAR_BYTES, SEED_BYTES = 7, 32, 48  # of a DER ECPrivateKey: behind 30 LL 02 01 01 04 20


def secrets_of(memory_path):
    """{name: bytes} of the private keys and the seeds of a memory file."""
    out = {}
    with open(memory_path, "rb") as file:
        memory = file.read(PAGES * PAGE)
    for number in range(PAGES):
        page = memory[number * PAGE:(number + 1) * PAGE]
        magic, _, length, sequence = struct.unpack_from(">4sHHI", page)
        if magic == b"HRSD":
            out[f"seed {sequence}"] = page[HEAD_BYTES:HEAD_BYTES + SEED_BYTES]
        elif magic == b"HRID":
            out.update(keys_of(page[FIELDS_AT:length - CHECK_BYTES]))
    return out


def keys_of(fields):
    out, at = {}, 0
    while at < len(fields):
        tag, length = struct.unpack_from(">BH", fields, at)
        if tag in NAMES:
            der = fields[at + 3:at + 3 + length]
            if der[2:SCALAR_AT] != b"\x02\x01\x01\x04\x20":
                raise AssertionError(f"the {NAMES[tag]} is no ECPrivateKey on P-256")
            out[NAMES[tag]] = der[SCALAR_AT:SCALAR_AT + SCALAR_BYTES]
        at += 3 + length
    return out


def forms(secret):
    """How a secret may be written: as it is, in hex, in base64 at any place of a longer text."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        yield text[4 if before else 0:len(text) // 4 * 4 - 4]
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")[:-1]


def found(secrets, said):
    """The names of the secrets of which a form stands in the bytes. Line ends do not hide one."""
    without = said.replace(b"\r", b"").replace(b"\n", b"")
    return {name for name, secret in secrets.items() for form in forms(secret) if form in said or form in without}
