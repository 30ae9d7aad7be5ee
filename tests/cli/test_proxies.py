"""Behind a proxy: whose word counts for where a request comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest

from tests.cli.command import Served, new_data_dir, serving_process
from tests.product import wait_for

NO_PROXY, PROXY = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="module")
def behind_proxies(database_url: str) -> Iterator[Served]:
    """A server that trusts one proxy by its address, and those before it by their network."""
    with _serving(database_url, PTOLEMY_TRUSTED_PROXIES=f"{PROXY}, 198.51.100.0/24,2001:db8::/32") as running:
        yield running


@contextmanager
def _serving(database_url: str, **variables: str) -> Iterator[Served]:
    environment = {"PTOLEMY_DATABASE_URL": database_url, "PTOLEMY_SECRET_KEY": "x" * 64, **variables}
    with new_data_dir() as directory, serving_process(directory, 0, **environment) as running:
        yield running


def asked(served: Served, peer: str, forwarded_for: str) -> tuple[str, bool]:
    """Whom the server takes for the client when `peer` says so, and whether for one that came by TLS."""
    return asked_with(served, peer, {"X-Forwarded-For": forwarded_for, "X-Forwarded-Proto": "https"})


def asked_with(served: Served, peer: str, said: Mapping[str, str]) -> tuple[str, bool]:
    request_id = uuid4().hex
    headers = {"X-Request-Id": request_id, **said}
    with httpx.Client(transport=httpx.HTTPTransport(local_address=peer)) as client:
        answer = client.get(f"{served.url}/healthz", headers=headers)
    assert answer.status_code == 200
    line = wait_for(lambda: _logged(served, request_id))
    return str(json.loads(line)["client"]), "strict-transport-security" in answer.headers


def _logged(served: Served, request_id: str) -> str | None:
    return next((line for line in _log(served) if request_id in line), None)


def _log(served: Served) -> list[str]:
    return (served.data_dir / "log").read_text().splitlines()


def warnings(served: Served) -> list[dict[str, str]]:
    """What the log says of proxies that aren't trusted."""
    return [json.loads(line) for line in _log(served) if "untrusted_proxy" in line]


def test_what_an_untrusted_peer_says_changes_nothing(behind_proxies: Served) -> None:
    assert asked(behind_proxies, NO_PROXY, "203.0.113.7") == (NO_PROXY, False)
    assert asked(behind_proxies, "127.0.0.3", f"203.0.113.7, {PROXY}") == ("127.0.0.3", False)


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("[2001:470::7]:51234", "2001:470::7"),
        ("203.0.113.7, 198.51.100.9", "203.0.113.7"),
        ("203.0.113.7, 2001:db8::9, 198.51.100.9", "203.0.113.7"),
        ("203.0.113.7, ::ffff:198.51.100.9", "203.0.113.7"),  # as a proxy writes it that listens for both
        ("192.0.2.66, 203.0.113.7", "203.0.113.7"),  # what the client itself wrote stands before its address
        ("192.0.2.66, 203.0.113.7, 198.51.100.9", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7", "203.0.113.7"),
        ("", PROXY),
    ],
)
def test_of_a_chain_of_trusted_proxies_the_last_stranger_is_the_client(
    behind_proxies: Served, said: str, taken: str
) -> None:
    assert asked(behind_proxies, PROXY, said) == (taken, True)


def test_a_proxy_on_the_same_host_is_trusted_unless_told_otherwise(database_url: str) -> None:
    # What the HTTP server's own variable says counts for nothing: there is one place to look.
    with _serving(database_url, FORWARDED_ALLOW_IPS="*") as running:
        assert asked(running, NO_PROXY, "203.0.113.7") == ("203.0.113.7", True)
        assert asked(running, PROXY, "203.0.113.7") == (PROXY, False)


def test_where_no_proxy_is_trusted_nobody_is_taken_for_another(database_url: str) -> None:
    with _serving(database_url, PTOLEMY_TRUSTED_PROXIES="none") as running:
        assert asked(running, NO_PROXY, "203.0.113.7") == (NO_PROXY, False)
        assert warnings(running) == []


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_proxy_that_is_not_trusted_is_told_of_once(database_url: str, header: str) -> None:
    with _serving(database_url, PTOLEMY_TRUSTED_PROXIES=PROXY) as running:
        asked(running, PROXY, "203.0.113.7")
        asked_with(running, "127.0.0.3", {})
        assert warnings(running) == []
        for peer in ("127.0.0.4", "127.0.0.5", "127.0.0.4"):
            assert asked_with(running, peer, {header: "for=203.0.113.7"}) == (peer, False)
        [warning] = warnings(running)
        assert (warning["level"], warning["peer"]) == ("warning", "127.0.0.4")
        assert warning["setting"] == "PTOLEMY_TRUSTED_PROXIES"
        assert "203.0.113.7" not in json.dumps(warning), "a stranger writes nothing into the log"
