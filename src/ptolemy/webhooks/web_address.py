"""The address of an endpoint, taken apart once and by one grammar: nobody after it reads the text anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from ptolemy.engine.fields.text import Text
from ptolemy.kernel.quoting import seen

MAX_LENGTH = 2000

# RFC 3986 cut down to what endpoints have: no user, no fragment, ASCII only.
_FORM = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)?(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?)",
    re.ASCII,
)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
# What some resolvers take for a number, and so for an address: 127.1, 0x7f000001, 017700000001.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class WebAddress:
    """`host` is a name in lower case, or an address in its usual form without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def literal(self) -> IPv4Address | IPv6Address | None:
        """The host where it is an address itself."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def authority(self) -> str:
        """As the `Host` header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_web_address(text: str) -> WebAddress:
    """The parts of an address; a `ValueError` says what is wrong."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(
            "must be an address like https://example.com/hooks, in ASCII (xn--… for other letters), without a user, a"
            f" password or a #fragment, got {seen(text)}"
        )
    port = int(found["port"]) if found["port"] else _PORTS[found["scheme"]]
    if not 1 <= port <= 65535:
        raise ValueError("must have a port between 1 and 65535")
    target = found["target"] if found["target"].startswith("/") else f"/{found['target']}"
    return WebAddress(found["scheme"], _host(found["host"]), port, target)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError(f"must have a real IPv6 address in its brackets, got {seen(text)}") from None
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(text))
        except ValueError:
            raise ValueError(f"must have an IPv4 address as four decimal numbers, got {seen(text)}") from None
    if len(text) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"must have a host name of letters, digits and -, without a dot at its end, got {seen(text)}")
    return text.lower()


class WebAddressField(Text):
    """`http://` or `https://`, a host, a path."""

    fault = "invalid_web_address"

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_LENGTH, **options)

    def accept(self, value: Any) -> str:
        text = super().accept(value)
        parse_web_address(text)
        return text
