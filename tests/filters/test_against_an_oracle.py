"""Thousands of random filters over real equities: the API and a plain Python oracle see the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.filters import equities
from tests.filters.oracle import Oracle
from tests.filters.questions import Questions
from tests.product import Workspace, answered


@pytest.fixture(scope="module")
def market(new_workspace: Callable[[], Workspace]) -> Workspace:
    workspace = new_workspace()
    equities.load(workspace)
    return workspace


@pytest.fixture(scope="module")
def oracle(market: Workspace) -> Oracle:
    return equities.oracle(market)


PAGES = 2


@pytest.mark.parametrize("part", range(10))
def test_filters_find_what_the_oracle_finds(part: int, market: Workspace, oracle: Oracle) -> None:
    differ(oracle, market, seed=part, number=200)


@pytest.mark.long
@pytest.mark.parametrize("part", range(20))
def test_many_more_filters_find_what_the_oracle_finds(part: int, market: Workspace, oracle: Oracle) -> None:
    differ(oracle, market, seed=1_000 + part, number=2_500)


def differ(oracle: Oracle, market: Workspace, *, seed: int, number: int) -> None:
    questions = Questions(seed, oracle)
    hits = 0
    for _ in range(number):
        question = questions.next()
        wanted = oracle.ask(question)
        words = json.dumps(question, ensure_ascii=False)
        rows, warned = walked(market, question)
        ids = [row["id"] for row in wanted.rows]
        assert [row["id"] for row in rows] == ids[: len(rows)], words
        assert len(rows) == min(len(ids), question["limit"] * PAGES), words
        assert warned == wanted.warned, words
        counted = {name: value for name, value in question.items() if name not in ("sort", "limit")}
        assert answered(market.robot.post("/instruments/count", json=counted), 200)["count"] == len(ids), words
        hits += bool(ids)
    assert hits > number / 4, "the questions are too odd to tell anything"


def walked(market: Workspace, question: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """The first pages, and whether there were warnings."""
    rows: list[dict[str, Any]] = []
    warned, after = False, None
    for _ in range(PAGES):
        body = question if after is None else {**question, "after": after}
        page = answered(market.robot.post("/instruments/filter", json=body), 200)
        rows += page["data"]
        warned = warned or "warnings" in page
        after = page["meta"]["next_cursor"]
        if after is None:
            break
    return rows, warned
