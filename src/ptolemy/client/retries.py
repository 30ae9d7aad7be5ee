"""Requests that are sent again, because the server was busy or the line broke, and never do anything twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from uuid import uuid4

import httpx

_KEY = "Idempotency-Key"
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT"})
"""What may be done twice without harm; a POST may with its key. A DELETE would tell of a record that is gone."""
_TOO_MANY = 429
_PASSING = frozenset({502, 503, 504})
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_ATTEMPTS_AT_STRANGERS = 3


@dataclass(frozen=True)
class Patience:
    """How a client bears with a server that is busy or away.

    A request is sent up to `attempts` times; the wait between them begins with `first_wait_seconds` and doubles.
    `Retry-After` is honoured up to `longest_wait_seconds`; beyond that the answer is yours. A job that is waited for
    may be out of sight for `outage_seconds`: it runs on the server, whoever watches.
    """

    attempts: int = 6
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60
    outage_seconds: float = 600

    def wait_seconds(self, attempt: int) -> float:
        """Before the attempt that follows this one, which counts from 0; by chance, so that clients don't march."""
        longest: float = min(self.longest_wait_seconds, self.first_wait_seconds * 2**attempt)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


class Retries:
    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._was_answered = False

    def send(self, request: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
        """What the server answers in the end. A POST gets its key here, unless it has one."""
        if request.method == "POST":
            request.headers.setdefault(_KEY, str(uuid4()))
        attempt = 0
        while True:
            try:
                response = send()
            except httpx.TransportError as error:
                if not self._again(request, error, attempt):
                    raise
                seconds = self._patience.wait_seconds(attempt)
            else:
                self._was_answered = True
                wait = self._asked_to_wait(request, response, attempt)
                if wait is None:
                    return response
                response.close()
                seconds = wait
            time.sleep(seconds)
            attempt += 1

    def _again(self, request: httpx.Request, error: httpx.TransportError, attempt: int) -> bool:
        # Where nobody has ever answered the address is wrong more often than the server away.
        attempts = self._patience.attempts if self._was_answered else _ATTEMPTS_AT_STRANGERS
        if attempt + 1 >= min(attempts, self._patience.attempts) or isinstance(error, httpx.UnsupportedProtocol):
            return False
        return isinstance(error, _NEVER_SENT) or _repeatable(request)

    def _asked_to_wait(self, request: httpx.Request, response: httpx.Response, attempt: int) -> float | None:
        """How long to wait before it is sent again; None where the answer stands."""
        status = response.status_code
        again = (status == _TOO_MANY and _replayable(request)) or (status in _PASSING and _repeatable(request))
        if not again or attempt + 1 >= self._patience.attempts:
            return None
        asked = _retry_after(response)
        if asked is not None and asked > self._patience.longest_wait_seconds:
            return None
        return max(asked or 0, self._patience.wait_seconds(attempt))


def _repeatable(request: httpx.Request) -> bool:
    return (request.method in _REPEATABLE or _KEY in request.headers) and _replayable(request)


def _replayable(request: httpx.Request) -> bool:
    """Whether the body can be had again: one whose length nobody knows is a stream that has flowed by."""
    return "transfer-encoding" not in request.headers


def _retry_after(response: httpx.Response) -> float | None:
    """RFC 9110, section 10.2.3: seconds, or a date."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
