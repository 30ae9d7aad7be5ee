"""What it costs a request to know the caller, to count calls and items, and to tell of the change.

    python -m bench.access [program]

`program` is the `ptolemy` of another version: its server is measured by turns with this one's. Parts are timed one
after the other on one connection to the database, as the server runs them; requests go over 16 connections.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.load import drive, one_after_another, request_bytes
from bench.requests import PROGRAM, Server, creation, seed, serving
from ptolemy.accounts.access import authenticate
from ptolemy.database.pool import Database
from ptolemy.database.transaction import Transaction
from ptolemy.events import log
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.identifiers import uuid7
from ptolemy.plans import items
from ptolemy.plans.calls import Meter, Terms

INSTRUMENTS = 10_000
CONNECTIONS = 16
ROUNDS = 5
READS, WRITES = 6000, 2500

Make = Callable[[int], bytes]


def main(program: Path | None) -> None:
    with ExitStack() as ends:
        ours = ends.enter_context(_served(PROGRAM))
        before = ends.enter_context(_served(program)) if program else None
        parts(ours)
        rates: dict[str, list[tuple[float, float]]] = {}
        for number in range(ROUNDS):
            if before:
                rates.setdefault("before", []).append(_both(before, 2 * number))
            for what, plan in (("no limit", "enterprise"), ("within limits", "growth")):
                ours.command("workspace", "set-plan", "bench", plan)
                rates.setdefault(what, []).append(_both(ours, 2 * number + (plan == "growth")))
        report(rates)


def _both(server: Server, run: int) -> tuple[float, float]:
    """Reads and writes a second."""
    reads = _rate(server, lambda n: _get(server, n), READS)
    return reads, _rate(server, lambda n: _create(server, run * WRITES + n), WRITES)


def report(rates: dict[str, list[tuple[float, float]]]) -> None:
    """Medians, and ratios round by round."""
    against = next(iter(rates))
    print(f"{'plan':16} {'reads/s':>9} {'ratio':>7} {'writes/s':>9} {'ratio':>7}   ({against} is 1, {ROUNDS} rounds)")
    for what, rounds in rates.items():
        shown = []
        for place in (0, 1):
            ratios = [now[place] / then[place] for now, then in zip(rounds, rates[against], strict=True)]
            shown.append(f"{statistics.median(each[place] for each in rounds):9,.0f} {statistics.median(ratios):7.2f}")
        print(f"{what:16} {' '.join(shown)}")


def parts(server: Server) -> None:
    """Microseconds of each part, and its share of a request that goes alone."""
    alone = {
        "get": _alone(server, lambda n: _get(server, n)),
        "create": _alone(server, lambda n: _create(server, 10**8 + n)),
    }
    print(f"one after the other: get {alone['get']:,.0f} µs, create {alone['create']:,.0f} µs (medians)")
    print(f"{'part':44} {'µs':>8} {'of a get':>9} {'of a create':>12}")
    for what, took in asyncio.run(_timed(server)).items():
        print(f"{what:44} {took:8.1f} {took / alone['get']:9.1%} {took / alone['create']:12.1%}")


async def _timed(server: Server) -> dict[str, float]:
    database = await Database.open(json.loads(server.command("doctor", "--json"))["database"]["dsn"])
    try:
        access = await authenticate(database, server.token, server.workspace)
        workspace, token = access.caller.workspace_id, access.credential_id
        meter = Meter(database)

        async def authenticated() -> None:
            await authenticate(database, server.token, server.workspace)

        async def metered(terms: Terms) -> None:
            await meter.count(workspace, token, terms)

        found = {
            "authentication": await _each(authenticated, 2000),
            "metering, no limit": await _each(lambda: metered(Terms()), 20_000),
            "metering, within a limit (leases)": await _each(lambda: metered(Terms(10**9)), 20_000, mean=True),
        }
        await meter.flush(give_back=True)
        for plan in ("enterprise", "growth"):
            server.command("workspace", "set-plan", "bench", plan)
            limited = "no limit" if plan == "enterprise" else "within a limit"
            found[f"count of items, {limited}"] = await _in_transaction(database, access.caller, _count)
        found["event"] = await _in_transaction(database, access.caller, _tell)
        return found
    finally:
        await database.close()


async def _count(tx: Transaction) -> None:
    await items.count(tx, {"instruments": 1})
    await tx.settle()


async def _tell(tx: Transaction) -> None:
    await log.record(tx, [log.Entry("instrument.created", "instrument", uuid7(), "i", {"name": {"to": "I"}})])


async def _in_transaction(database: Database, caller: Caller, part: Callable[[Transaction], Awaitable[None]]) -> float:
    """The part alone: the transaction around it is there anyway."""
    took = []
    for _ in range(1000):
        async with database.transaction(caller) as tx:
            started = time.perf_counter()
            await part(tx)
            took.append(time.perf_counter() - started)
    return statistics.median(took) * 1e6


async def _each(part: Callable[[], Awaitable[None]], times: int, *, mean: bool = False) -> float:
    """The median, or the mean of what costs much now and then."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        await part()
        took.append(time.perf_counter() - started)
    return (statistics.fmean if mean else statistics.median)(took) * 1e6


def _alone(server: Server, make: Make) -> float:
    until = time.monotonic() + 2
    took = asyncio.run(one_after_another(server.port, make, lambda: time.monotonic() < until))
    return statistics.median(took) * 1e6


@contextmanager
def _served(program: Path) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), program) as server:
        seed(server, INSTRUMENTS)
        yield server


def _get(server: Server, number: int) -> bytes:
    address = f"/v1/workspaces/{server.workspace}/instruments/i{number % INSTRUMENTS}"
    return request_bytes("GET", address, server.token)


def _create(server: Server, number: int) -> bytes:
    return creation(f"/v1/workspaces/{server.workspace}/instruments", server.token, number)


def _rate(server: Server, make: Make, count: int) -> float:
    load = asyncio.run(drive(server.port, make, connections=CONNECTIONS, count=count))
    assert not load.refused, f"{load.refused} requests were refused"
    return load.requests_per_second


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
