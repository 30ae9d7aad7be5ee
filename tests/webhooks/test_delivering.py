"""Events reach the endpoints that are subscribed to them, through the whole product."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.product import Workspace, answered, problem, refused_fields, wait_for
from tests.webhooks.receiver import Received, Receiver, Reply

Body = dict[str, Any]
Hook = Callable[..., Body]


def delivery_of(workspace: Workspace, webhook: Body, event_type: str, status: str) -> Body:
    """The one delivery of such an event, once it has the status."""

    def found() -> Body | None:
        params = {"event_type": event_type, "status": status}
        page = answered(workspace.admin.get(f"/webhooks/{webhook['id']}/deliveries", params=params), 200)["data"]
        return page[0] if page else None

    return wait_for(found)


def test_an_event_is_sent_as_it_is_read(workspace: Workspace, receiver: Receiver, hook: Hook) -> None:
    webhook = hook(receiver, "series.created")
    workspace.create("series", identifier="close")
    [sent] = receiver.wait(1)
    assert sent == answered(workspace.robot.get(f"/events/{sent['id']}"), 200)
    assert receiver.received[0].path == "/hooks?of=tests"
    assert receiver.received[0].headers["Content-Type"] == "application/json"
    logged = delivery_of(workspace, webhook, "series.created", "delivered")
    assert (logged["attempts"], logged["response_status"], logged["next_attempt_at"]) == (1, 204, None)
    one = answered(workspace.admin.get(f"/webhooks/{webhook['id']}/deliveries/{logged['id']}"), 200)
    assert one == {**logged, "payload": sent}


def test_the_first_delivery_of_an_event_counts_as_a_call(workspace: Workspace, receiver: Receiver, hook: Hook) -> None:
    webhook = hook(receiver, "series.created")
    workspace.create("series", identifier="close")
    delivery = delivery_of(workspace, webhook, "series.created", "delivered")
    again = f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/redeliver"
    answered(workspace.admin.post(again), 202)
    receiver.wait(2)
    wait_for(lambda: delivery_of(workspace, webhook, "series.created", "delivered")["attempts"] == 2 or None)
    usage = answered(workspace.admin.get("/plan/usage"), 200)["data"]
    assert [each["total"] for each in usage if each["kind"] == "deliveries"] == [1]
    assert answered(workspace.admin.get("/plan"), 200)["usage"]["webhooks"] == 1


def test_an_independent_library_verifies_what_was_sent(workspace: Workspace, receiver: Receiver, hook: Hook) -> None:
    secret = hook(receiver, "series.created")["secret"]
    workspace.create("series", identifier="close", name="Schlußkurs")
    receiver.wait(1)
    [got] = receiver.received
    assert Webhook(secret).verify(got.body, dict(got.headers)) == got.event
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(got.body + b" ", dict(got.headers))
    assert got.headers["webhook-id"] == got.event["id"]
    t, v1 = got.headers["Ptolemy-Signature"].split(",")
    expected = hmac.digest(secret.encode(), t.removeprefix("t=").encode() + b"." + got.body, sha256).hex()
    assert v1 == f"v1={expected}"
    assert t == f"t={got.headers['webhook-timestamp']}"


def test_after_a_rotation_both_secrets_sign_for_a_day(
    workspace: Workspace, receiver: Receiver, hook: Hook, execute: Callable[..., Any], events: Callable[..., list[Body]]
) -> None:
    webhook = hook(receiver, "series.created")
    response = workspace.admin.post(f"/webhooks/{webhook['id']}/rotate-secret")
    rotated = answered(response, 200)
    assert response.headers["cache-control"] == "no-store"
    assert rotated["secret"] != webhook["secret"]
    workspace.create("series", identifier="first")
    receiver.wait(1)
    [both] = receiver.received
    for secret in (webhook["secret"], rotated["secret"]):
        Webhook(secret).verify(both.body, dict(both.headers))
        t = both.headers["webhook-timestamp"].encode()
        mac = hmac.digest(secret.encode(), t + b"." + both.body, sha256).hex()
        assert f"v1={mac}" in both.headers["Ptolemy-Signature"].split(",")
    [event] = events(event_type="webhook.secret_rotated")
    assert list(event["changes"]) == ["previous_secret_signs_until"]
    over = "update webhook_secrets set before_until = now() - interval '1 second' where webhook_id = $1"
    execute(over, webhook["id"])
    workspace.create("series", identifier="second")
    receiver.wait(2)
    late = receiver.received[1]
    Webhook(rotated["secret"]).verify(late.body, dict(late.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook["secret"]).verify(late.body, dict(late.headers))
    assert base64.b64decode(rotated["secret"].removeprefix("whsec_"))


def test_a_secret_signs_for_its_day_also_if_it_is_rotated_again(
    workspace: Workspace, receiver: Receiver, hook: Hook, execute: Callable[..., Any]
) -> None:
    """The answer to a rotation may get lost, and the next one must not end what receivers know."""
    webhook = hook(receiver, "series.created")
    rotate = f"/webhooks/{webhook['id']}/rotate-secret"
    secrets = [webhook["secret"], *(answered(workspace.admin.post(rotate), 200)["secret"] for _ in range(3))]
    workspace.create("series", identifier="first")
    receiver.wait(1)
    [got] = receiver.received
    for secret in secrets:
        Webhook(secret).verify(got.body, dict(got.headers))
    assert got.headers["Ptolemy-Signature"].count("v1=") == len(secrets)
    over = "update webhook_secrets set earlier_until[2] = now() - interval '1 second' where webhook_id = $1"
    execute(over, webhook["id"])
    workspace.create("series", identifier="second")
    receiver.wait(2)
    late = receiver.received[1]
    for secret in secrets[1:]:
        Webhook(secret).verify(late.body, dict(late.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets[0]).verify(late.body, dict(late.headers))


def test_a_receiver_that_reads_back_at_once_sees_the_change(
    workspace: Workspace, receiver: Receiver, hook: Hook
) -> None:
    workspace.equity()
    read: list[tuple[str, str]] = []

    def read_back(got: Received) -> Reply:
        now = answered(workspace.robot.get(f"/instruments/{got.event['resource_id']}"), 200)
        read.append((got.event["event_type"], now["name"]))
        return Reply()

    receiver.answer = read_back
    hook(receiver, "instrument.created", "instrument.updated")
    for number in range(20):
        made = workspace.create("instruments", identifier=f"i{number}", name="0", type_id="equity")
        answered(workspace.admin.patch(f"/instruments/{made['id']}", json={"name": "1"}), 200)
    wait_for(lambda: len(read) == 40 or None)
    # The second change may have been made as the first was read back; never the other way round.
    assert {name for event_type, name in read if event_type == "instrument.created"} <= {"0", "1"}
    assert [name for event_type, name in read if event_type == "instrument.updated"] == ["1"] * 20


def test_only_what_was_subscribed_to_comes(
    workspace: Workspace, receivers: Callable[..., Receiver], hook: Hook
) -> None:
    one, resource, everything, nothing = (receivers() for _ in range(4))
    hook(one, "series.created")
    hook(resource, "series.*")
    hook(everything, "*")
    hook(nothing)
    workspace.create("series", identifier="close")
    answered(workspace.admin.patch("/series/close", json={"name": "Close"}), 200)
    workspace.create("market-types", identifier="exchange")
    everything.wait(1, "market_type.created")
    assert [event["event_type"] for event in resource.wait(2)] == ["series.created", "series.updated"]
    assert [event["event_type"] for event in one.wait(1)] == ["series.created"]
    assert not nothing.received


def test_imports_tell_of_reference_data_row_by_row_and_of_values_once(
    workspace: Workspace, receiver: Receiver, hook: Hook
) -> None:
    workspace.equity()
    hook(receiver, "instrument.created", "time_series_value.*", "import.completed")
    rows = "identifier,name,type_id\n" + "".join(f"i{number},I,equity\n" for number in range(30))
    workspace.import_file("instruments", rows.encode())
    values = "instrument_id,type_id,timestamp,value\n" + "".join(f"i{n},close,2026-01-01,1\n" for n in range(30))
    assert workspace.import_file("time_series_values", values.encode())["rows_imported"] == 30
    receiver.wait(2, "import.completed")
    assert len(receiver.events("instrument.created")) == 30
    assert len(receiver.received) == 32


def test_a_large_event_carries_a_link_instead_of_its_changes(
    workspace: Workspace, receiver: Receiver, hook: Hook
) -> None:
    workspace.equity()
    hook(receiver, "instrument.created")
    extras = {"text": "x" * 30_000}
    workspace.create("instruments", identifier="big", name="Big", type_id="equity", extras=extras)
    [sent] = receiver.wait(1)
    assert "changes" not in sent
    assert len(receiver.received[0].body) < 1000
    whole = answered(workspace.robot.get(f"/events/{sent['id']}"), 200)
    assert sent["changes_url"].endswith(f"/events/{sent['id']}")
    assert whole["changes"]["extras"]["to"] == extras


def test_a_test_reaches_an_endpoint_without_subscriptions(workspace: Workspace, receiver: Receiver, hook: Hook) -> None:
    webhook = hook(receiver)
    response = workspace.admin.post(f"/webhooks/{webhook['id']}/test")
    queued = answered(response, 202)
    assert queued["status"] == "pending"
    [sent] = receiver.wait(1)
    assert (sent["event_type"], sent["resource_id"]) == ("webhook.tested", webhook["id"])
    path = response.headers["location"].partition(workspace.slug)[2]
    assert delivery_of(workspace, webhook, "webhook.tested", "delivered")["id"] == queued["id"]
    assert answered(workspace.admin.get(path), 200)["payload"] == sent


def test_a_delivery_is_sent_again_with_the_same_id(workspace: Workspace, receiver: Receiver, hook: Hook) -> None:
    webhook = hook(receiver, "series.created")
    workspace.create("series", identifier="close")
    receiver.wait(1)
    logged = delivery_of(workspace, webhook, "series.created", "delivered")
    again = answered(workspace.admin.post(f"/webhooks/{webhook['id']}/deliveries/{logged['id']}/redeliver"), 202)
    assert (again["id"], again["status"]) == (logged["id"], "pending")
    first, second = receiver.wait(2)
    assert first == second
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
    problem(workspace.admin.post(f"/webhooks/{webhook['id']}/deliveries/nothing/redeliver"), 404, "not_found")


def test_all_that_failed_since_an_instant_is_sent_again(workspace: Workspace, receiver: Receiver, hook: Hook) -> None:
    receiver.answer = lambda _: Reply(410)
    webhook = hook(receiver, "series.created")
    workspace.create("series", identifier="gone")
    delivery_of(workspace, webhook, "series.created", "failed")
    path = f"/webhooks/{webhook['id']}"
    assert not answered(workspace.admin.get(path), 200)["active"]
    since = {"failed_since": "2026-01-01T00:00:00Z"}
    problem(workspace.admin.post(f"{path}/redeliver", json=since), 409, "webhook_inactive")
    problem(workspace.admin.post(f"{path}/test"), 409, "webhook_inactive")
    receiver.answer = lambda _: Reply()
    answered(workspace.admin.patch(path, json={"active": True}), 200)
    later = {"failed_since": datetime.now(UTC).isoformat()}
    assert answered(workspace.admin.post(f"{path}/redeliver", json=later), 200) == {"redelivered": 0}
    assert answered(workspace.admin.post(f"{path}/redeliver", json=since), 200) == {"redelivered": 1}
    assert delivery_of(workspace, webhook, "series.created", "delivered")["attempts"] == 2
    assert refused_fields(workspace.admin.post(f"{path}/redeliver", json={"failed_since": "yesterday"})) == {
        "failed_since": "invalid_timestamp"
    }


def test_the_log_comes_newest_first_in_pages(workspace: Workspace, receiver: Receiver, hook: Hook) -> None:
    webhook = hook(receiver, "series.created")
    for number in range(5):
        workspace.create("series", identifier=f"s{number}")
    receiver.wait(5)
    path, seen, after = f"/webhooks/{webhook['id']}/deliveries", [], None
    while True:
        params = {"limit": 2, **({"after": after} if after else {})}
        page = answered(workspace.admin.get(path, params=params), 200)
        seen += [row["event_id"] for row in page["data"]]
        after = page["meta"]["next_cursor"]
        if after is None:
            break
    assert seen == sorted((event["id"] for event in receiver.events()), reverse=True)
