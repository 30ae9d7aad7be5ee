"""Many who sign in at once: a few wait, the others are told to come back, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from ptolemy.accounts.turns import Turns, client_of
from ptolemy.kernel.problems import Unavailable
from tests.product import NO_TLS, PATIENCE_SECONDS, Workspace, answered, problem
from tests.serving import PASSWORD, add_person

FLOOD = 150


@pytest.fixture
def client(product_url: str) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=FLOOD + 10)
    with httpx.Client(base_url=product_url, timeout=PATIENCE_SECONDS, verify=NO_TLS, limits=limits) as opened:
        yield opened


def sign_in(client: httpx.Client, email: str, password: str, address: str) -> httpx.Response:
    """As a proxy hands it on for the address."""
    headers = {"X-Forwarded-For": address}
    return client.post("/v1/auth/login", json={"email": email, "password": password}, headers=headers)


async def test_a_flood_of_sign_ins_is_turned_away_and_keeps_nobody_else_waiting(
    client: httpx.Client, workspace: Workspace, product_database_url: str
) -> None:
    email = f"{uuid4().hex}@example.com"
    await add_person(product_database_url, email)

    def guess(number: int) -> httpx.Response:
        return sign_in(client, f"{number}.{email}", "a guess", "192.0.2.66")

    def meanwhile() -> None:
        with ThreadPoolExecutor(FLOOD) as threads:
            guesses = [threads.submit(guess, number) for number in range(FLOOD)]
            assert answered(sign_in(client, email, PASSWORD, "198.51.100.7"), 200)["token_type"] == "Bearer"
            assert answered(workspace.admin.get("/series"), 200)["data"] == []
            still_waiting.append(sum(not each.done() for each in guesses))
            answers.extend(each.result() for each in guesses)

    answers: list[httpx.Response] = []
    still_waiting: list[int] = []
    await asyncio.to_thread(meanwhile)
    told = Counter(answer.status_code for answer in answers)
    # More passwords at once than one client may get wrong: those are put off before they wait for a turn.
    assert set(told) - {429} == {401, 503} and told[401] >= 2, told
    assert still_waiting[0] > 0
    refused = next(answer for answer in answers if answer.status_code == 503)
    problem(refused, 503, "sign_in_busy")
    assert int(refused.headers["retry-after"]) == 2


async def test_turns_go_round_among_those_who_wait() -> None:
    turns, order = Turns(at_once=1, waiting=10), []

    async def come(address: str) -> None:
        async with turns.taken(address):
            order.append(address)
            await asyncio.sleep(0)

    await asyncio.gather(*(come(each) for each in ("a", "a", "a", "b", "c", "b")))
    assert order == ["a", "a", "b", "c", "a", "b"]


async def test_who_has_the_most_places_gives_one_up() -> None:
    turns, refused, served = Turns(at_once=1, waiting=3), [], []
    end = asyncio.Event()

    async def come(address: str) -> None:
        try:
            async with turns.taken(address):
                served.append(address)
                await end.wait()
        except Unavailable:
            refused.append(address)

    waiting = []
    for address in ("flood", "flood", "flood", "flood", "flood", "b", "c", "d"):
        waiting.append(asyncio.create_task(come(address)))
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    # Three places: of the flood's one gave way to b, one to c; d has no more right to one than they.
    assert refused == ["flood", "flood", "flood", "d"]
    end.set()
    await asyncio.gather(*waiting)
    assert served == ["flood", "flood", "b", "c"]


async def test_who_leaves_gives_the_place_free() -> None:
    turns, end = Turns(at_once=1, waiting=1), asyncio.Event()

    async def come() -> None:
        async with turns.taken("a"):
            await end.wait()

    first, second = asyncio.create_task(come()), asyncio.create_task(come())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        turns.refuse_in_vain("a")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    third = asyncio.create_task(come())
    await asyncio.sleep(0)
    end.set()
    await asyncio.gather(first, third)
    async with turns.taken("b"):
        pass


@pytest.mark.parametrize("moment", ["as its turn comes", "as it gives its place up", "after it gave its place up"])
async def test_who_leaves_at_an_unlucky_moment_takes_no_turn_along_and_leaves_none(moment: str) -> None:
    turns, end = Turns(at_once=1, waiting=2), asyncio.Event()

    async def come(address: str) -> None:
        async with turns.taken(address):
            await end.wait()

    tasks = []
    for address in ("a", "flood", "flood"):
        tasks.append(asyncio.create_task(come(address)))
        await asyncio.sleep(0)
    leaving = tasks[1 if moment == "as its turn comes" else 2]
    if moment != "as its turn comes":
        tasks.append(asyncio.create_task(come("b")))
    if moment == "after it gave its place up":
        await asyncio.sleep(0)
    elif moment == "as its turn comes":
        end.set()
    leaving.cancel()
    end.set()
    others = [task for task in tasks if task is not leaving]
    await asyncio.gather(*others)
    with pytest.raises(asyncio.CancelledError):
        await leaving
    async with turns.taken("c"):
        waits = asyncio.create_task(come("d"))
        await asyncio.sleep(0)
        assert not waits.done()
    await waits


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "", True),
    ],
)
def test_a_network_of_ipv6_is_one_client(one: str, other: str, same: bool) -> None:
    assert (client_of(one) == client_of(other)) is same
