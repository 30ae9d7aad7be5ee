"""A stand-in for S3 on a port of its own, and a way to make it fail."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest
from moto.server import ThreadedMotoServer

Rule = Callable[[str, str], int | None]
"""The status to answer a request (method, path with query) with instead of passing it on."""


@dataclass
class Bucket:
    """A bucket behind a proxy: `rule` decides which requests fail, before or after they took effect."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    rule: Rule | None = None
    after: Rule | None = None
    cut: bool = False
    """Whether it keeps only half of what it is sent, and says that all is well."""
    flip: bool = False
    """Whether it keeps another byte in the middle, and says that all is well."""

    def keys(self) -> list[str]:
        """What lies in the bucket, complete."""
        listing = httpx.get(f"{self._endpoint}/{self.url.split('/')[2]}?list-type=2").text
        return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]

    def unfinished(self) -> int:
        """How many files were begun in parts and neither completed nor given up."""
        return httpx.get(f"{self._endpoint}/{self.url.split('/')[2]}?uploads").text.count("<UploadId>")

    _endpoint: str = ""


@contextmanager
def bucket(name: str | None = None) -> Iterator[Bucket]:
    """A new one, unless it has a `name`. Its address goes into the environment, as an operator would put it there."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    made = Bucket(f"s3://{name or f'b-{uuid4().hex}'}/pre/fix", _endpoint=f"http://{host}:{port}")
    httpx.put(f"{made._endpoint}/{made.url.split('/')[2]}").raise_for_status()
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    proxy.daemon_threads = True
    serving = threading.Thread(target=proxy.serve_forever, args=(0.05,))
    serving.start()
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_address[1]}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        try:
            yield made
        finally:
            proxy.shutdown()
            proxy.server_close()
            serving.join()
            moto.stop()


def sometimes(status: int, *, every: int) -> Rule:
    """Fails the first request and every so-manyth after it."""
    count = -1

    def rule(method: str, path: str) -> int | None:
        nonlocal count
        count += 1
        return status if count % every == 0 else None

    return rule


def _handler(made: Bucket) -> type[BaseHTTPRequestHandler]:
    client = httpx.Client(timeout=60)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            made.asked.append((self.command, self.path))
            if made.rule and (status := made.rule(self.command, self.path)):
                self._answer(status, {}, b"")
                return
            if made.cut and self.command == "PUT":
                body = body[: len(body) // 2]
            if made.flip and self.command == "PUT" and body:
                middle = len(body) // 2
                body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("connection", "content-length")
            }
            found = client.request(self.command, f"{made._endpoint}{self.path}", headers=headers, content=body)
            if made.after and (status := made.after(self.command, self.path)):
                self._answer(status, {}, b"")
                return
            self._answer(found.status_code, found.headers, found.content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815 - named by the base class

        def _answer(self, status: int, headers: Any, content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("connection", "transfer-encoding", "date", "server", "content-length"):
                    self.send_header(name, value)
            length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(content))
            self.send_header("content-length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    return Handler
