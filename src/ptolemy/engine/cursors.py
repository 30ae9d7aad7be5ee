"""Where a page ended: opaque to clients, signed, and bound to the list that it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from ptolemy.kernel.json import decode_exact, encode_canonical
from ptolemy.kernel.problems import BadRequest
from ptolemy.kernel.signing import Signer


class Cursors:
    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def write(self, asked: Any, values: Sequence[Any], last: UUID) -> str:
        """A cursor behind the row with these sort values (as JSON) and this id, for the list that `asked` describes."""
        return self._signer.sign(msgspec.json.encode([values, str(last)]), bound_to=_digest(asked))

    def read(self, asked: Any, cursor: str) -> tuple[list[Any], UUID]:
        """The sort values and the id that `write` was given; a 400 for a forged cursor or one of another list."""
        payload = self._signer.open(cursor, bound_to=_digest(asked))
        if payload is None:
            raise BadRequest(
                "invalid_cursor", "after must be the next_cursor that this very list or filter has answered"
            )
        values, last = decode_exact(payload)
        return values, UUID(last)


def _digest(asked: Any) -> bytes:
    return hashlib.sha256(encode_canonical(asked)).digest()
