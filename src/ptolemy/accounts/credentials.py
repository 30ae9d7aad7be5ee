"""Secrets that callers carry: 32 random bytes, which nobody guesses, so their SHA-256 is enough to store."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Literal

Kind = Literal["robot", "access", "refresh"]

_PREFIXES: dict[Kind, str] = {"robot": "ptk_live_", "access": "pth_", "refresh": "pthr_"}
_FORM = re.compile(r"(ptk_live_|pth_|pthr_)[0-9a-f]{64}")
_SUFFIX_LENGTH = 6


def new_secret(kind: Kind) -> str:
    """A new secret, to be shown once; its prefix says what it opens, so that leak scanners can tell."""
    return _PREFIXES[kind] + secrets.token_hex(32)


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
