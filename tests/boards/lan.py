# SPDX-License-Identifier: Apache-2.0
"""A LAN for one board, played by a thread: frames come and go as UDP datagrams (tools/dev/qemu --net frames:...). It has
DHCP, a router that advertises an IPv6 prefix, a server of names, and an address translator towards one UDP port of
loopback. Rules may drop datagrams on their way: nothing here needs privileges or another network."""
import contextlib
import ipaddress
import select
import socket
import struct
import threading

ROUTER_MAC, EVERYBODY = bytes.fromhex("024852000001"), b"\xff" * 6
ROUTER4, SERVER4, NAMES4, BOARD4 = (ipaddress.IPv4Address(f"10.77.0.{n}") for n in (1, 2, 3, 15))
ROUTER6 = ipaddress.IPv6Address("fe80::4852")
PREFIX6 = ipaddress.IPv6Network("fd77::/64")
SERVER6, NAMES6 = PREFIX6[2], PREFIX6[3]
SERVERS = (SERVER4, SERVER6, ipaddress.IPv6Address("fd78::2"))
ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD
ICMP6, UDP = 58, 17
KEPT_FRAMES = 200


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source, target, protocol, payload):
    """Payloads carry a zero where their checksum belongs: 6 bytes into UDP, 2 into ICMPv6."""
    pseudo = source.packed + target.packed
    pseudo += struct.pack("!BBH", 0, protocol, len(payload)) if source.version == 4 else struct.pack("!II", len(payload), protocol)
    at = 6 if protocol == UDP else 2
    payload = payload[:at] + struct.pack("!H", checksum(pseudo + payload) or 0xFFFF) + payload[at + 2:]
    if source.version == 6:
        return struct.pack("!IHBB", 0x60000000, len(payload), protocol, 255) + source.packed + target.packed + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + source.packed + target.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def udp(source_port, target_port, payload):
    return struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0) + payload


