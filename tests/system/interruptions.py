# SPDX-License-Identifier: Apache-2.0
"""Who stands in the ways of a ceremony, counts the messages that pass, and at one of them ends a process or loses the
message: between the tool and the device (a local socket), between the tool and the admin API (HTTP), and between the
device and the aggregator (records of TLS)."""
import collections
import contextlib
import socket
import threading

KINDS = ("device", "tool", "aggregator", "message")
BEFORE, BEHIND = "before", "behind"  # its receiver has it; for what has an answer: and the answer gets lost
PATIENCE_S = 60

# The nth message of that name.
Point = collections.namedtuple("Point", "step name n phase")


class Interruption:
    """Strikes once, at a point, by `strikes[kind]`; without a point it only takes down what passes."""

    def __init__(self, point=None, kind=None, strikes=None):
        self.point, self.kind = point, kind
        self.seen = []
        self.is_met = False  # it was struck
        self._is_begun = False
        self.may_pass = threading.Event()  # there is somebody to end
        self._strike = (strikes or {}).get(kind, lambda: None)
        self._counts = collections.Counter()
        self._lock = threading.Lock()

    def _is_here(self, name):
        with self._lock:
            self._counts[name] += 1
            self.seen.append((name, self._counts[name]))
            point = self.point
            is_here = point is not None and not self._is_begun and (name, self._counts[name]) == (point.name, point.n)
            self._is_begun = self._is_begun or is_here
            return is_here

    def carry(self, name, ends, pass_on):
        """Passes a message on, and gives the answer; None where either got lost. OSError: one of the ends is dead."""
        self.may_pass.wait(PATIENCE_S)
        if not self._is_here(name):
            return pass_on()
        answer = pass_on() if self.point.phase == BEHIND else None
        self._strike()
        self.is_met = True
        if self.kind == "message":
            return None
        if self.kind in ends:
            raise ConnectionResetError(f"the {self.kind} was ended")
        return answer if self.point.phase == BEHIND else pass_on()


class Relay:
    """Takes connections one after the other, each by a thread, until it is closed."""

    def __init__(self, listener, interruption):
        self.interruption = interruption
        self._listener = listener
        self._listener.listen()
        self._threads = [threading.Thread(target=self._run, daemon=True)]
        self._threads[0].start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                caller = self._listener.accept()[0]
                caller.settimeout(PATIENCE_S)
                self._threads.append(threading.Thread(target=self._serve, args=[caller], daemon=True))
                self._threads[-1].start()

    def _serve(self, caller):
        with caller, contextlib.suppress(OSError):
            self.serve(caller)

    def serve(self, caller):
        raise NotImplementedError

    def hang_up(self):
        """For whoever holds connections of its own."""

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE_S)


def tcp_listener():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


class LineRelay(Relay):
    """The cable: one line, one answer. A message that is lost leaves the line as it is."""

    def __init__(self, path, say, interruption):
        """`say(line)` gives the device's answer."""
        self.path, self._say = path, say
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        super().__init__(listener, interruption)

    def serve(self, caller):
        with caller.makefile() as said:
            for line in said:
                name = " ".join(line.split()[:2])
                answer = self.interruption.carry(name, ("tool", "device"), lambda: self._say(line.strip()))
                if answer is not None:
                    caller.sendall(answer.encode() + b"\n")

    def close(self):
        super().close()
        self.path.unlink()


class AdminRelay(Relay):
    """One request and one answer a connection. A message that is lost leaves the caller with an end."""

    def __init__(self, port, interruption):
        self._to = ("127.0.0.1", port)
        listener = tcp_listener()
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        super().__init__(listener, interruption)

    def _pass_on(self, request):
        with socket.create_connection(self._to, timeout=PATIENCE_S) as aggregator:
            aggregator.sendall(request)
            answer = b""
            while piece := aggregator.recv(65536):
                answer += piece
        if not answer:
            raise ConnectionResetError("the aggregator hung up")
        return answer

    def serve(self, caller):
        request = b""
        while not is_whole(request):
            piece = caller.recv(65536)
            if not piece:
                return
            request += piece
        verb, path = request.split(b" ", 2)[:2]
        name = f"{verb.decode()} /{path.decode().split('/')[1]}"
        answer = self.interruption.carry(name, ("tool", "aggregator"), lambda: self._pass_on(request))
        if answer is not None:
            caller.sendall(answer)


def is_whole(request):
    head, end, body = request.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return bool(end) and len(body) >= (lengths[0] if lengths else 0)


class TlsRelay(Relay):
    """The device's way to the aggregator, by records of TLS. One that is lost takes its connection along."""

    NAMES = {22: "handshake", 23: "data"}

    def __init__(self, port, interruption):
        self._to = ("127.0.0.1", port)
        self._pairs = []
        listener = tcp_listener()
        self.port = listener.getsockname()[1]
        super().__init__(listener, interruption)

    def serve(self, caller):
        with socket.create_connection(self._to, timeout=PATIENCE_S) as aggregator:
            self._pairs.append((caller, aggregator))
            back = threading.Thread(target=self._pump, args=[aggregator, caller, "to device"], daemon=True)
            back.start()
            self._pump(caller, aggregator, "to aggregator")
            back.join()

    def _pump(self, source, sink, way):
        with contextlib.suppress(OSError):
            while record := read_record(source):
                name = self.NAMES.get(record[0])
                if name is None:
                    sink.sendall(record)
                elif not self.interruption.carry(f"{name} {way}", ("device", "aggregator"), lambda: not sink.sendall(record)):
                    break
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def hang_up(self):
        for pair in self._pairs:
            for side in pair:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)


def read_exactly(source, n):
    data = b""
    while len(data) < n:
        piece = source.recv(n - len(data))
        if not piece:
            return None
        data += piece
    return data


def read_record(source):
    """The next record with its header (RFC 5246, 6.2.1); None at the end."""
    head = read_exactly(source, 5)
    body = head and read_exactly(source, int.from_bytes(head[3:], "big"))
    return head + body if body is not None and head else None
