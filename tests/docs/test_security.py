"""The page on security names tests that exist."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/.:]+)`", PAGE)))


def test_every_test_that_the_page_on_security_names_exists() -> None:
    assert len(NAMED) > 50
    assert not [name for name in NAMED if not _exists(name)]


def test_every_chapter_of_the_standard_is_spoken_of() -> None:
    chapters = re.findall(r"^### V(\d+) ", PAGE, re.MULTILINE)
    assert chapters == [str(number) for number in range(1, 18)]
    assert re.findall(r"^\| API(\d+) ", PAGE, re.MULTILINE) == [str(number) for number in range(1, 11)]


def test_what_is_met_by_a_row_says_how() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if re.match(r"\| [^|]+ \| (met|partly|not met)", line)]
    assert len(rows) > 80
    assert not [row[0] for row in rows if not row[2].strip() and "tests/" not in row[3]]


def _exists(name: str) -> bool:
    path, _, test = name.partition("::")
    if not (ROOT / path).exists():
        return False
    return not test or f"def {test}(" in (ROOT / path).read_text()
