"""A calendar from a published one: what the library says goes in, what people wrote stays."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

from ptolemy.calendars.snapshot import shipped
from tests.calendars.exchange import CALENDARS, Exchange
from tests.product import answered, problem, refused_fields, wait_for

Events = Callable[..., list[dict[str, Any]]]
SOURCE = shipped().source


def test_generating_fills_the_calendar(xnys: Exchange, events: Events) -> None:
    made = xnys.generate("2024-07-01", "2024-07-07")
    assert {name: made[name] for name in ("mic", "source", "from", "to", "dry_run")} == {
        "mic": "XNYS",
        "source": SOURCE,
        "from": "2024-07-01",
        "to": "2024-07-07",
        "dry_run": False,
    }
    assert counts(made) == {"created": 5}
    days = xnys.days()
    assert list(days) == [f"2024-07-0{day}" for day in range(1, 6)]  # weekends have no rows
    assert {day["source"] for day in days.values()} == {SOURCE}
    assert seen(days["2024-07-03"])[:3] == (True, "09:30:00", "13:00:00")
    assert seen(days["2024-07-04"]) == (False, None, None, "July 4th")
    assert len(events(event_type="market_calendar.created")) == 5


def seen(day: dict[str, Any]) -> tuple[Any, ...]:
    return day["is_open"], day["open_time"], day["close_time"], day["name"]


def counts(made: dict[str, Any]) -> dict[str, int]:
    """The counts that aren't zero."""
    kinds = ("created", "updated", "removed", "unchanged", "kept_manual")
    return {kind: made[kind] for kind in kinds if made[kind]}


def test_generating_again_changes_nothing(xnys: Exchange, events: Events) -> None:
    xnys.generate("2024-07-01", "2024-07-07")
    before, told = xnys.days(), len(events())
    again = xnys.generate("2024-07-01", "2024-07-07")
    assert counts(again) == {"unchanged": 5}
    assert again["changes"] == []
    assert (xnys.days(), len(events())) == (before, told)


def test_a_dry_run_shows_the_difference_and_writes_nothing(xnys: Exchange, events: Events) -> None:
    made = xnys.generate("2024-07-04", "2024-07-04", dry_run=True)
    assert counts(made) == {"created": 1}
    assert made["changes"] == [
        {
            "date": "2024-07-04",
            "action": "create",
            "from": None,
            "to": {"is_open": False, "open_time": None, "close_time": None, "name": "July 4th"},
        }
    ]
    assert (xnys.days(), events(event_type="market_calendar.created")) == ({}, [])


def test_a_manual_day_is_never_overwritten(xnys: Exchange) -> None:
    own = [
        xnys.write("2024-07-03", is_open=False, name="Ours"),
        xnys.write("2024-07-04", is_open=False, name="July 4th"),
        xnys.write("2024-07-06"),
    ]
    made = xnys.generate("2024-07-01", "2024-07-07")
    assert counts(made) == {"created": 3, "kept_manual": 3}
    [kept] = [change for change in made["changes"] if change["action"] == "keep_manual"]
    assert (kept["date"], kept["from"]["name"], kept["to"]["is_open"]) == ("2024-07-03", "Ours", True)
    days = xnys.days()
    assert [days[day["date"]] for day in own] == own


def test_a_changed_day_of_a_library_is_brought_up_to_date(xnys: Exchange, events: Events) -> None:
    xnys.generate("2024-07-01", "2024-07-05")
    # As an older version of the library had it: a backup of then.
    older = xnys.workspace.export("market_calendars", format="csv").decode().replace(SOURCE, "exchange_calendars 3.0")
    older = older.replace("13:00:00", "16:00:00")
    for day in xnys.days().values():
        answered(xnys.workspace.robot.delete(f"{CALENDARS}/{day['id']}"), 204)
    xnys.workspace.import_file("market_calendars", older.encode())
    made = xnys.generate("2024-07-01", "2024-07-05")
    assert counts(made) == {"updated": 1, "unchanged": 4}
    days = xnys.days()
    assert (days["2024-07-03"]["close_time"], days["2024-07-03"]["source"]) == ("13:00:00", SOURCE)
    assert days["2024-07-02"]["source"] == "exchange_calendars 3.0"
    [event] = events(event_type="market_calendar.updated")
    assert event["changes"]["close_time"] == {"from": "16:00:00", "to": "13:00:00"}


