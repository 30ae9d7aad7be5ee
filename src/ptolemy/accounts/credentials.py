"""Secrets that callers carry: 32 random bytes, which nobody guesses, so their SHA-256 is enough to store."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Literal

Kind = Literal["robot", "access", "refresh", "cookie", "invitation"]

_PREFIXES: dict[Kind, str] = {
    "robot": "ptk_live_",
    "access": "pth_",
    "refresh": "pthr_",
    "cookie": "ptc_",
    "invitation": "pti_",
}
_FORM = re.compile(r"(ptk_live_|pth_|pthr_|ptc_|pti_)[0-9a-f]{64}")
_SUFFIX_LENGTH = 6


def new_secret(kind: Kind) -> str:
    """A new secret, to be shown once; its prefix says what it opens, so that leak scanners can tell."""
    return secret_of(kind, secrets.token_bytes(32))


def secret_of(kind: Kind, key: bytes) -> str:
    """The secret that `key` makes, 32 bytes that nobody guesses."""
    return _PREFIXES[kind] + key.hex()


def kind_of(secret: str) -> Kind | None:
    """What `secret` would open, or None where it can't be one of ours."""
    found = _FORM.fullmatch(secret)
    return next(kind for kind, prefix in _PREFIXES.items() if prefix == found[1]) if found else None


def digest(secret: str) -> bytes:
    """As the secret is stored."""
    return hashlib.sha256(secret.encode()).digest()


def suffix(secret: str) -> str:
    """Its last characters, by which people recognise a token that they can't read any more."""
    return secret[-_SUFFIX_LENGTH:]
