"""Passwords as argon2id hashes (RFC 9106, second recommended option: 64 MiB, three passes, four lanes)."""

from __future__ import annotations

import asyncio
import gzip
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ptolemy.accounts.turns import Turns
from ptolemy.kernel.problems import FieldError, Invalid

Result = TypeVar("Result")

MIN_LENGTH = 8
MAX_LENGTH = 256
"""NIST SP 800-63B: at least 8 characters, at least 64 allowed, none that everybody uses, no rules of composition."""
_MAX_SENT = 4 * MAX_LENGTH
"""As it may come, in letters and accents that are still to be composed."""


_AT_ONCE = 2
_WAITING = 32
"""As many as two threads check in one or two seconds; who comes later is better told to come back."""


class Passwords:
    """Hashes and checks off the event loop, two at a time: each takes 64 MiB, and a flood must not take it all.

    Who can't have a turn soon gets a 503; `address` is the network address that asks, and each has its turns.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._turns = Turns(_AT_ONCE, _WAITING)
        self._nobodys: str | None = None

    def refuse_in_vain(self, address: str) -> None:
        """Raises the 503 now that a check would raise: before an attempt is counted that can't be looked at."""
        self._turns.refuse_in_vain(address)

    async def hash(self, password: str, *, email: str = "", field: str = "password", address: str = "") -> str:
        """A hash to store; a password of the wrong length, or that others would try first, is refused."""
        normal = _composed(password)
        if not MIN_LENGTH <= len(normal) <= MAX_LENGTH:
            message = f"must have {MIN_LENGTH} to {MAX_LENGTH} characters, got {len(normal)}"
            raise Invalid(FieldError(field, "password_length", message))
        if normal.casefold() in _common() | {email.casefold(), email.casefold().partition("@")[0]}:
            message = "is one of those that are tried first: choose another, a few words for example"
            raise Invalid(FieldError(field, "common_password", message))
        return await self._in_turn(address, self._hash, normal)

    async def matches(self, password: str, stored: str | None, *, address: str = "") -> bool:
        """Whether `password` is the one stored; takes as long where nothing is stored, so that time tells no secret."""
        return await self._in_turn(address, self._matches, _composed(password), stored)

    def _hash(self, password: str) -> str:
        # Lone surrogates can come in JSON; they have no UTF-8 form of their own.
        return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    def _matches(self, password: str, stored: str | None) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hash("nobody's password")
        try:
            self._hasher.verify(stored or self._nobodys, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _in_turn(self, address: str, work: Callable[..., Result], *args: object) -> Result:
        async with self._turns.taken(address):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


def _composed(password: str) -> str:
    # Takes the square of the number of accents, with the event loop standing still: what is too long anyway stays so.
    return password if len(password) > _MAX_SENT else unicodedata.normalize("NFKC", password)


@cache
def _common() -> frozenset[str]:
    """Passwords that are known from leaks, of those that are long enough."""
    packed = files("ptolemy.accounts").joinpath("data/common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())