def test_a_generated_day_that_the_library_has_no_more_is_removed(xnys: Exchange, events: Events) -> None:
    xnys.generate("2025-12-21", "2025-12-28", mic="XTAE")  # its sessions were on Sundays then
    assert "2025-12-21" in xnys.days()
    made = xnys.generate("2025-12-21", "2025-12-28")
    assert counts(made)["removed"] == 2
    assert {change["date"] for change in made["changes"] if change["action"] == "remove"} == {
        "2025-12-21",
        "2025-12-28",
    }
    assert not {"2025-12-21", "2025-12-28"} & xnys.days().keys()
    assert len(events(event_type="market_calendar.deleted")) == 2


def test_days_outside_the_asked_ones_stay(xnys: Exchange) -> None:
    xnys.generate("2024-07-01", "2024-07-05")
    before = xnys.days()
    xnys.generate("2025-07-01", "2025-07-05")
    assert {day: row for day, row in xnys.days().items() if day < "2025"} == before


def test_without_dates_all_that_is_known_is_generated(xnys: Exchange) -> None:
    made = xnys.generate()
    assert (made["from"], made["to"]) == ("2000-01-01", "2027-12-31")
    assert made["created"] == 7305
    assert len(made["changes"]) == 1000
    assert made["warnings"] == ["changes has the first 1000 of 7305 days"]


def test_what_the_library_does_not_know_is_said(new_market: Callable[..., Exchange]) -> None:
    market = new_market("XBOM", "Asia/Kolkata")
    made = market.generate("2026-12-28", "2027-01-10")
    assert (made["created"], made["to"]) == (4, "2026-12-31")
    assert made["warnings"] == ["the calendar of XBOM is known from 2000-01-01 to 2026-12-31"]
    assert counts(market.generate("2050-01-01")) == {}


def test_a_mic_that_has_no_calendar_of_its_own_takes_that_of_its_exchange(new_market: Callable[..., Exchange]) -> None:
    market = new_market("XNAS", "America/New_York")
    assert market.generate("2024-07-03", "2024-07-04")["mic"] == "XNYS"
    assert market.days()["2024-07-03"]["close_time"] == "13:00:00"


def test_an_unknown_mic_is_refused_with_those_there_are(xnys: Exchange) -> None:
    answer = xnys.ask_to_generate(mic="ZZZZ")
    assert refused_fields(answer) == {"mic": "unknown_calendar"}
    assert "XNYS" in answer.json()["errors"][0]["message"]


def test_a_market_without_a_mic_needs_one(new_market: Callable[..., Exchange]) -> None:
    assert refused_fields(new_market(timezone="UTC").ask_to_generate()) == {"mic": "required"}


def test_an_archived_market_is_not_generated(xnys: Exchange) -> None:
    answered(xnys.workspace.robot.delete("/markets/xnys"), 204)
    problem(xnys.ask_to_generate(dry_run=True), 409, "parent_archived")
    assert xnys.days() == {}


def test_what_is_asked_wrongly_is_refused_by_name(xnys: Exchange) -> None:
    assert refused_fields(xnys.ask_to_generate("2026-02-01", "2026-01-31")) == {"to": "before_from"}
    assert refused_fields(xnys.ask_to_generate("soon", mic="x")) == {"from": "invalid_date", "mic": "invalid_mic"}
    path = "/markets/none/calendar/generate"
    problem(xnys.workspace.robot.post(path, json={"from": "soon"}), 404, "not_found")
    problem(xnys.workspace.robot.get("/markets/xnys/calendar/generate"), 405, "method_not_allowed")


def test_times_are_written_on_the_market_s_own_clock(new_market: Callable[..., Exchange]) -> None:
    """The calendar of Bogotá is published in New York's time, which is the same in winter alone."""
    market = new_market("XBOG", "America/Bogota")
    market.generate("2024-03-08", "2024-03-11")
    days = market.days()
    assert [days[day]["open_time"] for day in ("2024-03-08", "2024-03-11")] == ["09:30:00", "08:30:00"]
    assert market.sessions("2024-03-11")["data"][0]["opens_at"] == "2024-03-11T13:30:00Z"


