# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that understands so much of Kafka's protocol that it can pick one request out of a connection and do to it
what networks and brokers do: delay it, lose it, or lose its answer.

A frame is a length and that many bytes. A request begins with int16 api_key, int16 api_version, int32 correlation_id; an
answer with int32 correlation_id (Apache Kafka protocol guide)."""
import collections
import socket
import struct
import threading

PRODUCE, FETCH, INIT_PRODUCER_ID, ADD_PARTITIONS, END_TXN = 0, 1, 22, 24, 26


class Request:
    """One that a rule has picked."""

    def __init__(self, link, frame, number):
        self.link, self.frame, self.number = link, frame, number
        self.api_key, _, self.correlation_id = struct.unpack_from(">hhi", frame, 4)
        self.answered = threading.Event()
        self.answer = None  # its frame
        self.answer_to_client = True

    def is_of(self, origin):
        """Does it speak of the transactions of this log?"""
        return f"{origin}/pub".encode() in self.frame

    def hold(self):
        """It may be forwarded later, also when the client has gone."""
        self.link.held += 1

    def forward(self):
        """Sends it to the broker, now or later."""
        self.link.to_server(self)

    def end_txn_error(self, deadline_s):
        """The error code of the answer to an EndTxn (version 0 and 1: int32 throttle, int16 error)."""
        if not self.answered.wait(deadline_s):
            raise AssertionError("the broker did not answer the EndTxn")
        return struct.unpack_from(">h", self.answer, 12)[0] if self.answer else None


class Link:
    """One connection of a client, and ours to the broker behind it."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.server = socket.create_connection(proxy.target, timeout=5)
        self.server.settimeout(None)
        self.picked = {}  # correlation id: request whose answer is watched
        self.held = 0     # requests that may still be forwarded, so the way to the broker stays open
        self._sending = threading.Lock()
        for run in (self._requests, self._answers):
            threading.Thread(target=run, daemon=True).start()

    def to_server(self, request):
        self.picked[request.correlation_id] = request
        try:
            with self._sending:
                self.server.sendall(request.frame)
        except OSError:
            request.answered.set()

    def reset(self):
        """The client sees its connection break; nothing more of this link reaches it."""
        try:
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.client.close()

    def _requests(self):
        while (frame := read_frame(self.client)) is not None:
            request = self.proxy.picks(self, frame)
            if request is None:
                try:
                    with self._sending:
                        self.server.sendall(frame)
                except OSError:
                    break
        if self.held == 0:
            close(self.server)

    def _answers(self):
        while (frame := read_frame(self.server)) is not None:
            request = self.picked.pop(struct.unpack_from(">i", frame, 4)[0], None)
            if request is not None:
                request.answer = frame
                request.answered.set()
                if not request.answer_to_client:
                    continue
            try:
                self.client.sendall(frame)
            except OSError:
                pass  # the client has gone; answers to what is held still matter
        for request in list(self.picked.values()):
            request.answered.set()
        close(self.client)


def close(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


def read_frame(connection):
    """A whole frame with its length; None at the end."""
    head = read_exactly(connection, 4)
    body = head and read_exactly(connection, struct.unpack(">i", head)[0])
    return head + body if body else None


def read_exactly(connection, n):
    out = b""
    while len(out) < n:
        try:
            more = connection.recv(n - len(out))
        except OSError:
            return None
        if not more:
            return None
        out += more
    return out


class KafkaProxy:
    """Forwards connections to `target`. `rule` is asked about each request of the transaction protocol, in the order in
    which they come: rule(request) returns True when it has taken the request into its own hands."""

    WATCHED = (PRODUCE, FETCH, INIT_PRODUCER_ID, ADD_PARTITIONS, END_TXN)

    def __init__(self):
        self.target = None
        self.rule = None
        self.counts = collections.Counter()  # of requests by api key, since the rule was set
        self._lock = threading.Lock()
        self._links = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def set_rule(self, rule):
        with self._lock:
            self.counts.clear()
            self.rule = rule

    def picks(self, link, frame):
        """The request, when the rule takes it."""
        api_key = struct.unpack_from(">h", frame, 4)[0]
        if api_key not in self.WATCHED:
            return None
        with self._lock:
            self.counts[api_key] += 1
            request, rule = Request(link, frame, self.counts[api_key]), self.rule
        return request if rule is not None and rule(request) else None

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                self._links.append(Link(self, client))
            except OSError:  # the broker is down
                close(client)

    def close(self):
        close(self._listener)
        for link in self._links:
            close(link.client)
            close(link.server)
