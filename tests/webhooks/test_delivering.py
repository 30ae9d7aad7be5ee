"""Events reach the endpoints that are subscribed to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from tests.product import Workspace, answered, problem, wait_for
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
