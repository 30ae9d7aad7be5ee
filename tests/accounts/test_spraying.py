"""Guessing the passwords of many people from one address."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from ptolemy.accounts.passwords import Passwords
from ptolemy.accounts.sign_in import sign_in
from ptolemy.accounts.throttle import SECONDS_A_GUESS, WRONG_AT_ONCE
from ptolemy.database.sql import Sql
from ptolemy.kernel.problems import Problem, TooManyRequests, Unauthorized, Unavailable
from tests.accounts.office import PASSWORD, Office
from tests.house import execute
from tests.product import NO_TLS, PATIENCE_SECONDS, answered, problem
from tests.serving import PASSWORD as THEIRS
from tests.serving import add_person

SIDE_BY_SIDE = 30
"""Fewer than may wait for their turn at a password check."""


@pytest.fixture
def network() -> str:
    """What all addresses of one client begin with."""
    return f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}:"


async def guess(office: Office, address: str, times: int) -> Counter[type[Problem]]:
    """Each for another person, as many at once as may wait; how they were answered."""
    told: Counter[type[Problem]] = Counter()
    for first in range(0, times, SIDE_BY_SIDE):
        many = range(first, min(first + SIDE_BY_SIDE, times))
        guesses = [_guess(office, f"{address}:{number + 1:x}") for number in many]
        told.update(await asyncio.gather(*guesses))
    return told


async def _guess(office: Office, address: str) -> type[Problem]:
    with pytest.raises(Problem) as refused:
        await sign_in(office.database, office.passwords, f"{uuid4().hex}@example.com", "Summer2026!", address=address)
    return type(refused.value)


async def test_one_client_guesses_so_many_passwords_and_no_more_whoever_they_are_of(
    office: Office, network: str
) -> None:
    told = await guess(office, network, WRONG_AT_ONCE + SIDE_BY_SIDE)
    assert told == {Unauthorized: WRONG_AT_ONCE, TooManyRequests: SIDE_BY_SIDE}
    with pytest.raises(TooManyRequests) as refused:
        await sign_in(office.database, office.passwords, office.email, PASSWORD, address=f"{network}:1")
    assert 0 < int(refused.value.headers["Retry-After"]) <= SECONDS_A_GUESS
    # Nobody elsewhere notices, and those it asked for least of all.
    await sign_in(office.database, office.passwords, office.email, PASSWORD, address="192.0.2.1")


async def test_a_guesser_with_an_account_of_her_own_gets_no_more_guesses_by_it(office: Office, network: str) -> None:
    await guess(office, network, WRONG_AT_ONCE - 1)
    for _ in range(3):
        await sign_in(office.database, office.passwords, office.email, PASSWORD, address=f"{network}:1")
    assert await guess(office, network, 2) == {Unauthorized: 1, TooManyRequests: 1}


async def test_an_office_behind_one_address_signs_in_as_often_as_it_likes(office: Office) -> None:
    for _ in range(WRONG_AT_ONCE + 20):
        await sign_in(office.database, office.passwords, office.email, PASSWORD, address="192.0.2.2")
    assert await guess(office, "192.0.2.2", 0) == {}
    with pytest.raises(Unauthorized):
        await sign_in(office.database, office.passwords, office.email, "a typing error", address="192.0.2.2")


async def test_who_was_turned_away_by_a_flood_has_guessed_nothing(office: Office, network: str) -> None:
    class Busy(Passwords):
        async def matches(self, password: str, stored: str | None, *, address: str = "") -> bool:
            raise Unavailable("sign_in_busy", "too many", retry_after_seconds=2)

    busy = Office(**{**vars(office), "passwords": Busy()})
    assert await guess(busy, network, WRONG_AT_ONCE + 20) == {Unavailable: WRONG_AT_ONCE + 20}
    assert await guess(office, network, 1) == {Unauthorized: 1}


async def test_a_wrong_guess_is_forgiven_after_a_while(office: Office, network: str) -> None:
    await guess(office, network, WRONG_AT_ONCE)
    async with office.database.session() as session:
        passed = Sql.of("update sign_in_attempts set free_at = free_at - make_interval(secs => ?)", SECONDS_A_GUESS * 2)
        await session.run(passed)
    assert await guess(office, network, 5) == {Unauthorized: 2, TooManyRequests: 3}


async def test_what_tried_one_e_mail_in_vain_leaves_its_client_guesses(office: Office, network: str) -> None:
    """An attempt that is put off for its e-mail was no guess."""
    email = f"{uuid4().hex}@example.com"
    attempts = [
        sign_in(office.database, office.passwords, email, "a guess", address=f"{network}:1")
        for _ in range(SIDE_BY_SIDE)
    ]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    looked_at = sum(isinstance(answer, Unauthorized) for answer in answers)
    assert looked_at < SIDE_BY_SIDE
    told = await guess(office, network, WRONG_AT_ONCE)
    assert told == {Unauthorized: WRONG_AT_ONCE - looked_at, TooManyRequests: looked_at}


@pytest.fixture
def client(product_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=product_url, timeout=PATIENCE_SECONDS, verify=NO_TLS) as opened:
        yield opened


def test_a_client_that_guesses_is_told_when_to_come_back(
    client: httpx.Client, product_database_url: str, network: str
) -> None:
    email = f"{uuid4().hex}@example.com"
    asyncio.run(add_person(product_database_url, email))

    def login(address: str, password: str, **more: bool) -> httpx.Response:
        headers = {"X-Forwarded-For": address, "Origin": str(client.base_url)}
        return client.post("/v1/auth/login", json={"email": email, "password": password, **more}, headers=headers)

    execute(product_database_url, "delete from sign_in_attempts")
    problem(login(f"{network}:1", "a guess"), 401, "invalid_credentials")
    # As if it had guessed as often as it may; who is guessed at may be asked for at once.
    used_up = f"now() + make_interval(secs => {WRONG_AT_ONCE * SECONDS_A_GUESS - 5})"
    execute(product_database_url, f"update sign_in_attempts set free_at = {used_up} where free_at > now()")
    for more in ({}, {"cookie": True}):
        refused = login(f"{network}:2", THEIRS, **more)
        problem(refused, 429, "too_many_attempts")
        assert 0 < int(refused.headers["retry-after"]) <= SECONDS_A_GUESS
    answered(login("198.51.100.7", THEIRS), 200)
    execute(product_database_url, "delete from sign_in_attempts")
