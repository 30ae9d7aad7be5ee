"""`X-RateLimit-…` on every answer to a robot. People in the dashboard are not metered."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any

from ptolemy.accounts.access import Access
from ptolemy.plans.calls import UNLIMITED, Allowance, CallsRefused, Meter

Header = tuple[bytes, bytes]

_ALLOWANCE = "allowance"


async def meter(scope: MutableMapping[str, Any], calls: Meter, access: Access) -> None:
    """Counts the request, if it is a robot's, or raises a 429; `headers` has something to say then."""
    if access.terms is None:
        return
    try:
        scope[_ALLOWANCE] = await calls.count(access.caller.workspace_id, access.credential_id, access.terms)
    except CallsRefused as refused:
        scope[_ALLOWANCE] = refused.allowance
        raise


def headers(scope: MutableMapping[str, Any]) -> Sequence[Header]:
    """The headers that the answer gets, none for people."""
    allowance: Allowance | None = scope.get(_ALLOWANCE)
    if allowance is None:
        return ()
    return _unlimited(allowance) if allowance.limit == UNLIMITED else _headers(allowance)


@lru_cache(maxsize=2)
def _unlimited(allowance: Allowance) -> Sequence[Header]:
    return _headers(allowance)


def _headers(allowance: Allowance) -> Sequence[Header]:
    return [
        (b"x-ratelimit-limit", b"%d" % allowance.limit),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", b"%d" % allowance.resets_at),
    ]
