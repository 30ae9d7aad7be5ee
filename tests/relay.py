"""A line between a client and the server, which breaks where a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx

RELAY = "1.1 relay.test"
"""Who answers what the product never said (RFC 9110, section 7.6.3)."""

Fault = Literal["unheard", "garbled", "unanswered", "half", "changed"]
"""The server never hears of the request, or hears another byte; its answer never arrives, or half, or changed."""


@dataclass
class Relay:
    """`faults` are used up in their order, each by the first request that has its method and a part of its path."""

    url: str
    faults: list[tuple[str, str, Fault | tuple[int, Mapping[str, str]]]] = field(default_factory=list)
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)

    def fault_of(self, method: str, path: str) -> Fault | tuple[int, Mapping[str, str]] | None:
        for at, (of_method, part, fault) in enumerate(self.faults):
            if method == of_method and part in path:
                del self.faults[at]
                return fault
        return None

    def headers(self, method: str, part: str) -> list[Mapping[str, str]]:
        """Of the requests that have this method and this part in their path."""
        return [headers for of_method, path, headers in self.asked if of_method == method and part in path]


@contextmanager
def relay(server: str) -> Iterator[Relay]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    listening.daemon_threads = True
    made = Relay(f"http://127.0.0.1:{listening.server_address[1]}")
    with httpx.Client(timeout=60) as client:
        listening.RequestHandlerClass = _handler(made, server, client)
        serving = threading.Thread(target=listening.serve_forever, args=(0.02,))
        serving.start()
        try:
            yield made
        finally:
            listening.shutdown()
            listening.server_close()
            serving.join()


def _handler(made: Relay, server: str, client: httpx.Client) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self._body()
            made.asked.append((self.command, self.path, {name.lower(): said for name, said in self.headers.items()}))
            fault = made.fault_of(self.command, self.path)
            if fault == "unheard":
                self._hang_up()
                return
            if isinstance(fault, tuple):
                self._answer(fault[0], {**fault[1], "via": RELAY}, b"")
                return
            if fault == "garbled":
                body = _garbled(body)
            headers = {name: said for name, said in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
            found = client.request(self.command, f"{server}{self.path}", headers=headers, content=body)
            if fault == "unanswered":
                self._hang_up()
                return
            content = found.content
            if fault == "changed":
                content = _garbled(content)
            self._answer(found.status_code, found.headers, content, cut=fault == "half")

        do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = handle_one  # noqa: N815 - named by the base class

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _answer(self, status: int, headers: Mapping[str, str], content: bytes, *, cut: bool = False) -> None:
            self.send_response(status)
            for name, said in headers.items():
                if name.lower() not in (*_OF_ONE_CONNECTION, "date", "server"):
                    self.send_header(name, said)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self._hang_up()

        def _hang_up(self) -> None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    return Handler


def _garbled(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


_OF_ONE_CONNECTION = ("connection", "content-length", "transfer-encoding")