class Lan:
    """`names` maps a name to its addresses; `rule(to_server, payload)` returns True for a datagram that gets lost."""

    def __init__(self, server_port, names=(), rule=None):
        self.server_port, self.names, self.rule = server_port, dict(names), rule
        self.wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.wire.bind(("127.0.0.1", 0))
        self.board_port = None
        self.asked = []     # (name, record type) of each question
        self.relayed = []   # (version of IP, to_server, bytes) of each datagram that was not lost
        self.lost = 0
        self.sent = []      # the first frames to the board
        self.addresses = set()  # from which the board spoke to a server
        self.flows = {}         # (board address, board port, server address, server port): socket
        self._board_mac = None
        self._stop, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def net_option(self):
        """For tools/dev/qemu. A free port may be taken until QEMU binds it; see Emulator's caller."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.board_port = probe.getsockname()[1]
        return f"frames:{self.wire.getsockname()[1]}:{self.board_port}"

    def start(self):
        self._thread.start()

    def close(self):
        self._wake.send(b"x")
        if self._thread.is_alive():
            self._thread.join(10)
        for end in (*self.flows.values(), self.wire, self._stop, self._wake):
            end.close()

    def move(self):
        """The address translator forgets: what comes next leaves by other ports."""
        flows, self.flows = self.flows, {}
        for flow in flows.values():
            flow.close()

    def _run(self):
        while True:
            flows = {flow: key for key, flow in list(self.flows.items())}
            try:
                ready, _, _ = select.select([self._stop, self.wire, *flows], [], [], 0.2)
            except (OSError, ValueError):  # a flow was closed by move()
                continue
            if self._stop in ready:
                return
            for end in ready:
                with contextlib.suppress(OSError):
                    if end is self.wire:
                        self._frame(self.wire.recv(2048))
                    else:
                        self._from_server(flows[end], end.recv(2048))

    def _send(self, mac, kind, payload):
        frame = mac + ROUTER_MAC + struct.pack("!H", kind) + payload
        if len(self.sent) < KEPT_FRAMES:
            self.sent.append(frame)
        self.put(frame)

    def put(self, frame):
        """Any frame at all, to the board. Call it from a rule, which runs in the thread of the LAN."""
        self.wire.sendto(frame.ljust(60, b"\0"), ("127.0.0.1", self.board_port))

    def _send_ip(self, source, target, protocol, payload, mac=None):
        kind = ETHERTYPE_IPV4 if source.version == 4 else ETHERTYPE_IPV6
        self._send(mac or self._board_mac, kind, ip_packet(source, target, protocol, payload))

    # ---- what the board says ----

    def _frame(self, frame):
        kind = struct.unpack("!H", frame[12:14])[0]
        self._board_mac = frame[6:12]
        if kind == ETHERTYPE_ARP:
            self._arp(frame[14:])
        elif kind == ETHERTYPE_IPV4:
            packet = frame[14:14 + struct.unpack("!H", frame[16:18])[0]]
            if packet[9] == UDP:
                self._udp(ipaddress.IPv4Address(packet[12:16]), ipaddress.IPv4Address(packet[16:20]), packet[20:])
        elif kind == ETHERTYPE_IPV6:
            self._ipv6(frame[14:])

    def _arp(self, packet):
        sender_mac, sender, wanted = packet[8:14], packet[14:18], packet[24:28]
        if packet[7] == 1 and wanted != sender and ipaddress.IPv4Address(wanted) in (ROUTER4, SERVER4, NAMES4):
            self._send(sender_mac, ETHERTYPE_ARP, packet[:7] + b"\x02" + ROUTER_MAC + wanted + sender_mac + sender)

    def _ipv6(self, packet):
        length, protocol = struct.unpack("!HB", packet[4:7])
        source, target = ipaddress.IPv6Address(packet[8:24]), ipaddress.IPv6Address(packet[24:40])
        payload = packet[40:40 + length]
        if protocol == UDP:
            self._udp(source, target, payload)
        elif protocol == ICMP6 and payload[0] == 133:
            self._advertise()
        elif protocol == ICMP6 and payload[0] == 135 and not source.is_unspecified:
            wanted = ipaddress.IPv6Address(payload[8:24])
            if wanted not in (ROUTER6, NAMES6, *SERVERS):
                return
            answer = struct.pack("!BBHI", 136, 0, 0, 0xE0000000) + wanted.packed + b"\x02\x01" + ROUTER_MAC
            self._send_ip(wanted, source, ICMP6, answer)

    def _advertise(self):
        options = b"\x01\x01" + ROUTER_MAC
        options += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 43200, 0) + PREFIX6.network_address.packed
        options += struct.pack("!BBHI", 25, 3, 0, 86400) + NAMES6.packed
        advert = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + options
        self._send_ip(ROUTER6, ipaddress.IPv6Address("ff02::1"), ICMP6, advert, mac=bytes.fromhex("333300000001"))

    def _udp(self, source, target, datagram):
        source_port, target_port = struct.unpack("!HH", datagram[:4])
        payload = datagram[8:]
        if target_port == 67:
            self._dhcp(payload)
        elif target_port == 53 and target in (NAMES4, NAMES6):
            self._send_ip(target, source, UDP, udp(53, source_port, self._name(payload)))
        elif target in SERVERS and target_port == self.server_port:
            self._to_server((source, source_port, target, target_port), payload)

    def _dhcp(self, question):
        kind = {1: 2, 3: 5}.get(question[242])  # option 53 comes first: discover, request
        if question[240] != 53 or kind is None:
            return
        answer = b"\x02" + question[1:12] + bytes(4) + BOARD4.packed + ROUTER4.packed + bytes(4) + question[28:236] + question[236:240]
        for option, value in ((53, bytes([kind])), (54, ROUTER4.packed), (51, struct.pack("!I", 3600)),
                              (1, bytes([255, 255, 255, 0])), (3, ROUTER4.packed), (6, NAMES4.packed)):
            answer += bytes([option, len(value)]) + value
        self._send_ip(ROUTER4, ipaddress.IPv4Address("255.255.255.255"), UDP, udp(67, 68, answer + b"\xff"), mac=EVERYBODY)

    def _name(self, question):
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        asked = question[12:at + 5]
        kind = {1: 4, 28: 6}.get(struct.unpack("!H", question[at + 1:at + 3])[0])
        name = ".".join(labels)
        self.asked.append((name, "AAAA" if kind == 6 else "A"))
        found = [address for address in self.names.get(name, ()) if address.version == kind]
        flags = 0x8180 if name in self.names else 0x8183
        answer = question[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0) + asked
        for address in found:
            answer += b"\xc0\x0c" + asked[-4:] + struct.pack("!IH", 60, len(address.packed)) + address.packed
        return answer

    # ---- the address translator ----

    def _passes(self, version, to_server, payload):
        if self.rule is not None and self.rule(to_server, payload):
            self.lost += 1
            return False
        self.relayed.append((version, to_server, len(payload)))
        return True

    def _to_server(self, key, payload):
        self.addresses.add(key[0])
        if not self._passes(key[0].version, True, payload):
            return
        if key not in self.flows:
            flow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            flow.connect(("127.0.0.1", self.server_port))
            self.flows[key] = flow
        self.flows[key].send(payload)

    def _from_server(self, key, payload):
        board, board_port, server, server_port = key
        if self._passes(board.version, False, payload):
            self._send_ip(server, board, UDP, udp(server_port, board_port, payload))
