# SPDX-License-Identifier: Apache-2.0
"""Bad networks between a collector and an aggregator: a UDP proxy that loses, doubles, delays and reorders datagrams and
changes its source port, and a TCP proxy that stalls and cuts connections anywhere."""
import collections
import contextlib
import heapq
import itertools
import selectors
import socket
import struct
import threading
import time

TICK_S = 0.005


IP_AND_UDP = 28  # bytes of IPv4 and UDP before each datagram


class UdpProxy:
    """Forwards datagrams of any number of clients, both ways. Set `loss`, `doubling` (probabilities), `delay_s`
    (each datagram waits a random part of it, so they overtake each other) and `down` at any time. `counts` has what the
    clients and the server sent, in datagrams and in bytes of IPv4 packets."""

    def __init__(self, server_port, random):
        self.loss = self.doubling = self.delay_s = 0.0
        self.down = False
        self.counts = collections.Counter()
        self._server = ("127.0.0.1", server_port)
        self._random = random
        self._front = self._socket()
        self.port = self._front.getsockname()[1]
        self._clients = {}  # back socket: client address
        self._backs = {}    # client address: back socket
        self._waiting = []  # heap of (due, number, send)
        self._numbers = itertools.count()
        self._rebind = threading.Event()
        self._end = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _socket():
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.bind(("127.0.0.1", 0))
        out.setblocking(False)
        return out

    def rebind(self):
        """The server sees every client at a new port from now on; what it sends to the old one is lost."""
        self._rebind.set()
        while self._rebind.is_set():
            time.sleep(TICK_S)

    def _run(self):
        while not self._end.is_set():
            if self._rebind.is_set():
                self._change_ports()
            wait_s = max(0, self._waiting[0][0] - time.monotonic()) if self._waiting else TICK_S
            for key, _ in self._selector.select(min(wait_s, TICK_S)):
                self._receive(key.fileobj)
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                with contextlib.suppress(OSError):  # the peer has gone, or the port was changed
                    heapq.heappop(self._waiting)[2]()

    def _change_ports(self):
        for client, old in list(self._backs.items()):
            self._drop_back(old)
            self._add_back(client)
        self.counts["rebinds"] += 1
        self._rebind.clear()

    def _drop_back(self, back):
        self._selector.unregister(back)
        del self._backs[self._clients.pop(back)]
        back.close()

    def _add_back(self, client):
        back = self._backs[client] = self._socket()
        self._clients[back] = client
        self._selector.register(back, selectors.EVENT_READ)
        return back

    def _receive(self, ready):
        try:
            data, sender = ready.recvfrom(65536)
        except OSError:
            return
        self.keep(data)
        if ready is self._front:
            back = self._backs.get(sender) or self._add_back(sender)
            self.counts["bytes_to_server"] += IP_AND_UDP + len(data)
            for datagram in self.change(data, True):
                self._pass_on(lambda datagram=datagram: back.sendto(datagram, self._server))
        else:
            client = self._clients[ready]
            self.counts["bytes_to_client"] += IP_AND_UDP + len(data)
            for datagram in self.change(data, False):
                self._pass_on(lambda datagram=datagram: self._front.sendto(datagram, client))

    def change(self, data, is_to_server):
        """What goes on in place of a datagram: for whoever wants to forge."""
        return [data]

    def keep(self, data):
        """Each datagram that comes, from either side: for whoever wants to look at them."""

    def _pass_on(self, send):
        self.counts["datagrams"] += 1
        if self.down or self._random.random() < self.loss:
            self.counts["lost"] += 1
            return
        copies = 1 + (self._random.random() < self.doubling)
        self.counts["doubled"] += copies - 1
        for _ in range(copies):
            due = time.monotonic() + self._random.random() * self.delay_s
            if self._waiting and due < max(self._waiting)[0]:
                self.counts["reordered"] += 1
            heapq.heappush(self._waiting, (due, next(self._numbers), send))

    def close(self):
        self._end.set()
        self._thread.join(5)
        for back in list(self._clients):
            self._drop_back(back)
        self._selector.close()
        self._front.close()


class TcpProxy:
    """Forwards connections until told to cut or to stall them. `cut_after(n)` resets the connection once n more bytes
    have gone either way, so in the middle of whatever is on its way."""

    def __init__(self, server_port):
        self._server = ("127.0.0.1", server_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.counts = collections.Counter()
        self.stalled = False
        self._left = None  # bytes until the next cut
        self._lock = threading.Lock()
        self._pairs = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut_after(self, n_bytes):
        with self._lock:
            self._left = n_bytes

    def cut_is_due(self):
        with self._lock:
            return self._left is not None

    def _run(self):
        while not self._end.is_set():
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                for side in [] if self.stalled else list(self._pairs):
                    selector.register(side, selectors.EVENT_READ)
                for key, _ in selector.select(0.05):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._pairs:
                        self._forward(key.fileobj)

    def _accept(self):
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._server, timeout=60)
        except OSError:
            client.close()
            return
        self.counts["connections"] += 1
        self._pairs[client], self._pairs[server] = server, client

    def _forward(self, side):
        other = self._pairs[side]
        try:
            data = side.recv(4096)
            with self._lock:
                cut = self._left is not None and self._left <= len(data)
                if cut:
                    data, self._left = data[:self._left], None
                elif self._left is not None:
                    self._left -= len(data)
            other.sendall(data)
        except OSError:
            data, cut = b"", False
        self.counts["bytes"] += len(data)
        if cut:
            self.counts["cuts"] += 1
        if cut or not data:
            self._close(side, other, reset=cut)

    def _close(self, *sides, reset):
        for side in sides:
            if reset:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            side.close()
            self._pairs.pop(side, None)

    def close(self):
        self._end.set()
        self._thread.join(5)
        for side in list(self._pairs):
            self._close(side, reset=False)
        self._listener.close()
