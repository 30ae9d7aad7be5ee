"""Proxies in front of the server: those that are named are believed, and one that isn't is told of."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any, cast

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

Network = IPv4Network | IPv6Network

log = structlog.get_logger("ptolemy.proxies")

_SAYS_FOR_WHOM = frozenset({b"x-forwarded-for", b"forwarded"})
_ADVICE = (
    "if this is your proxy, name it in PTOLEMY_TRUSTED_PROXIES and have it set X-Forwarded-For: until then all people"
    " behind it count as one client, and slow each other's sign-in"
)


class BehindProxies:
    """Requests as they were before trusted proxies handed them on: of whom, and whether by https.

    Outermost: behind it nobody can tell a proxy from those that it speaks for.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        # Of what a chain of them says the last address counts that is none of theirs: a client can't write it.
        self._believing = ProxyHeadersMiddleware(
            cast(Any, app), [written for each in trusted for written in _written(each)]
        )
        # Whoever trusts nobody has no proxy, and wants to hear of none.
        self._is_silent = not trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_silent and scope["type"] == "http":
            self._look_at(scope)
        await self._believing(cast(Any, scope), cast(Any, receive), cast(Any, send))

    def _look_at(self, scope: Scope) -> None:
        """Tells of a proxy that isn't trusted; once, for anybody can write the header, and would fill the log."""
        peer = scope["client"][0] if scope["client"] else None
        if any(name in _SAYS_FOR_WHOM for name, _ in scope["headers"]) and peer not in self._believing.trusted_hosts:
            self._is_silent = True
            log.warning("untrusted_proxy", peer=peer, setting="PTOLEMY_TRUSTED_PROXIES", advice=_ADVICE)


def _written(network: Network) -> Sequence[str]:
    """The network, and for IPv4 how a proxy that listens for both writes it (RFC 4291, 2.5.5.2)."""
    if isinstance(network, IPv6Network):
        return [str(network)]
    return [str(network), f"::ffff:{network.network_address}/{96 + network.prefixlen}"]
