"""Values that leave the server and come back: signed, so that nobody else can make or change one."""

import base64
import hashlib
import hmac

_MAC_BYTES = 16


class Signer:
    """Signs for one purpose: what one signer made, another refuses (RFC 2104, HMAC-SHA256 cut to 128 bits)."""

    def __init__(self, secret_key: str, purpose: str) -> None:
        self._key = hmac.digest(secret_key.encode(), purpose.encode(), hashlib.sha256)

    def sign(self, payload: bytes, *, bound_to: bytes = b"") -> str:
        """URL-safe text that carries `payload`; `bound_to` must be the same again at `open`."""
        return base64.urlsafe_b64encode(self._mac(payload, bound_to) + payload).decode().rstrip("=")

    def open(self, token: str, *, bound_to: bytes = b"") -> bytes | None:
        """The payload, or None where `token` is not one of ours, or was made for something else."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        return payload if hmac.compare_digest(mac, self._mac(payload, bound_to)) else None

    def derived(self, payload: bytes) -> bytes:
        """32 bytes that always follow from `payload`, and that nobody without the key can tell."""
        return hmac.digest(self._key, payload, hashlib.sha256)

    def carried(self, token: str) -> bytes:
        """The payload of a token that `open` has taken."""
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[_MAC_BYTES:]

    def _mac(self, payload: bytes, bound_to: bytes) -> bytes:
        message = len(bound_to).to_bytes(8) + bound_to + payload
        return hmac.digest(self._key, message, hashlib.sha256)[:_MAC_BYTES]
