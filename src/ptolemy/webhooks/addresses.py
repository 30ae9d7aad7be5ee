"""Which network addresses a delivery may go to: public ones, and those that the operator allows.

An endpoint is chosen by an admin of a workspace, the server stands in the operator's network: it must not become a way
into that (OWASP: server-side request forgery).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ptolemy.webhooks.web_address import WebAddress

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses that a name has now, as text; raises `OSError`."""

# The special-purpose registries of IANA (RFC 6890), multicast, and what clouds use for themselves in public ranges.
_CLOSED_4 = [
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host
        "169.254.0.0/16",  # link-local: the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
]
_OPEN_6 = IPv6Network("2000::/3")
"""Global unicast. All else (loopback, mapped and NAT64 forms of IPv4, link-local, private, multicast) is closed."""
_CLOSED_6 = [
    ip_network(each)
    for each in (
        "2001::/23",  # Teredo, ORCHID and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]
_WEB_PORTS = frozenset({80, 443})
_FIRST_FREE_PORT = 1024

_RESOLVERS = ThreadPoolExecutor(32, "webhook-names")
"""Threads of their own: a name server that hangs must hold up nothing else."""


class Refused(Exception):
    """A delivery there is forbidden; the message says why. `code` is stable."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Unresolved(OSError):
    """The name has no address now."""


class Guard:
    """Says where deliveries may go. `allowed` are the operator's exceptions."""

    def __init__(self, allowed: Sequence[Network] = (), resolve: Resolve | None = None) -> None:
        self._allowed, self._resolve = allowed, resolve or resolve_by_system

    async def addresses(self, where: WebAddress) -> list[Address]:
        """All addresses of the host, every one of them permitted; raises `Refused`, or `Unresolved`."""
        found = [where.literal] if where.literal else await self._named(where)
        for address in found:
            self._check(where, address)
        return found

    async def _named(self, where: WebAddress) -> list[Address]:
        try:
            texts = await self._resolve(where.host, where.port)
            found = [ip_address(text) for text in dict.fromkeys(texts)]
        except (OSError, ValueError) as error:
            raise Unresolved(f"the name {where.host} can't be resolved: {error}") from None
        if not found:
            raise Unresolved(f"the name {where.host} has no address")
        return found

    def _check(self, where: WebAddress, address: Address) -> None:
        if any(address in network for network in self._allowed):
            return
        if not is_public(address):
            # Not which one: names of the operator's network are no business of an endpoint's admin.
            leads = f"{address} is" if where.literal else f"{where.host} leads to"
            reason = f"{leads} no public address; the operator can allow it (PTOLEMY_WEBHOOK_ALLOW)"
            raise Refused("forbidden_address", reason)
        if where.scheme != "https":
            raise Refused("https_required", "must be https: only addresses that the operator allows may be http")
        if where.port not in _WEB_PORTS and where.port < _FIRST_FREE_PORT:
            raise Refused("forbidden_port", "must have port 80 or 443, or one above 1023")


def is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_4)
    return address in _OPEN_6 and not any(address in network for network in _CLOSED_6)


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]

    return await asyncio.get_running_loop().run_in_executor(_RESOLVERS, look_up)
