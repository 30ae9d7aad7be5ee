"""What every answer tells a browser that comes upon it: not to guess, not to frame, not to keep, not to load."""

from __future__ import annotations

from collections.abc import Sequence

Header = tuple[bytes, bytes]

_ALWAYS: Sequence[Header] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNLESS_SAID: Sequence[Header] = (
    # Answers are a workspace's business: no cache keeps them, neither a proxy's nor a browser's.
    (b"cache-control", b"no-store"),
    # There is nothing to show: what is opened in a browser loads and runs nothing, and stands in nobody's frame.
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    ),
)
_OVER_TLS: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


def protected(said: Sequence[Header], *, over_tls: bool) -> list[Header]:
    """The headers that an answer has, and those that protect it; a page says for itself what it may load."""
    names = {name.lower() for name, _ in said}
    found = [*said, *_ALWAYS, *(header for header in _UNLESS_SAID if header[0] not in names)]
    return [*found, _OVER_TLS] if over_tls else found
