"""One POST to an endpoint: to an address that was checked, without redirects, proxies or patience without end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore

from ptolemy.webhooks.addresses import Guard, Refused, Unresolved
from ptolemy.webhooks.web_address import WebAddress

KEPT_BODY_BYTES = 4096
_IDLE_SECONDS = 15
_PATIENCE_SECONDS = 2.0
"""With one of several addresses, before the next is tried."""

_LONGEST_SECONDS = 24 * 3600.0
"""As long as the longest wait of ours: an endpoint can't put a delivery off for ever."""

Header = tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """What an endpoint said; `body` is its beginning. `retry_after` is in seconds."""

    status: int
    body: str
    retry_after: float | None


class Unreachable(Exception):
    """There was no answer; the message says why, for the delivery log."""


class Sender:
    """Sends to endpoints, over connections that it keeps a while. `close()` it."""

    def __init__(self, guard: Guard, *, tls: ssl.SSLContext | None = None) -> None:
        # No proxy from the environment, no redirects and no cookies: the pool knows of none of them.
        context = tls or httpcore.default_ssl_context()
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                max_keepalive_connections=100,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=_Checked(guard, scheme),
            )
            for scheme in ("https", "http")
        }

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    async def post(self, where: WebAddress, headers: Sequence[Header], body: bytes, timeout_seconds: float) -> Answer:
        """The answer, whatever its status; all in all it takes no longer than `timeout_seconds`."""
        sent = [("Host", where.authority), ("Content-Length", str(len(body))), *headers]
        url = httpcore.URL(
            scheme=where.scheme.encode(), host=where.host.encode(), port=where.port, target=where.target.encode()
        )
        try:
            async with asyncio.timeout(timeout_seconds):
                raw = [(name.encode(), value.encode()) for name, value in sent]
                async with self._pools[where.scheme].stream("POST", url, headers=raw, content=body) as response:
                    beginning = await _beginning(response)
        except (Refused, Unresolved) as refused:
            raise Unreachable(str(refused)) from None
        except TimeoutError:
            raise Unreachable(f"no answer within {timeout_seconds:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}"[:500]) from None
        return Answer(response.status, _text(beginning), _retry_after(response))


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects only to what the guard permits: to the very address that it has looked at."""

    def __init__(self, guard: Guard, scheme: str) -> None:
        self._guard, self._scheme, self._inner = guard, scheme, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = await self._guard.addresses(WebAddress(self._scheme, host, port, "/"))
        for address in others:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, _PATIENCE_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(str(last), port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("deliveries go to no local socket")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


async def _beginning(response: httpcore.Response) -> bytes:
    """The first of the body; the rest is not read, and the connection of one that is longer not used again."""
    found = b""
    async for chunk in response.aiter_stream():
        found += chunk
        if len(found) >= KEPT_BODY_BYTES:
            break
    return found[:KEPT_BODY_BYTES]


def _text(body: bytes) -> str:
    # PostgreSQL takes no NUL in text.
    return body.decode("utf-8", "replace").replace("\0", "\ufffd")


def _retry_after(response: httpcore.Response) -> float | None:
    """Seconds, or an HTTP date (RFC 9110, section 10.2.3)."""
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            text = value.decode("latin-1").strip()
            if text.isascii() and text.isdigit():
                return min(float(text), _LONGEST_SECONDS)
            try:
                until = parsedate_to_datetime(text).astimezone(UTC)
            except (ValueError, OverflowError):  # no date, or one beyond the year 9999
                return None
            return min(max(0.0, (until - datetime.now(UTC)).total_seconds()), _LONGEST_SECONDS)
    return None
