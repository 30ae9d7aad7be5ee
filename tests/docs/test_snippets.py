"""What a page tells its reader to type works, and answers what the page says."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import ANSWER, PAGES, README, RUN, SHOWN, Page
from tests.docs.running import environment, run_page, served, variables

RUNNABLE = [page for page in PAGES if page is not README and any(block.is_run for block in page.blocks)]


@dataclass(frozen=True)
class Place:
    """A server on which the README's first steps have been gone."""

    address: str
    variables: dict[str, str]


@pytest.fixture(scope="session")
def after_first_steps() -> Iterator[Place]:
    # Not pytest's own directory: the embedded database's user may not enter that.
    with tempfile.TemporaryDirectory(prefix="ptolemy-docs-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        data_dir, steps = folder / "ptolemy", folder / "steps"
        steps.mkdir()
        with served(data_dir) as address:
            run_page(README, address, steps, environment(data_dir))
            yield Place(address, variables(steps))


def test_the_first_steps_of_the_readme_work(after_first_steps: Place) -> None:
    assert after_first_steps.variables["PTOLEMY_TOKEN"].startswith("ptk_live_")


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_the_snippets_of_a_page_work_after_the_first_steps(
    after_first_steps: Place, page: Page, tmp_path: Path
) -> None:
    run_page(page, after_first_steps.address, tmp_path, after_first_steps.variables)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_that_is_not_run_is_marked_as_such(page: Page) -> None:
    assert 2 * len(page.blocks) == len(re.findall("^ *```", page.text, re.MULTILINE)), "a fence is malformed"
    for block in page.blocks:
        assert block.language in RUN | SHOWN, f"line {block.line}: name the block's language"
        assert block.excuse is None or block.language in RUN, f"line {block.line}: nothing would be run here"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_answer_follows_the_block_that_it_answers(page: Page) -> None:
    for block, before in zip(page.blocks, [None, *page.blocks], strict=False):
        assert block.title != ANSWER or (before is not None and before.is_run), f"line {block.line}"
