# SPDX-License-Identifier: Apache-2.0
"""A test tool that answers as the market operators' servers do, over real HTTPS on loopback: payloads by script, and
their limits and faults. It counts every request, and whether one came sooner than its host allows.

An answer is a function of the handler. A route plays its answers in order and then stays with the last."""
import contextlib
import http.server
import ssl
import threading
import time


def body(data, kind="application/octet-stream", status=200, **headers):
    """A whole answer; header names have _ for -."""
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)
        return str(status)
    return answer


def tagged(data, etag, kind):
    """The body with a validator; 304 to a request that has it."""
    def answer(handler):
        if handler.headers.get("If-None-Match") == etag:
            handler.send_response(304)
            handler.send_header("ETag", etag)
            handler.end_headers()
            return "304"
        return body(data, kind, ETag=etag)(handler)
    return answer


def keyed(header, value, good):
    """401 without the right key."""
    def answer(handler):
        if handler.headers.get(header) != value():
            return body(b'{"message":"Access denied due to invalid subscription key."}', "application/json", 401)(handler)
        return good(handler)
    return answer


def half(data):
    """Says how long it is, and ends in the middle."""
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/csv")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:len(data) // 2])
        handler.wfile.flush()
        handler.close_connection = True
        return "half"
    return answer


def hang(handler):
    """Takes the request and says nothing, until the client goes or the simulator ends."""
    handler.server.sim.ending.wait(120)
    handler.close_connection = True
    return "hang"


def redirect(target):
    return body(b"", status=302, Location=target)


class Request:
    def __init__(self, host, path, headers):
        self.host, self.path, self.headers = host, path, headers
        self.at_s = time.monotonic()
        self.answer = None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120

    def setup(self):
        self.request.settimeout(self.timeout)
        self.request.do_handshake()
        super().setup()

    def do_GET(self):
        sim = self.server.sim
        request = Request(self.headers.get("Host", "").split(":")[0], self.path, dict(self.headers))
        answer = sim.next_answer(request)
        with contextlib.suppress(OSError):
            request.answer = answer(self)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that gives up is what some of the tests are about


class IsoSim:
    """Serves HTTPS with the certificate on a free port until it is closed. `limits` is seconds between two requests to a
    host; one that comes sooner is counted in `too_soon` and answered 429."""

    def __init__(self, certificate, key, limits=None):
        self.requests = []
        self.too_soon = []
        self.limits = limits or {}
        self.ending = threading.Event()
        self._routes = {}
        self._lock = threading.Lock()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.sim = self
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def route(self, host, path, *answers):
        """Requests to the host whose path begins so are answered by these, in order; the last one stays."""
        self._routes[host, path] = list(answers)

    def next_answer(self, request):
        with self._lock:
            before = [seen for seen in self.requests if seen.host == request.host]
            self.requests.append(request)
            limit_s = self.limits.get(request.host, 0)
            if before and request.at_s - before[-1].at_s < limit_s:
                self.too_soon.append((request.host, request.at_s - before[-1].at_s))
                return body(b"too soon", "text/plain", 429)
            fits = [key for key in self._routes if key[0] == request.host and request.path.startswith(key[1])]
            if not fits:
                return body(b"", status=404)
            answers = self._routes[max(fits, key=lambda key: len(key[1]))]
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def seen(self, host):
        with self._lock:
            return [request for request in self.requests if request.host == host]

    def close(self):
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)
