"""From what goes wrong to one line on stderr and an exit code: 1 for failures, 2 for wrong usage."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import asyncpg
import typer

from ptolemy.database.embedded import EmbeddedProblem
from ptolemy.database.migrations import MigrationProblem
from ptolemy.kernel.problems import Problem
from ptolemy.kernel.tracing import TracingUnavailable
from ptolemy.settings import SettingsProblem

Result = TypeVar("Result")


def fail(line: str) -> NoReturn:
    print(f"ptolemy: {' '.join(line.split())}", file=sys.stderr)
    raise typer.Exit(1)


def wrong_usage(line: str) -> NoReturn:
    print(f"ptolemy: {line}", file=sys.stderr)
    raise typer.Exit(2)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs a command's work to its end."""
    with explained():
        return asyncio.run(work)


@contextmanager
def explained() -> Iterator[None]:
    """What goes wrong inside ends the command with one line; a fault of ours keeps its traceback."""
    try:
        yield
    except Problem as problem:
        fail(problem.detail)
    except (SettingsProblem, EmbeddedProblem, MigrationProblem, TracingUnavailable) as problem:
        fail(str(problem))
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        fail(f"the database refuses the login: {error}; check PTOLEMY_DATABASE_URL")
    except asyncpg.InvalidCatalogNameError as error:
        fail(f"{error}: create it, or change PTOLEMY_DATABASE_URL")
    except asyncpg.PostgresError as error:
        fail(f"the database says: {error}")
    except asyncpg.InterfaceError as error:
        fail(f"PTOLEMY_DATABASE_URL can't be used: {error}")
    except OSError as error:
        if error.filename:
            fail(f"{error.filename}: {error.strerror}")
        from ptolemy.files.store import FULL

        if error.errno in FULL:
            fail(f"there is no room on the disk ({error.strerror})")
        fail(f"the database can't be reached ({error}): is it running, and is PTOLEMY_DATABASE_URL right?")
