"""Where a request ends: what could be read in two ways is refused, and nothing that comes behind it is read."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import pytest

from tests.product import PATIENCE_SECONDS

_NEXT = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
"""What somebody would like to smuggle through."""
_POST = b"POST /v1/auth/refresh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"

UNCLEAR = {
    "both a length and chunks": _POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "both chunks and a length": _POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two lengths": _POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two lengths alike": _POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": _POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": _POST + b"Content-Length: +2\r\n\r\n{}",
    "a length below zero": _POST + b"Content-Length: -2\r\n\r\n{}",
    "a length in hexadecimal": _POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a length beyond all numbers": _POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "an empty length": _POST + b"Content-Length: \r\n\r\n{}",
    "a space before the colon": _POST + b"Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "another coding": _POST + b"Transfer-Encoding: gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a coding almost like it": _POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks that are not the last coding": _POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks twice": _POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk whose size is none": _CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk's size with a prefix": _CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size below zero": _CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size beyond all numbers": _CHUNKED + b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": _CHUNKED + b"2\r\n{}xx\r\n0\r\n\r\n",
    "chunks that end in line feeds": _CHUNKED + b"2\n{}\n0\n\n",
    "an extension that ends in a line feed": _CHUNKED + b"2;a\n{}\r\n0\r\n\r\n",
    "lines that end in line feeds": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "a header that ends in a line feed": b"GET /healthz HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "a header that ends in a carriage return": b"GET /healthz HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "a header that goes on in the next line": b"GET /healthz HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n",
    "a NUL": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n",
    "another version": b"GET /healthz HTTP/3.7\r\nHost: a\r\n\r\n",
    "the beginning of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

HOSTS = {
    "no host": b"",
    "two hosts": b"Host: a\r\nHost: b\r\n",
    "two hosts alike": b"Host: a\r\nHost: a\r\n",
    "a host with a path": b"Host: a/b\r\n",
    "a host with a space": b"Host: a b\r\n",
    "a host with a name before it": b"Host: somebody@a\r\n",
    "a host with two ports": b"Host: a:80:81\r\n",
}


@pytest.mark.parametrize("sent", UNCLEAR.values(), ids=UNCLEAR.keys())
def test_what_has_no_clear_end_is_refused_and_nothing_is_read_behind_it(product_url: str, sent: bytes) -> None:
    assert _statuses(product_url, sent + _NEXT) == [400]


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS.keys())
def test_a_request_names_one_host(product_url: str, host: bytes) -> None:
    answer = _answers(product_url, b"GET /healthz HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b'"invalid_host"' in answer


@pytest.mark.parametrize("version", [b" HTTP/2.0", b" HTTP/0.9", b""])
def test_only_http_1_0_needs_no_host(product_url: str, version: bytes) -> None:
    assert b'"invalid_host"' in _answers(product_url, b"GET /healthz" + version + b"\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("host", [b"a", b"a_b.example:8000", b"[::1]:8000", b"%C3%A4", b"", b"127.0.0.1:"])
def test_a_host_may_be_a_name_or_an_address(product_url: str, host: bytes) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
    assert _statuses(product_url, asked) == [200]


def test_a_request_of_http_1_0_needs_no_host(product_url: str) -> None:
    assert _statuses(product_url, b"GET /healthz HTTP/1.0\r\n\r\n") == [200]


def test_requests_that_end_where_they_say_are_read_one_by_one(product_url: str) -> None:
    whole = _CHUNKED + b"2;a=b\r\n{}\r\n0\r\n\r\n" + _POST + b"Content-Length: 2\r\n\r\n{}"
    assert _statuses(product_url, whole + _NEXT) == [422, 422, 200]


def test_nobody_is_moved_to_another_protocol(product_url: str) -> None:
    for protocol in (b"websocket", b"h2c"):
        upgrade = b"Connection: Upgrade, close\r\nUpgrade: " + protocol + b"\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OQ==\r\n"
        asked = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + upgrade + b"Sec-WebSocket-Version: 13\r\n\r\n"
        assert _statuses(product_url, asked) == [200]


def _statuses(url: str, sent: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", _answers(url, sent))]


def _answers(url: str, sent: bytes) -> bytes:
    """All that the server says until it closes the connection."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(sent)
        found = b""
        while received := connection.recv(1 << 16):
            found += received
    return found
