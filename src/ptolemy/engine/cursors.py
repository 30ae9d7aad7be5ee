"""Where a page ended: opaque to clients, signed, and bound to the list that it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from ptolemy.kernel.json import decode_exact, encode_canonical
from ptolemy.kernel.problems import BadRequest
from ptolemy.kernel.signing import Signer


class Cursors:
    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def write(self, asked: Any, position: Sequence[Any]) -> str:
        """A cursor behind the record with these values (as JSON), for the list that `asked` describes."""
        return self._signer.sign(msgspec.json.encode(position), bound_to=_digest(asked))

    def read(self, asked: Any, cursor: str) -> list[Any]:
        """The values that `write` was given; a 400 for a forged cursor or one of another list."""
        payload = self._signer.open(cursor, bound_to=_digest(asked))
        if payload is None:
            raise invalid_cursor()
        position: list[Any] = decode_exact(payload)
        return position

    def position(self, cursor: str) -> list[Any]:
        """The values of a cursor that `read` has taken."""
        position: list[Any] = decode_exact(self._signer.carried(cursor))
        return position


def invalid_cursor() -> BadRequest:
    return BadRequest("invalid_cursor", "after must be the next_cursor that this very list or filter has answered")


def _digest(asked: Any) -> bytes:
    return hashlib.sha256(encode_canonical(asked)).digest()
