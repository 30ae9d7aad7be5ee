"""What endpoints verify deliveries by: our own header, and those of Standard Webhooks (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from uuid import UUID

PREFIX = "whsec_"


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(event_id: UUID, timestamp: int, body: bytes, signing: Sequence[str]) -> list[tuple[str, str]]:
    """The headers of a delivery, with a signature by each secret: for a day after a rotation there are more."""
    ours = f"{timestamp}.".encode() + body
    standard = f"{event_id}.{timestamp}.".encode() + body
    v1 = ",".join(f"v1={_mac(secret.encode(), ours).hex()}" for secret in signing)
    keys = [base64.b64decode(secret.removeprefix(PREFIX)) for secret in signing]
    return [
        ("Ptolemy-Signature", f"t={timestamp},{v1}"),
        ("webhook-id", str(event_id)),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(f"v1,{base64.b64encode(_mac(key, standard)).decode()}" for key in keys)),
    ]


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)
