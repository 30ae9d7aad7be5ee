"""Where the product connects to: to what the page on security names, from the modules named here, and nowhere else."""

from __future__ import annotations

import pytest

from tests.source.modules import USED, importers

REACHING = {
    "obstore": {"files/s3.py"},  # the file store, destinations of backups
    "httpcore": {"webhooks/sending.py"},
    "smtplib": {"accounts/invitation_mail.py"},
    "opentelemetry": {"kernel/tracing.py"},
    "socket": {"webhooks/addresses.py", "cli/serving.py"},  # resolves a name; listens
    "subprocess": {"database/embedded/postmaster.py", "database/embedded/children.py", "demo/server.py"},
}
"""Modules that reach out of the process, and who may use them."""

UNUSED = (
    *("http", "urllib.request", "urllib3", "ftplib", "imaplib", "poplib", "socketserver", "xmlrpc", "webbrowser"),
    *("multiprocessing", "aiohttp", "requests", "websockets", "telnetlib", "nntplib", "paramiko", "boto3"),
)

CONNECTING = {
    "asyncpg.connect": {"database/pool.py", "database/migrations.py", "cli/examination.py", "cli/opening.py"},
    "asyncpg.create_pool": {"database/pool.py"},
}
UNCONNECTED = (
    *("asyncio.open_connection", "asyncio.open_unix_connection", "asyncio.start_server"),
    *("asyncio.create_subprocess_shell", "os.system", "os.popen"),
)
OUTSIDE_THE_SERVER = ("__init__.py", "client/", "demo/", "cli/")


@pytest.mark.parametrize("name", [*REACHING, *UNUSED])
def test_only_the_modules_named_here_reach_outwards(name: str) -> None:
    assert importers(name) == REACHING.get(name, set())


@pytest.mark.parametrize("name", [*CONNECTING, *UNCONNECTED])
def test_only_the_rooms_of_the_database_connect_to_one(name: str) -> None:
    assert {path for path, names in USED.items() if name in names} == CONNECTING.get(name, set())


def test_the_server_is_nobodys_client() -> None:
    """`httpx`, which follows what it is told, and the client made of it are for programs that ask a server."""
    for name in ("httpx", "ptolemy.client", "ptolemy.demo"):
        assert not {path for path in importers(name) if not path.startswith(OUTSIDE_THE_SERVER)}


def test_certificates_are_looked_at_by_every_client() -> None:
    unchecked = {"ssl.CERT_NONE", "ssl.CERT_OPTIONAL", "ssl._create_unverified_context", "ssl.SSLContext"}
    made = {(path, name) for path, names in USED.items() for name in names & unchecked}
    # A type alone: a test hands a context of its own.
    assert made == {("webhooks/sending.py", "ssl.SSLContext")}
