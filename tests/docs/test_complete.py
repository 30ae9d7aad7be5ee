"""What is undocumented fails: settings, commands, problem codes; and what is documented has to be there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ptolemy.app  # noqa: F401 - every problem is defined once the product is imported
from ptolemy.engine.fields.field import Field
from ptolemy.formats.rows import UnreadableFile
from ptolemy.kernel.problems import Problem
from ptolemy.settings import CLIENT_VARIABLES, PREFIX, Settings
from tests.docs.pages import PAGES, ROOT, Page

SOURCES = [path for path in sorted((ROOT / "src" / "ptolemy").rglob("*.py")) if not {"cli", "demo"} & set(path.parts)]
FIELD_CODE_AT = {"FieldError": 1, "_Fault": 1, "refuse_field": 1, "_refuse": 2, "PydanticCustomError": 0}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ERRORS = (ROOT / "docs/concepts/errors.md").read_text()
KINDS = (ROOT / "docs/reference/resources.md").read_text()


def test_the_reference_is_what_the_code_makes() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs/make_reference.py", "--check"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr


def test_every_setting_that_a_page_names_exists() -> None:
    of_the_tests = {f"{PREFIX}TEST_CITUS"}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | CLIENT_VARIABLES | of_the_tests
    named = {(page.name, name) for page in PAGES for name in re.findall(rf"\b{PREFIX}[A-Z_]+\b", page.text)}
    assert not {(where, name) for where, name in named if name not in known}


def test_every_problem_code_is_documented() -> None:
    undocumented = {code for path in SOURCES for code in _problem_codes(path) if f"| `{code}` |" not in ERRORS}
    assert not undocumented


def test_every_field_code_is_documented() -> None:
    kinds = {str(vars(kind)["fault"]) for kind in _below(Field) if "fault" in vars(kind)}
    codes = {code for path in SOURCES for code in _field_codes(path)} | kinds
    assert not {code for code in codes if f"| `{code}` |" not in ERRORS + KINDS}


def test_every_line_of_the_log_is_documented() -> None:
    page = (ROOT / "docs/operate/observing.md").read_text()
    written = {line for path in (ROOT / "src" / "ptolemy").rglob("*.py") for line in _log_lines(path)}
    assert len(written) > 20
    assert not {line for line in written if f"`{line}`" not in page and f'"event": "{line}"' not in page}


def test_every_dependency_has_its_reason() -> None:
    needed = {re.split("[<>=~]", each)[0] for each in PROJECT["project"]["dependencies"]}
    page = (ROOT / "docs/decisions/0010-dependencies.md").read_text()
    assert needed == set(re.findall(r"^\| ([a-z0-9-]+) \|", page, re.MULTILINE)) - {"package"}


def test_the_layers_are_told_in_their_order() -> None:
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    told = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    assert ", ".join(f"`{layer}`" for layer in layers) in told


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = [page.path for page in PAGES if page.path.is_relative_to(ROOT / "docs")]
    assert not [str(path) for path in pages if f": {path.relative_to(ROOT / 'docs')}\n" not in navigation]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_documentation_lead_somewhere(page: Page) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def _anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


def _problem_codes(path: Path) -> Iterator[str]:
    kinds = {kind.__name__ for kind in _below(Problem)} - {UnreadableFile.__name__}
    for call in _calls(path):
        refused = isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "write.refuse"
        if _called(call) in kinds or refused:
            yield from _constant(call, 0)


def _field_codes(path: Path) -> Iterator[str]:
    for call in _calls(path):
        if _called(call) in FIELD_CODE_AT:
            yield from _constant(call, FIELD_CODE_AT[_called(call)])


def _log_lines(path: Path) -> Iterator[str]:
    for call in _calls(path):
        if re.fullmatch(r"(log|diary)\.(debug|info|warning|error|exception)", ast.unparse(call.func)):
            yield from _constant(call, 0)


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _constant(call: ast.Call, position: int) -> Iterator[str]:
    if len(call.args) > position:
        argument = call.args[position]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def test_every_example_of_a_command_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    assert "```text\n\n```" not in page
