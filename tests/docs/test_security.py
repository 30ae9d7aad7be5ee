"""The page on security leaves no requirement out, and names what shows each row: tests that exist, most of all."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/.:]+)`", PAGE)))

REQUIREMENTS = {
    **{"1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4},
    **{"3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3},
    **{"6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5},
    **{"7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "11.1": 2, "11.2": 3},
    **{"11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2},
    **{"13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4},
    **{"16.4": 3, "16.5": 3},
}
"""How many of levels 1 and 2 each section of ASVS 5.0.0 has, before those of level 3; V10 and V17 don't apply."""

DASH = "\N{EN DASH}"

_ROW = re.compile(rf"(\d+\.\d+)\.(\d+)(?:{DASH}\1\.(\d+))?")
_SHOWN = re.compile(r"`tests/[\w/]+\.py::test_\w+`|ruff `S\d{3}`|reading: \[[\w ]+\]\([\w/.#-]+\)")
"""A test, a rule that `make check` looks at, or the page that is to be read."""


def test_every_test_that_the_page_on_security_names_exists() -> None:
    assert len(NAMED) > 150
    assert not [name for name in NAMED if not _exists(name)]


def test_every_chapter_of_the_standard_is_spoken_of() -> None:
    chapters = re.findall(r"^### V(\d+) ", PAGE, re.MULTILINE)
    assert chapters == [str(number) for number in range(1, 18)]
    assert re.findall(r"^\| API(\d+) ", PAGE, re.MULTILINE) == [str(number) for number in range(1, 11)]


def test_every_requirement_of_levels_1_and_2_has_its_row() -> None:
    spoken_of = Counter(number for row in _rows() for number in _numbers(row[0]))
    wanted = {f"{section}.{number}" for section, count in REQUIREMENTS.items() for number in range(1, count + 1)}
    assert spoken_of == Counter(wanted)


def test_what_is_met_says_how_and_names_what_shows_it() -> None:
    risks = [row for row in _cells() if row[0].startswith("API")]
    claimed = [row for row in _rows() if row[1] in ("met", "partly")]
    assert (len(risks), len(claimed) > 80) == (10, True)
    assert not [row[0] for row in [*risks, *claimed] if not row[-2] or not _SHOWN.search(row[-1])]


def test_the_rules_of_ruff_that_show_a_row_are_looked_at() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    named = {rule for row in _rows() for rule in re.findall(r"`(S\d{3})`", row[-1])}
    assert "S" in ruff["select"] and named
    assert not named & {*ruff["ignore"]}


def test_every_row_of_the_standard_says_whether_it_is_met() -> None:
    assert {row[1] for row in _rows()} == {"met", "partly", "not met", "operator", DASH}


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        (f"1.2.1{DASH}1.2.3", ["1.2.1", "1.2.2", "1.2.3"]),
        (f"4.3.2, 4.4.1{DASH}4.4.2", ["4.3.2", "4.4.1", "4.4.2"]),
        ("removal", []),
        ("1.2.10 (level 3)", []),
    ],
)
def test_a_row_may_speak_of_several_requirements(cell: str, numbers: list[str]) -> None:
    assert list(_numbers(cell)) == numbers


def _exists(name: str) -> bool:
    path, _, test = name.partition("::")
    return bool(test) and (ROOT / path).exists() and f"def {test}(" in (ROOT / path).read_text()


def _cells(text: str = PAGE) -> list[list[str]]:
    """The rows of all tables, headings and lines below them too."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def _rows() -> list[list[str]]:
    """The rows of the standard: which requirements, whether they are met, how, and what shows it."""
    standard = PAGE.partition("## ASVS")[2]
    return [row for row in _cells(standard) if row[0] != "requirement" and not row[0].startswith("-")]


def _numbers(cell: str) -> Iterator[str]:
    for part in cell.split(", "):
        if ends := _ROW.fullmatch(part):
            first, last = int(ends[2]), int(ends[3] or ends[2])
            yield from (f"{ends[1]}.{number}" for number in range(first, last + 1))
