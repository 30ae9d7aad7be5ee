"""What is installed: the package, and nothing of what it is developed with."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.source.modules import IMPORTED, ROOT, SOURCE

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
BROUGHT_ALONG = {"starlette", "pydantic-core"}
"""By fastapi and by pydantic, which are nothing without them."""
OF_DEVELOPMENT = {"tests", "test", "bench", "docs", ".git", ".venv"}


def test_what_is_packaged_is_the_folder_of_the_product_alone() -> None:
    assert SETUPTOOLS["packages"] == {"find": {"where": ["src"]}}
    made = {path.name for path in SOURCE.parent.iterdir() if path.suffix != ".egg-info"}
    assert made - {"__pycache__"} == {"ptolemy"}
    assert SETUPTOOLS["package-data"].keys() == {"ptolemy"}


def test_no_test_and_no_tool_lies_in_the_folder_of_the_product() -> None:
    for path in SOURCE.rglob("*"):
        within = path.relative_to(SOURCE)
        assert not OF_DEVELOPMENT & set(within.parts), path
        assert not within.name.startswith(("test_", "conftest", ".")), path


def test_every_file_beside_the_code_is_named_by_the_project() -> None:
    named = {path for pattern in SETUPTOOLS["package-data"]["ptolemy"] for path in SOURCE.glob(pattern)}
    beside = {path for path in SOURCE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert beside == {path for path in named if path.is_file()}


def test_the_product_imports_nothing_that_only_its_development_needs() -> None:
    declared = {re.split("[<>=~]", each)[0] for each in PROJECT["project"]["dependencies"]} | BROUGHT_ALONG
    installed = packages_distributions()
    needed = {(path, name.partition(".")[0]) for path, names in IMPORTED.items() for name in names}
    foreign = {
        (path, top)
        for path, top in needed
        if top not in {*sys.stdlib_module_names, "ptolemy"}
        and not declared & {name.lower().replace("_", "-") for name in installed.get(top, ())}
    }
    # An extra: without it there are no traces.
    assert foreign == {("kernel/tracing.py", "opentelemetry")}


@pytest.mark.long
def test_a_wheel_holds_the_product_alone(tmp_path: Path) -> None:
    for part in ("pyproject.toml", "README.md", "LICENSE", "src", "tests", "docs"):
        (tmp_path / part).symlink_to(ROOT / part)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", tmp_path / "made", tmp_path], check=True, capture_output=True)
    [wheel] = (tmp_path / "made").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "ptolemy/app.py" in names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"ptolemy", "ptolemy_data"}
