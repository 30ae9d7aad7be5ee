"""The operator's file of plans."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.plans.configuration import configure, read_plans
from ptolemy.plans.plan import DEFAULTS, Plan
from ptolemy.settings import SettingsProblem


def test_what_the_file_does_not_say_is_as_by_default(tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text('[starter]\nitems = 7\ncalls = "unlimited"\ncall_overage = true\n')
    plans = read_plans(file)
    assert plans["starter"] == Plan(items=7, calls=None, seats=3, webhooks=2, call_overage=True, events_days=90)
    assert plans["growth"] == DEFAULTS["growth"]
    assert read_plans(None)["enterprise"] == Plan()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[starter", "is not TOML"),
        ("[gold]\n", "there is no plan 'gold'"),
        ("starter = 3\n", "starter must be a table"),
        ("[starter]\nitem = 3\n", "starter has no 'item'"),
        ("[starter]\nitems = -1\n", "starter.items must be a whole number of 0 or more"),
        ("[starter]\nitems = 1.5\n", "starter.items must be a whole number"),
        ("[starter]\nitems = true\n", "starter.items must be a whole number"),
        (
            '[growth]\ncalls = "many"\n',
            "growth.calls must be a whole number of 0 or more, or \"unlimited\", got 'many'",
        ),
        ("[growth]\nevents_days = 0\n", "growth.events_days must be a whole number of 1 or more"),
        ("[growth]\nitem_overage = 1\n", "growth.item_overage must be true or false, got 1"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "plans.toml"
    file.write_text(content)
    with pytest.raises(SettingsProblem) as refused:
        read_plans(file)
    line = str(refused.value)
    assert line.startswith(f"PTOLEMY_PLANS_FILE {file}: ") and says in line and "\n" not in line


def test_a_file_that_is_not_there_is_one_line_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match="can't be read: No such file"):
        read_plans(tmp_path / "plans.toml")


def test_a_start_that_was_cut_short_is_made_up_for(database_url: str) -> None:
    async def work() -> list[bool]:
        database = await Database.open(database_url, app_connections=2, owner_connections=1)
        try:
            await configure(database, DEFAULTS)
            async with database.session() as session:
                await session.run(Sql("update plans set applied = false"))
            await configure(database, DEFAULTS)
            async with database.session() as session:
                return [row["applied"] for row in await session.rows(Sql("select applied from plans"))]
        finally:
            await database.close()

    assert asyncio.run(work()) == [True] * 3
