# SPDX-License-Identifier: Apache-2.0
"""Drives tests/support/coap_probe, and a UDP relay that can do to datagrams what networks do."""
import contextlib
import json
import selectors
import socket
import subprocess
import threading

import harness
import wire


class Probe:
    """One client with one session. Answers are found by token."""

    def __init__(self, uri, device, trusted=None, certificate=None, key=None, server_name=harness.SERVER_NAME):
        self.entries = []
        self._next_token = 1
        self._process = subprocess.Popen(
            [harness.program("coap_probe"), uri, server_name, str(trusted or device.trusted),
             str(certificate or device.certificate), str(key or device.key)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.complaints = []
        self._readers = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=lambda: self.complaints.extend(self._process.stderr), daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.entries.append(json.loads(line))

    def _command(self, text):
        with contextlib.suppress(BrokenPipeError):  # a client that was refused has gone; waiting for it tells
            self._process.stdin.write(text + "\n")
            self._process.stdin.flush()

    def _token(self):
        self._next_token += 1
        return f"{0xA0000000 + self._next_token:08x}"

    def send(self, envelope, content_format=65001, path="b"):
        token = self._token()
        self._command(f"post {token} {content_format} {envelope.hex() or '-'} {path}")
        return token

    def send_head(self, query, path="h"):
        token = self._token()
        self._command(f"get {token} {query}" + (f" {path}" if path != "h" else ""))
        return token

    def send_path(self, method, path):
        token = self._token()
        self._command(f"path {token} {method} {path}")
        return token

    def raw(self, message):
        self._command(f"raw {message.hex()}")

    def answers(self, token):
        return [e for e in list(self.entries) if e["event"] == "response" and e["token"] == token]

    def answer(self, token, deadline_s=None):
        """The first answer to this token: its CoAP code, and its ack if it carries one."""
        def look():
            if self.answers(token):
                return self.answers(token)[0]
            if self._process.poll() is not None and not self.answers(token):
                raise AssertionError(f"the client ended: {self.entries[-3:]} {''.join(self.complaints)[-500:]}")
            return None

        entry = harness.wait_for(f"an answer to {token}", look, deadline_s)
        payload = bytes.fromhex(entry["payload"])
        return Answer(entry, wire.Ack.of(payload) if len(payload) == 29 else None)

    def post(self, envelope, content_format=65001):
        return self.answer(self.send(envelope, content_format))

    def head(self, stream=0):
        return self.answer(self.send_head(f"s={stream}"))

    def wait_closed(self):
        """Waits for the end of the session; fails when answers come instead."""
        harness.wait_for("the session to end", lambda: self._process.poll() is not None or any(
            e["event"] in ("closed", "nack") for e in self.entries))

    def close(self):
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(harness.DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(harness.DEADLINE_S)
        self._process.stdout.close()
        self._process.stderr.close()


class Answer:
    def __init__(self, entry, ack):
        self.code, self.type, self.max_age, self.ack = entry["code"], entry["type"], entry["max_age"], ack
        self.entry = entry

    def __repr__(self):
        return f"{self.entry} {self.ack}"


class Relay:
    """A UDP relay between one client and the server. Its address towards the server can be changed in the middle of a
    session, as a NAT does; datagrams can be dropped, and are kept for whoever wants to forge."""

    def __init__(self, server_port):
        self.server = ("127.0.0.1", server_port)
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        self.client = None
        self.to_server = []  # every datagram that the client sent
        self.to_client = []
        self.drop_to_client = 0  # so many of the next answers are lost
        self.drop_to_server = 0
        self.double_to_server = False
        self.ignored = None  # the address of a client of which nothing is passed on any more
        self._lock = threading.Lock()
        self._running = True
        self.back = self._new_back()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _new_back(self):
        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back.bind(("127.0.0.1", 0))
        return back

    def rebind(self):
        """From now on the server sees another source port, and what it sends to the old one is lost."""
        with self._lock:
            old, self.back = self.back, self._new_back()
            old.close()

    def _run(self):
        while self._running:
            with self._lock:
                back = self.back
            with selectors.DefaultSelector() as selector:
                try:
                    selector.register(self.front, selectors.EVENT_READ)
                    selector.register(back, selectors.EVENT_READ)
                except (ValueError, KeyError):
                    continue
                for key, _ in selector.select(0.05):
                    self._forward(key.fileobj, back)

    def _forward(self, ready, back):
        try:
            data, sender = ready.recvfrom(65536)
        except OSError:
            return
        with self._lock:
            if ready is self.front:
                if sender == self.ignored:
                    return
                self.client = sender
                self.to_server.append(data)
                if self.drop_to_server > 0:
                    self.drop_to_server -= 1
                    return
                self.back.sendto(data, self.server)
                if self.double_to_server:
                    self.back.sendto(data, self.server)
            elif back is self.back and self.client is not None:
                self.to_client.append(data)
                if self.drop_to_client > 0:
                    self.drop_to_client -= 1
                    return
                self.front.sendto(data, self.client)

    def close(self):
        self._running = False
        self._thread.join(5)
        self.front.close()
        self.back.close()
