"""A market of a workspace, and what its calendar answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.product import Workspace, answered

CALENDARS = "/market-calendars"


@dataclass(frozen=True)
class Exchange:
    """One market, by its identifier."""

    workspace: Workspace
    market: str

    def write(self, date: str, **values: Any) -> dict[str, Any]:
        """A day written by hand."""
        return self.workspace.create("market-calendars", market_id=self.market, date=date, **values)

    def change(self, day: dict[str, Any], **values: Any) -> dict[str, Any]:
        return answered(self.workspace.robot.patch(f"{CALENDARS}/{day['id']}", json=values), 200)

    def ask_to_generate(self, first: str | None = None, last: str | None = None, **more: Any) -> httpx.Response:
        body = {name: value for name, value in {"from": first, "to": last, **more}.items() if value is not None}
        return self.workspace.robot.post(f"/markets/{self.market}/calendar/generate", json=body)

    def generate(self, first: str | None = None, last: str | None = None, **more: Any) -> dict[str, Any]:
        return answered(self.ask_to_generate(first, last, **more), 200)

    def days(self) -> dict[str, dict[str, Any]]:
        """All rows, by date."""
        body = {"market_id": self.market, "sort": [{"field": "date"}], "limit": 200}
        page = answered(self.workspace.robot.post(f"{CALENDARS}/filter", json=body), 200)
        assert not page["meta"]["has_more"]
        return {day["date"]: day for day in page["data"]}

    def sessions(self, first: str | None = None, last: str | None = None, **more: Any) -> dict[str, Any]:
        params = {name: value for name, value in {"from": first, "to": last, **more}.items() if value is not None}
        return answered(self.workspace.robot.get(f"/markets/{self.market}/sessions", params=params), 200)

    def at(self, instant: str) -> dict[str, Any]:
        return answered(self.workspace.robot.get(f"/markets/{self.market}/is-open", params={"at": instant}), 200)


def exchange(
    workspace: Workspace, mic: str | None = None, timezone: str | None = None, identifier: str = "m"
) -> Exchange:
    """A new market; the workspace has the schema already."""
    workspace.create("markets", identifier=identifier, name="M", type_id="exchange", mic=mic, timezone=timezone)
    return Exchange(workspace, identifier)
