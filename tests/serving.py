"""The product on a port of its own, in a thread of the test process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import uvicorn
from argon2 import PasswordHasher

from ptolemy.accounts.passwords import Passwords
from ptolemy.accounts.people import create_person
from ptolemy.app import Configuration, create_app, open_product
from ptolemy.backups.surroundings import Surroundings
from ptolemy.database.pool import Database
from ptolemy.jobs.runner import JobPace
from tests.product import PATIENCE_SECONDS

PASSWORD = "a password for tests"


@contextmanager
def serving(configuration: Configuration) -> Iterator[str]:
    """Answers the address; ends the server, and its worker, with the block."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(lambda: open_product(configuration)), log_config=None, loop="uvloop", http="httptools"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            while not server.started:
                assert thread.is_alive(), "the server didn't start"
                thread.join(0.01)
            yield url
        finally:
            server.should_exit = True
            thread.join()


def configured(database_url: str, folder: Path, backups: Surroundings | None = None) -> Configuration:
    return Configuration(
        database_url,
        folder.as_uri(),
        "a secret key that only the tests know",
        backups=backups or Surroundings(buckets=["s3://a-bucket"]),
        webhook_allow=(ip_network("127.0.0.1/32"),),
        job_pace=JobPace(poll_seconds=0.2),
    )


async def add_person(database_url: str, email: str) -> UUID:
    """Someone who can sign in, with a hash that costs little."""
    database = await Database.open(database_url, app_connections=1, owner_connections=1)
    try:
        async with database.session() as session:
            cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
            person = await create_person(session, cheap, email, PASSWORD)
            person_id: UUID = person["id"]
            return person_id
    finally:
        await database.close()


def signed_in(url: str, database_url: str) -> str:
    """The access token of a new person."""
    email = f"{uuid4().hex}@example.com"
    asyncio.run(add_person(database_url, email))
    return sign_in(url, email)


def sign_in(url: str, email: str) -> str:
    """The access token of another session of a person."""
    login = {"email": email, "password": PASSWORD}
    answer = httpx.post(f"{url}/v1/auth/login", json=login, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
