# SPDX-License-Identifier: Apache-2.0
"""The source of the demo's traffic."""
import socket
import threading
import time


class Feeder(threading.Thread):
    """Serves NMEA lines to whoever connects, at a steady rate, and goes on where it was after a reconnect. What stood
    in a socket to a killed collector is gone, as with a real receiver."""

    def __init__(self, lines, rate, seconds):
        super().__init__(daemon=True)
        self.lines, self.rate, self.seconds = lines, rate, seconds
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.sent = 0
        self.done = threading.Event()

    def run(self):
        client, began, base = None, None, 0
        while self.sent < len(self.lines) and (began is None or time.monotonic() - began < self.seconds):
            if client is None:
                client, _ = self.server.accept()
                began = began or time.monotonic()
                base = time.monotonic() - self.sent / self.rate
            due = min(int((time.monotonic() - base) * self.rate), len(self.lines))
            try:
                client.sendall(b"".join(self.lines[self.sent:due]))
                self.sent = max(self.sent, due)
            except OSError:
                client.close()
                client = None
            time.sleep(0.02)
        if client:
            client.close()
        self.done.set()
