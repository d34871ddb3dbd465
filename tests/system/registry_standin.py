# SPDX-License-Identifier: Apache-2.0
"""A STAND-IN for a Confluent Schema Registry, not the real one: neither on Maven
Central (Apicurio's distribution) nor on PyPI (Karapace) one was found. It
keeps subjects and versions in memory, gives out ids, and answers the requests that Headrace makes as Confluent's API
description says (docs.confluent.io, "Schema Registry API Reference"). It refuses with 409 what avro's checker calls
incompatible with the newest version, when that library is there."""
import http.server
import json
import re
import threading
import urllib.parse

TYPE = "application/vnd.schemaregistry.v1+json"


class Registry:
    def __init__(self, first_id=41, checker=None):
        """`checker(new, old)` says whether the new text reads the old."""
        self.subjects = {}  # name: list of texts, version 1 first
        self.ids = {}       # text: id
        self.compatibility = {}
        self.requests = []
        self.failing = None  # (status, body) for every request
        self._first_id, self._checker = first_id, checker
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                status, answer = outer.handle(self.command, urllib.parse.unquote(self.path), body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", TYPE)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def text_of(self, number):
        """The schema text of an id; None: not given out."""
        return next((text for text, known in self.ids.items() if known == number), None)

    def put(self, subject, text):
        """As a registration that nobody checks; the id."""
        with self._lock:
            return self._put(subject, text)

    def _put(self, subject, text):
        versions = self.subjects.setdefault(subject, [])
        if text not in versions:
            versions.append(text)
        return self.ids.setdefault(text, self._first_id + len(self.ids))

    def handle(self, method, path, body):
        with self._lock:
            self.requests.append((method, path))
            if self.failing:
                return self.failing
            if method == "POST" and (at := re.fullmatch(r"/subjects/([^/]+)/versions", path)):
                return self._register(at[1], json.loads(body)["schema"])
            if method == "PUT" and (at := re.fullmatch(r"/config/([^/]+)", path)):
                self.compatibility[at[1]] = json.loads(body)["compatibility"]
                return 200, json.loads(body)
            if method == "GET" and (at := re.fullmatch(r"/schemas/ids/(\d+)", path)):
                text = self.text_of(int(at[1]))
                return (200, {"schema": text}) if text else (404, {"error_code": 40403, "message": "Schema not found"})
            if method == "GET" and (at := re.fullmatch(r"/subjects/([^/]+)/versions(?:/(\d+))?", path)):
                return self._versions(at[1], at[2])
            return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _register(self, subject, text):
        versions = self.subjects.get(subject, [])
        if versions and self._checker and not self._checker(text, versions[-1]):
            return 409, {"error_code": 409, "message": "Schema being registered is incompatible with an earlier schema"}
        return 200, {"id": self._put(subject, text)}

    def _versions(self, subject, number):
        versions = self.subjects.get(subject)
        if versions is None:
            return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
        if number is None:
            return 200, list(range(1, len(versions) + 1))
        if not 0 < int(number) <= len(versions):
            return 404, {"error_code": 40402, "message": f"Version {number} not found."}
        text = versions[int(number) - 1]
        return 200, {"subject": subject, "version": int(number), "id": self.ids[text], "schema": text}
