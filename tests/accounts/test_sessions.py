"""Where somebody is signed in: seen, ended, renewed; and what a copied refresh token does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ptolemy.accounts.sessions import forget_ended_sessions
from ptolemy.database.sql import Sql
from tests.accounts.office import Office
from tests.accounts.persons import NEW_PASSWORD, browser, login, post, someone, token
from tests.accounts.test_invitations import run
from tests.crowd import at_once, statuses
from tests.product import Workspace, answered, problem, refused_fields
from tests.serving import PASSWORD


@pytest.fixture
def ann(product_database_url: str) -> str:
    return someone(product_database_url)


def auth(url: str, secret: str) -> httpx.Client:
    return httpx.Client(base_url=f"{url}/v1/auth", headers={"Authorization": f"Bearer {secret}"}, timeout=60)


def sessions(client: httpx.Client) -> list[dict[str, Any]]:
    return list(answered(client.get("/sessions"), 200)["data"])


def age_used_tokens(database_url: str) -> None:
    run(database_url, "update used_refresh_tokens set used_at = now() - interval '2 minutes'")


def test_a_person_sees_and_ends_their_sessions(product_url: str, ann: str) -> None:
    old = token(product_url, ann)
    with browser(product_url, ann):
        client = auth(product_url, token(product_url, ann))
    listed = sessions(client)
    assert [each["kind"] for each in listed] == ["bearer", "cookie", "bearer"]
    assert [each["current"] for each in listed] == [False, False, True]
    assert all(each["client"].startswith("python-httpx/") for each in listed)
    assert client.delete(f"/sessions/{listed[0]['id']}").status_code == 204
    problem(auth(product_url, old).get("/me"), 401, "invalid_token")
    assert len(sessions(client)) == 2
    for gone in (listed[0]["id"], "no-uuid"):
        problem(client.delete(f"/sessions/{gone}"), 404, "not_found")


def test_any_number_of_sessions_go_on_side_by_side(product_url: str, ann: str) -> None:
    clients = [auth(product_url, token(product_url, ann)) for _ in range(6)]
    assert all(answered(client.get("/me"), 200)["email"] == ann for client in clients)
    assert len(sessions(clients[0])) == len(clients)


def test_nobody_ends_the_session_of_somebody_else(product_url: str, product_database_url: str, ann: str) -> None:
    client = auth(product_url, token(product_url, ann))
    [mine] = sessions(client)
    bob = auth(product_url, token(product_url, someone(product_database_url)))
    problem(bob.delete(f"/sessions/{mine['id']}"), 404, "not_found")
    assert len(sessions(bob)) == len(sessions(client)) == 1


def test_sessions_come_in_pages(product_url: str, ann: str) -> None:
    client, *_ = [auth(product_url, token(product_url, ann)) for _ in range(3)]
    page = answered(client.get("/sessions?limit=2"), 200)
    rest = answered(client.get("/sessions", params={"after": page["meta"]["next_cursor"]}), 200)
    assert (len(page["data"]), len(rest["data"])) == (2, 1)


def test_a_robot_has_no_sessions(workspace: Workspace) -> None:
    problem(workspace.robot.get(f"{workspace.url}/v1/auth/sessions"), 403, "humans_only")


def test_a_new_password_ends_all_other_sessions(product_url: str, ann: str) -> None:
    other, client = login(product_url, ann), auth(product_url, token(product_url, ann))
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    with browser(product_url, ann) as cookie:
        assert client.post("/password", json=change).status_code == 204
        problem(cookie.get("/auth/me"), 401, "invalid_token")
    answered(client.get("/me"), 200)
    problem(auth(product_url, other["access_token"]).get("/me"), 401, "invalid_token")
    problem(post(product_url, "refresh", {"refresh_token": other["refresh_token"]}), 401, "invalid_refresh_token")
    problem(post(product_url, "login", {"email": ann, "password": PASSWORD}), 401, "invalid_credentials")
    login(product_url, ann, NEW_PASSWORD)


def test_a_password_is_changed_by_who_knows_it_to_a_good_one(product_url: str, ann: str) -> None:
    client = auth(product_url, token(product_url, ann))

    def change(current: str, new: str) -> dict[str, str]:
        return refused_fields(client.post("/password", json={"current_password": current, "new_password": new}))

    assert change("wrong password", NEW_PASSWORD) == {"current_password": "wrong_password"}
    assert change(PASSWORD, "short") == {"new_password": "password_length"}
    assert change(PASSWORD, "x" * 257) == {"new_password": "password_length"}
    assert change(PASSWORD, "iloveyou1") == {"new_password": "common_password"}
    login(product_url, ann)


def test_a_lost_answer_to_a_refresh_is_given_again(product_url: str, ann: str) -> None:
    old = login(product_url, ann)["refresh_token"]
    first, again = (answered(post(product_url, "refresh", {"refresh_token": old}), 200) for _ in range(2))
    assert {name: first[name] for name in ("access_token", "refresh_token")} == {
        name: again[name] for name in ("access_token", "refresh_token")
    }
    answered(auth(product_url, first["access_token"]).get("/me"), 200)


def test_threads_that_refresh_at_once_all_go_on_with_the_same_tokens(product_url: str, ann: str) -> None:
    old = login(product_url, ann)["refresh_token"]
    clients = [httpx.Client(base_url=product_url, timeout=60) for _ in range(10)]
    answers = at_once(clients, lambda client, _: client.post("/v1/auth/refresh", json={"refresh_token": old}))
    assert statuses(answers) == {200: 10}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


def test_a_used_refresh_token_that_comes_later_ends_the_session(
    product_url: str, product_database_url: str, ann: str
) -> None:
    old = login(product_url, ann)["refresh_token"]
    new = answered(post(product_url, "refresh", {"refresh_token": old}), 200)
    age_used_tokens(product_database_url)
    problem(post(product_url, "refresh", {"refresh_token": old}), 401, "refresh_token_reused")
    problem(auth(product_url, new["access_token"]).get("/me"), 401, "invalid_token")
    problem(post(product_url, "refresh", {"refresh_token": new["refresh_token"]}), 401, "invalid_refresh_token")


def test_a_refresh_token_from_long_before_ends_the_session_at_once(product_url: str, ann: str) -> None:
    first = login(product_url, ann)["refresh_token"]
    second = answered(post(product_url, "refresh", {"refresh_token": first}), 200)["refresh_token"]
    third = answered(post(product_url, "refresh", {"refresh_token": second}), 200)
    # Whoever has used its successor has had the answer.
    problem(post(product_url, "refresh", {"refresh_token": first}), 401, "refresh_token_reused")
    problem(auth(product_url, third["access_token"]).get("/me"), 401, "invalid_token")


async def test_upkeep_forgets_what_has_ended(office: Office) -> None:
    await office.sign_in()
    ended = "update sessions set revoked_at = now() - interval '25 hours' where user_id = ?"
    mine = Sql.of("select count(*) from sessions where user_id = ?", office.admin_id)
    async with office.database.session() as session:
        await session.run(Sql.of(ended, office.admin_id))
    await office.sign_in()
    async with office.database.session() as session:
        assert await session.value(mine) == 2
        await forget_ended_sessions(session)
        assert await session.value(mine) == 1
