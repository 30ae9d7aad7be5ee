"""The client is light: nothing of the server comes with it. Modules are counted, since milliseconds vary."""

from __future__ import annotations

import subprocess
import sys

import pytest

OF_THE_SERVER = ("asyncpg", "fastapi", "starlette", "pydantic", "pyarrow", "numpy", "msgspec", "structlog", "obstore")


def modules_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_importing_ptolemy_imports_nothing_else() -> None:
    assert modules_after("import ptolemy") - modules_after("pass") == {"ptolemy"}


def test_importing_the_client_imports_nothing_of_the_server() -> None:
    found = modules_after("from ptolemy import Client")
    ours = {name for name in found if name.startswith("ptolemy.")}
    assert "ptolemy.client.client" in ours
    assert all(name == "ptolemy.client" or name.startswith("ptolemy.client.") for name in ours)
    assert not found & set(OF_THE_SERVER)


def test_a_name_that_ptolemy_lacks_is_an_attribute_error() -> None:
    with pytest.raises(ImportError, match="Clientele"):
        exec("from ptolemy import Clientele")
