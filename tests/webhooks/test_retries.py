"""What isn't taken is tried again, at the times that the reference says, until it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest

from ptolemy.database.sql import Sql
from ptolemy.events.log import Entry, record
from ptolemy.jobs.job import LeaseLost
from ptolemy.kernel.sealing import Sealer
from ptolemy.webhooks import deliveries, endpoints, feed
from ptolemy.webhooks.opening import SEALED_FOR
from ptolemy.webhooks.retries import DeliveryPace
from tests.webhooks.desk import QUICK, Desk, come_true, opened
from tests.webhooks.receiver import HANG_UP, Receiver, Reply

WAITS = (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with opened(database_url) as found:
        yield found


def answering(receiver: Receiver, status: int, **headers: str) -> None:
    receiver.answer = lambda _: Reply(status, b"no", {name.replace("_", "-"): said for name, said in headers.items()})


async def test_a_delivery_that_fails_is_tried_again_at_the_times_of_the_schedule(
    desk: Desk, receiver: Receiver
) -> None:
    answering(receiver, 500)
    webhook_id, _ = await desk.hook(receiver, "series.created", "webhook.deactivated")
    await desk.happen()
    async with desk.working():
        for attempt, wait in enumerate(WAITS, 1):
            [row] = await desk.settled("pending", attempts=attempt)
            waits = (row["next_attempt_at"] - desk.clock()).total_seconds()
            assert wait <= waits <= wait * 1.1
            assert (row["response_status"], row["response_body"], row["error"]) == (500, "no", "answered 500")
            desk.clock.forward(waits)
        [row] = await desk.settled("failed")
    assert (row["attempts"], row["next_attempt_at"]) == (10, None)
    assert len(receiver.received) == 10
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    webhook = await desk.webhook(webhook_id)
    assert not webhook["active"]
    assert "failed 10 times: answered 500" in webhook["deactivated_reason"]


async def test_the_end_of_an_endpoint_is_an_event_that_another_endpoint_hears_of(
    desk: Desk, receiver: Receiver, receivers: Callable[..., Receiver]
) -> None:
    answering(receiver, 410)
    watching = receivers()
    webhook_id, _ = await desk.hook(receiver)
    await desk.hook(watching, "webhook.deactivated")
    async with desk.working():
        await desk.happen(20)
        told = await come_true(lambda: _first(watching))
    assert told["resource_id"] == str(webhook_id)
    assert told["actor"] == {"type": "system", "id": None, "name": "system"}
    assert told["changes"]["active"] == {"from": True, "to": False}
    assert "410" in told["changes"]["deactivated_reason"]["to"]
    assert len(watching.received) == 1
    assert not (await desk.webhook(webhook_id))["active"]


async def _first(receiver: Receiver) -> dict[str, Any] | None:
    return next(iter(receiver.events()), None)


async def test_what_waits_for_an_endpoint_that_was_switched_off_comes_when_it_is_on_again(
    desk: Desk, receiver: Receiver
) -> None:
    answering(receiver, 503)
    webhook_id, _ = await desk.hook(receiver)
    await desk.happen(3)
    async with desk.working():
        await desk.settled("pending", 3, attempts=1)
        async with desk.database.transaction(desk.caller) as tx:
            await endpoints.change_webhook(tx, str(webhook_id), {"active": False})
        desk.clock.forward(10)
        await desk.happen()  # nobody hears of this one
        receiver.answer = lambda _: Reply()
        async with desk.database.transaction(desk.caller) as tx:
            await endpoints.change_webhook(tx, str(webhook_id), {"active": True})
        await desk.settled("delivered", 3)
        await desk.happen()
        await desk.settled("delivered", 4)
    assert len(await desk.deliveries()) == 4


@pytest.mark.parametrize(
    "said",
    ["Mon, 01 Jan 99999999999999 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2300", "9" * 400, "Mon, 01 Jan 2026 +9e9"],
)
async def test_an_answer_counts_whatever_nonsense_its_retry_after_is(desk: Desk, receiver: Receiver, said: str) -> None:
    answering(receiver, 200, Retry_After=said)
    await desk.hook(receiver, "series.created")
    await desk.happen()
    async with desk.working():
        [row] = await desk.settled("delivered")
    assert (row["attempts"], row["response_status"]) == (1, 200)


@pytest.mark.parametrize("in_words", [False, True], ids=["seconds", "date"])
async def test_an_endpoint_may_ask_for_more_time(desk: Desk, receiver: Receiver, *, in_words: bool) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=3600), usegmt=True)
    answering(receiver, 429, Retry_After=until if in_words else "3600")
    await desk.hook(receiver)
    await desk.happen()
    async with desk.working():
        [row] = await desk.settled("pending", attempts=1)
    assert 3500 <= (row["next_attempt_at"] - desk.clock()).total_seconds() <= 3600


async def test_nobody_can_put_a_delivery_off_for_ever(desk: Desk, receiver: Receiver) -> None:
    answering(receiver, 503, Retry_After="99999999999")
    await desk.hook(receiver)
    await desk.happen()
    async with desk.working():
        [row] = await desk.settled("pending", attempts=1)
    assert (row["next_attempt_at"] - desk.clock()).total_seconds() == 24 * 3600


async def test_no_answer_and_a_connection_that_ends_are_failures_that_say_so(
    desk: Desk, receiver: Receiver, receivers: Callable[..., Receiver]
) -> None:
    def hang(_: object) -> Reply:
        receiver.ended.wait()
        return Reply()

    receiver.answer = hang
    await desk.hook(receiver)
    await desk.hook(receivers(lambda _: HANG_UP))
    async with desk.working(replace(QUICK, timeout=0.2)):
        await desk.happen()
        rows = await desk.settled("pending", 2, attempts=1)
    assert any(row["error"] == "no answer within 0.2 s" for row in rows)
    assert any("disconnected" in row["error"] for row in rows)


async def test_a_redirect_is_an_answer_that_is_not_followed(
    desk: Desk, receiver: Receiver, receivers: Callable[..., Receiver]
) -> None:
    elsewhere = receivers()
    answering(receiver, 307, Location=elsewhere.url)
    await desk.hook(receiver)
    await desk.happen()
    async with desk.working():
        [row] = await desk.settled("pending", attempts=1)
    assert row["error"] == "answered 307"
    assert not elsewhere.received


async def test_of_an_answer_the_first_four_kilobytes_are_kept(desk: Desk, receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(200, b"\0\xff" + b"x" * 1_000_000)
    await desk.hook(receiver)
    await desk.happen()
    async with desk.working():
        [row] = await desk.settled("delivered")
    assert row["response_body"] == "\ufffd\ufffd" + "x" * 4094


async def test_events_of_one_record_come_in_their_order(desk: Desk, receiver: Receiver) -> None:
    await desk.hook(receiver)
    records = [uuid4() for _ in range(4)]
    async with desk.working():
        for _ in range(25):
            for each in records:
                await desk.happen(2, record_id=each)
        await desk.settled("delivered", 200)
    for each in records:
        ids = [event["id"] for event in receiver.events() if event["resource_id"] == str(each)]
        assert ids == sorted(ids)
        assert len(ids) == 50


async def test_a_transaction_in_progress_holds_back_no_events_but_its_own(desk: Desk, receiver: Receiver) -> None:
    await desk.hook(receiver, "series.created", "market.created")
    async with desk.working():
        async with desk.database.transaction(desk.caller) as tx:
            await tx.value(Sql("select pg_current_xact_id()::text"))
            for number in range(1, 4):
                await desk.happen()
                await desk.settled("delivered", number)
            await record(tx, [Entry("market.created", "market", uuid4())])
        await desk.settled("delivered", 4)
    assert [event["event_type"] for event in receiver.events()] == ["series.created"] * 3 + ["market.created"]


async def test_more_events_than_are_read_at_once_come_once_each(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "EVENTS_AT_ONCE", 7)
    await desk.hook(receiver)
    async with desk.database.transaction(desk.caller) as tx:
        await tx.value(Sql("select pg_current_xact_id()::text"))
        for _ in range(10):
            await desk.happen(3)
        async with desk.working():
            await desk.settled("delivered", 30)
            await desk.happen(20)
            await desk.settled("delivered", 50)
    assert len({event["id"] for event in receiver.events()}) == len(receiver.received) == 50


async def test_events_before_a_subscription_are_not_sent(desk: Desk, receiver: Receiver) -> None:
    await desk.hook(receiver, "market.created")
    await desk.happen(event_type="series.created")
    await desk.hook(receiver, "series.created")
    await desk.happen(event_type="series.created")
    async with desk.working():
        await desk.settled("delivered")
    assert len(await desk.deliveries()) == 1


async def test_two_workers_share_the_work_and_send_nothing_twice(desk: Desk, receiver: Receiver) -> None:
    await desk.hook(receiver)
    async with desk.working(), desk.working():
        for _ in range(40):
            await desk.happen(5)
        await desk.settled("delivered", 200)
    assert len(receiver.received) == 200


async def test_who_lost_the_lease_reads_nothing_on(desk: Desk, receiver: Receiver) -> None:
    await desk.hook(receiver)
    await desk.happen()
    token = uuid4()
    async with desk.database.session() as session:
        assert await feed.claim(session, [], 1000, 0, token)
    async with desk.database.session() as session:
        assert await feed.claim(session, [], 1000, 60, uuid4())
    with pytest.raises(LeaseLost):
        async with desk.database.transaction(desk.caller) as tx:
            await feed.hold(tx, token, 60)


async def test_an_attempt_that_is_told_late_changes_nothing(desk: Desk, receiver: Receiver) -> None:
    await desk.hook(receiver)
    await desk.happen()
    async with desk.working():
        [row] = await desk.settled("delivered")
    late = deliveries.Outcome({**row, "attempts": 0, "failures": 0}, desk.clock(), False, 1, None, 500)
    async with desk.database.transaction(desk.caller) as tx:
        await deliveries.note(tx, [late])
    assert await desk.deliveries() == [row]


async def test_a_lost_key_is_told_and_a_new_secret_helps(desk: Desk, receiver: Receiver) -> None:
    ours, desk.sealer = desk.sealer, Sealer("the key of another server", SEALED_FOR)
    webhook_id, _ = await desk.hook(receiver)
    await desk.happen()
    async with desk.working():
        [row] = await desk.settled("pending", attempts=1)
        assert "PTOLEMY_SECRET_KEY" in row["error"]
        async with desk.database.transaction(desk.caller) as tx:
            await endpoints.rotate_secret(tx, ours, str(webhook_id))
        desk.clock.forward(6)
        await desk.settled("delivered")


def test_the_schedule_ends_after_seventy_five_hours() -> None:
    assert DeliveryPace().retries == WAITS
    assert sum(WAITS) // 3600 == 75
