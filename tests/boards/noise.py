# SPDX-License-Identifier: Apache-2.0
"""Frames that nobody should send: random ones, and what a board really got, cut, lengthened or with some bits changed. Some
have checksums that hold, so that what is wrong is found further up."""
import ipaddress
import struct

from lan import BOARD4, EVERYBODY, ICMP6, NAMES4, ROUTER4, ROUTER6, SERVER4, UDP, ip_packet, udp

KINDS = (0x0800, 0x0806, 0x86DD)
HEAD, LONGEST = 14, 1514
ALL_NODES = ipaddress.IPv6Address("ff02::1")


def mutated(chance, data):
    """The bytes with one to eight changed."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 8) if out else 0):
        out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def random_frame(chance, heard):
    kind = chance.choice((*KINDS, chance.randrange(1 << 16)))
    return struct.pack("!H", kind) + chance.randbytes(chance.randrange(LONGEST - HEAD))


def cut_frame(chance, heard):
    frame = chance.choice(heard)[12:]
    return frame[:chance.randrange(2, len(frame))]


def longer_frame(chance, heard):
    return (chance.choice(heard)[12:] + chance.randbytes(chance.randrange(1, 200)))[:LONGEST - 12]


def changed_frame(chance, heard):
    frame = chance.choice(heard)[12:]
    return frame[:2] + mutated(chance, frame[2:])


def random_datagram(chance, heard):
    """To a port that may be open, from a server that the board knows."""
    source = chance.choice((ROUTER4, NAMES4, SERVER4))
    ports = [chance.choice((53, 67, 68, 5684, chance.randrange(1, 1 << 16))) for _ in range(2)]
    return b"\x08\x00" + ip_packet(source, BOARD4, UDP, udp(*ports, chance.randbytes(chance.randrange(600))))


def changed_datagram(chance, heard):
    """Of what came to the board over UDP and IPv4, with a checksum that holds."""
    frames = [frame for frame in heard if frame[12:14] == b"\x08\x00" and frame[23] == UDP]
    packet = chance.choice(frames)[14:]
    datagram = packet[20:26] + b"\0\0" + mutated(chance, packet[28:])
    return b"\x08\x00" + ip_packet(ipaddress.IPv4Address(packet[12:16]), BOARD4, UDP, datagram)


def icmp6_message(chance, heard):
    """Neighbours, routers, groups, errors, and kinds that do not exist."""
    kind = chance.choice((1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143, chance.randrange(256)))
    payload = bytes((kind, chance.choice((0, 0, chance.randrange(256))), 0, 0)) + chance.randbytes(chance.randrange(100))
    return b"\x86\xdd" + ip_packet(ROUTER6, ALL_NODES, ICMP6, payload)


MAKERS = (random_frame, cut_frame, longer_frame, changed_frame, random_datagram, changed_datagram, icmp6_message)


def frame_of_noise(chance, heard):
    """`heard`: frames that the board was sent, those of a UDP server among them."""
    to = chance.choice((heard[0][:6], heard[-1][:6], EVERYBODY, bytes.fromhex("333300000001")))
    return to + heard[-1][6:12] + chance.choice(MAKERS)(chance, heard)
