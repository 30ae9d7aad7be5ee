"""Secrets that the server has to use again, kept so that a copy of the database alone doesn't tell them."""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Sealer:
    """AES-256-GCM (NIST SP 800-38D) for one purpose: what one sealer made, another can't open."""

    def __init__(self, secret_key: str, purpose: str) -> None:
        self._cipher = AESGCM(hmac.digest(secret_key.encode(), purpose.encode(), hashlib.sha256))

    def seal(self, secret: bytes, *, bound_to: bytes) -> bytes:
        """`bound_to` must be the same again at `open`, so that a sealed secret can't be put elsewhere."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, bound_to)

    def open(self, sealed: bytes, *, bound_to: bytes) -> bytes | None:
        """The secret, or None where it was sealed under another key, or for something else."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError):
            return None