def test_a_market_without_a_timezone_gets_utc_until_it_has_one(new_market: Callable[..., Exchange]) -> None:
    market = new_market("XASX")
    made = market.generate("2024-04-05", "2024-04-05")
    assert "Australia/Sydney" in made["warnings"][0]
    [session] = market.sessions()["data"]
    instants = session["opens_at"], session["closes_at"]
    assert (session["open_time"], instants) == ("23:00:00", ("2024-04-04T23:00:00Z", "2024-04-05T05:00:00Z"))
    answered(market.workspace.robot.patch("/markets/m", json={"timezone": "Australia/Sydney"}), 200)
    assert counts(market.generate("2024-04-05", "2024-04-05")) == {"updated": 1}
    [session] = market.sessions()["data"]
    assert session["open_time"] == "10:00:00"
    assert (session["opens_at"], session["closes_at"]) == instants


def test_a_clock_on_which_a_session_is_on_two_dates_is_refused(new_market: Callable[..., Exchange]) -> None:
    market = new_market("XNYS", "Australia/Sydney")
    assert refused_fields(market.ask_to_generate("2024-07-03", "2024-07-03")) == {"mic": "timezone_too_far"}
    assert market.days() == {}


def test_many_that_generate_at_once_create_each_day_once(xnys: Exchange) -> None:
    xnys.generate("2026-01-01", "2026-01-01")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: xnys.ask_to_generate("2026-01-01", "2026-06-30"), range(8)))
    assert Counter(answer.status_code for answer in answers) == {200: 8}
    found = Counter(tuple(counts(answer.json()).items()) for answer in answers)
    assert found == {(("created", 128), ("unchanged", 1)): 1, (("unchanged", 129),): 7}


def test_an_import_in_another_order_and_a_generation_wait_for_each_other(xnys: Exchange) -> None:
    rows = "".join(f"xnys,{day.date}\n" for day in reversed(shipped().days("XNYS")))
    asked = {"resource_type": "market_calendars", "on_error": "abort"}
    robot, files = xnys.workspace.robot, {"file": ("days.csv", f"market,date\n{rows}".encode())}
    job = answered(robot.post("/imports", files=files, data=asked), 202)

    def is_under_way() -> bool | None:
        return answered(robot.get(f"/imports/{job['id']}"), 200)["rows_processed"] > 0 or None

    wait_for(is_under_way)
    made = xnys.generate()
    ended = xnys.workspace.finished("imports", job)
    assert (ended["status"], ended["rows_imported"]) == ("completed", 7305)
    assert counts(made) == {"kept_manual": 7305}


async def test_a_day_written_by_hand_a_moment_before_is_kept(xnys: Exchange, product_database_url: str) -> None:
    market = answered(xnys.workspace.robot.get("/markets/xnys"), 200)["id"]
    driver = await asyncpg.connect(product_database_url)
    try:
        async with driver.transaction():
            await driver.execute(
                "insert into market_calendars (workspace_id, id, market_id, date, is_open, name, source)"
                " select workspace_id, gen_random_uuid(), id, '2026-03-03', false, 'by hand', 'manual'"
                " from markets where id = $1::uuid",
                market,
            )
            generating = asyncio.create_task(asyncio.to_thread(xnys.generate, "2026-03-02", "2026-03-06"))
            waits = "select exists (select from pg_locks where not granted and transactionid = $1::text::xid)"
            ours = await driver.fetchval("select pg_current_xact_id()::text")
            while not await driver.fetchval(waits, ours):
                assert not generating.done(), await generating
        made = await generating
    finally:
        await driver.close()
    assert counts(made) == {"created": 4, "kept_manual": 1}
    assert "2026-03-03" not in {change["date"] for change in made["changes"]}
    assert xnys.days()["2026-03-03"]["name"] == "by hand"


def test_days_written_by_hand_meanwhile_are_kept(xnys: Exchange) -> None:
    days = [f"2026-03-{number:02}" for number in range(2, 28)]
    bodies = [{"market_id": "xnys", "date": day, "name": "by hand"} for day in days]

    def ask(number: int) -> int:
        if number % 9 == 4:
            return xnys.ask_to_generate("2026-03-01", "2026-03-31").status_code
        return xnys.workspace.robot.post(CALENDARS, json=bodies[number]).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(ask, range(len(days))))
    assert set(statuses) <= {200, 201, 409}
    found = xnys.days()
    written = [day for day, status in zip(days, statuses, strict=True) if status == 201]
    assert written
    assert {found[day]["name"] for day in written} == {"by hand"}
