"""What every test may ask for: databases, and the running product with a workspace in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from hypothesis import settings

from ptolemy.database.embedded import EmbeddedServer
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.plans import items
from tests import budget, house
from tests.citus import CITUS, citus_database, on_one_node
from tests.exactness import judge_answers
from tests.product import NO_TLS, Workspace, answered
from tests.serving import configured, serving, signed_in

_RUN = pytest.StashKey[Path]()

# How long an example takes depends on what else the machine does.
settings.register_profile("ptolemy", deadline=None)
settings.load_profile("ptolemy")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--on-citus", action="store_true", help="make databases on the cluster of PTOLEMY_TEST_CITUS")


def pytest_configure(config: pytest.Config) -> None:
    judge_answers()
    if config.getoption("on_citus") and CITUS is None:
        raise pytest.UsageError("--on-citus needs PTOLEMY_TEST_CITUS=postgresql://… of a coordinator")
    if workerinput := getattr(config, "workerinput", None):
        config.stash[_RUN] = Path(workerinput["run_directory"])
        return
    ends = ExitStack()
    config.add_cleanup(ends.close)
    config.stash[_RUN] = ends.enter_context(house.run_directory())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The run fails where the product ran a statement that distributed tables can't take."""
    if hasattr(session.config, "workerinput"):
        return
    if unfit := house.unfit(session.config.stash[_RUN]):
        sys.stderr.write("\n  ".join(["\nstatements unfit for distributed tables:", *unfit, ""]))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each room took, where all of them ran."""
    reports = [each for kind in terminalreporter.stats.values() for each in kind if isinstance(each, pytest.TestReport)]
    seconds = budget.spent(reports)
    if seconds.keys() >= budget.SECONDS.keys():
        terminalreporter.section("seconds of each room, and its budget")
        for line in budget.told(seconds):
            terminalreporter.write_line(line)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist starts a process: it joins this run's server."""
    node.workerinput["run_directory"] = str(node.config.stash[_RUN])


@pytest.fixture(scope="session")
def postgresql(pytestconfig: pytest.Config) -> Iterator[EmbeddedServer]:
    """The server of the whole run; make databases in it, don't stop it."""
    with house.run_server(pytestconfig.stash[_RUN]) as server:
        yield server


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[str]]:
    """Makes migrated, empty databases: on the run's server, or on a Citus cluster where the run is told so."""
    if request.config.getoption("on_citus"):
        return citus_database
    server: EmbeddedServer = request.getfixturevalue("postgresql")
    return lambda: house.migrated_database(server, request.config.stash[_RUN])


@pytest.fixture
def one_server(pytestconfig: pytest.Config) -> None:
    """For a test that makes roles, puts foreign keys off or looks at locks: nodes of a cluster don't share these."""
    if pytestconfig.getoption("on_citus"):
        pytest.skip("needs a database on one server")


@pytest.fixture(scope="module")
def database_url(new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """A migrated, empty database of the module's own."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def product_database_url(new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The running product's database."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def product_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The running product's file store."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session")
def product_url(product_database_url: str, product_files: Path, pytestconfig: pytest.Config) -> Iterator[str]:
    """The address of the running product."""
    on_citus = pytestconfig.getoption("on_citus")
    dsn = on_one_node(product_database_url) if on_citus else product_database_url
    with serving(configured(dsn, product_files)) as url:
        yield url


@pytest.fixture(scope="session")
def new_workspace(product_url: str, product_database_url: str) -> Callable[[], Workspace]:
    """Makes workspaces; one person is admin of them all."""
    token = signed_in(product_url, product_database_url)

    def make() -> Workspace:
        slug = f"w-{uuid4().hex}"
        headers = {"Authorization": f"Bearer {token}"}
        answered(httpx.post(f"{product_url}/v1/workspaces", json={"slug": slug}, headers=headers, verify=NO_TLS), 201)
        return Workspace(product_url, slug, token)

    return make


@pytest.fixture
def workspace(new_workspace: Callable[[], Workspace]) -> Workspace:
    return new_workspace()


@pytest.fixture
def events_of(product_database_url: str) -> Callable[[Workspace], list[dict[str, Any]]]:
    """The events of a workspace, oldest first."""

    async def read(slug: str) -> list[dict[str, Any]]:
        driver = await asyncpg.connect(product_database_url)
        try:
            workspace_id = await driver.fetchval("select id from workspaces where slug = $1", slug)
            rows = await driver.fetch(
                "select * from events where workspace_id = $1 order by epoch, xid, id", workspace_id
            )
        finally:
            await driver.close()
        return [{**row, "changes": json.loads(row["changes"])} for row in rows]

    return lambda workspace: house.finished(read(workspace.slug))


@pytest.fixture
def events(
    events_of: Callable[[Workspace], list[dict[str, Any]]], workspace: Workspace
) -> Callable[..., list[dict[str, Any]]]:
    """The events of the workspace, oldest first, that have these values."""

    def found(**wanted: Any) -> list[dict[str, Any]]:
        return [row for row in events_of(workspace) if all(str(row[name]) == value for name, value in wanted.items())]

    return found


@pytest.fixture
def counted_items(workspace: Workspace, product_database_url: str) -> Callable[[], dict[str, int]]:
    """What counts toward the plan's quota now, by kind."""
    workspace_id = UUID(answered(workspace.admin.get("/"), 200)["id"])

    async def read() -> dict[str, int]:
        database = await Database.open(product_database_url, app_connections=1, owner_connections=1)
        try:
            async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
                return await items.usage(tx)
        finally:
            await database.close()

    return lambda: {kind: number for kind, number in house.finished(read()).items() if number}
