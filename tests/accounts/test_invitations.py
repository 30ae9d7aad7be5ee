"""Asking people to join: once, within seven days, and nobody else in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import pytest

from tests.accounts.persons import (
    NEW_PASSWORD,
    accept,
    colleague,
    invited,
    login,
    new_email,
    post,
    someone,
    token,
)
from tests.crowd import at_once, statuses
from tests.house import finished
from tests.product import Workspace, answered, problem, refused_fields
from tests.serving import PASSWORD

Events = Callable[..., list[dict[str, Any]]]


def run(database_url: str, statement: str, *args: object) -> None:
    async def work() -> None:
        driver = await asyncpg.connect(database_url)
        try:
            await driver.execute(statement, *args)
        finally:
            await driver.close()

    finished(work())


def fetched(database_url: str, statement: str) -> list[str]:
    """The first column of what a statement finds."""

    async def work() -> list[str]:
        driver = await asyncpg.connect(database_url)
        try:
            return [str(row[0]) for row in await driver.fetch(statement)]
        finally:
            await driver.close()

    return finished(work())


def test_a_new_person_joins_by_the_link_and_chooses_a_password(workspace: Workspace, events: Events) -> None:
    email = new_email()
    answer = workspace.admin.post("/invitations", json={"email": email, "role": "editor"})
    invitation = answered(answer, 201)
    assert answer.headers["cache-control"] == "no-store"
    assert (invitation["state"], invitation["mail"]) == ("pending", "none")
    assert invitation["link"] == f"{workspace.url}/invitation#{invitation['token']}"
    joined = answered(accept(workspace.url, invitation["token"], NEW_PASSWORD), 200)
    assert (joined["slug"], joined["role"]) == (workspace.slug, "editor")
    mine = workspace.client(login(workspace.url, email, NEW_PASSWORD)["access_token"])
    assert answered(mine.get("/memberships/me"), 200)["role"] == "editor"
    shown = answered(
        workspace.admin.get(answer.headers["location"].removeprefix(f"/v1/workspaces/{workspace.slug}")), 200
    )
    assert (shown["state"], "token" in shown) == ("accepted", False)
    told = [event["event_type"] for event in events() if event["resource_identifier"] == email]
    assert sorted(told) == ["invitation.accepted", "invitation.created", "membership.created"]
    [created] = events(event_type="membership.created", resource_identifier=email)
    assert (created["actor_type"], created["actor_name"]) == ("human", email)


def test_who_has_an_account_joins_with_its_password_alone(workspace: Workspace, product_database_url: str) -> None:
    email = someone(product_database_url)
    secret = invited(workspace, email.upper(), "member")["token"]
    problem(accept(workspace.url, secret, NEW_PASSWORD), 401, "invalid_credentials")
    answered(accept(workspace.url, secret, PASSWORD), 200)
    assert answered(workspace.client(token(workspace.url, email)).get(""), 200)["role"] == "member"


def test_who_is_signed_in_joins_without_a_password_but_nobody_else(
    workspace: Workspace, product_database_url: str
) -> None:
    email, stranger = someone(product_database_url), someone(product_database_url)
    secret = invited(workspace, email)["token"]
    refused = accept(workspace.url, secret, None, signed_in=token(workspace.url, stranger))
    assert email not in str(problem(refused, 403, "other_person"))
    assert refused_fields(accept(workspace.url, secret, None, signed_in=workspace.token("viewer"))) == {
        "password": "required"
    }
    problem(accept(workspace.url, secret, None, signed_in="pth_" + "0" * 64), 401, "invalid_token")
    assert refused_fields(accept(workspace.url, secret, None)) == {"password": "required"}
    answered(accept(workspace.url, secret, None, signed_in=token(workspace.url, email)), 200)


def test_an_invitation_works_once_also_for_ten_at_once(workspace: Workspace, events: Events) -> None:
    email = new_email()
    secret = invited(workspace, email)["token"]
    clients = [httpx.Client(base_url=workspace.url, timeout=60) for _ in range(10)]
    body = {"token": secret, "password": NEW_PASSWORD}
    answers = at_once(clients, lambda client, _: client.post("/v1/auth/invitations/accept", json=body))
    assert statuses(answers) == {200: 1, 409: 9}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"invitation_used"}
    assert len(events(event_type="invitation.accepted")) == 1
    assert len(events(event_type="membership.created", resource_identifier=email)) == 1
    problem(accept(workspace.url, secret, NEW_PASSWORD), 409, "invitation_used")


def test_who_is_signed_in_and_accepts_ten_times_at_once_joins_once(
    workspace: Workspace, product_database_url: str, events: Events
) -> None:
    email = someone(product_database_url)
    body = {"token": invited(workspace, email)["token"]}
    headers = {"Authorization": f"Bearer {token(workspace.url, email)}"}
    clients = [httpx.Client(base_url=workspace.url, headers=headers, timeout=60) for _ in range(10)]
    answers = at_once(clients, lambda client, _: client.post("/v1/auth/invitations/accept", json=body))
    assert statuses(answers) == {200: 1, 409: 9}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"invitation_used"}
    assert len(events(event_type="membership.created", resource_identifier=email)) == 1


def test_two_workspaces_that_a_new_person_joins_at_once_share_one_account(
    new_workspace: Callable[[], Workspace],
) -> None:
    email, workspaces = new_email(), [new_workspace(), new_workspace()]
    secrets = [invited(each, email)["token"] for each in workspaces]
    clients = [httpx.Client(base_url=each.url, timeout=60) for each in workspaces]
    answers = at_once(
        clients,
        lambda client, number: client.post(
            "/v1/auth/invitations/accept", json={"token": secrets[number], "password": NEW_PASSWORD}
        ),
    )
    assert statuses(answers) == {200: 2}
    mine = workspaces[0].client(token(workspaces[0].url, email, NEW_PASSWORD))
    listed = answered(mine.get(f"{workspaces[0].url}/v1/workspaces"), 200)["data"]
    assert {each["slug"] for each in listed} == {each.slug for each in workspaces}


def test_an_invitation_ends_after_seven_days(workspace: Workspace, product_database_url: str) -> None:
    invitation = invited(workspace, new_email())
    run(product_database_url, "update invitations set expires_at = now() where id = $1", invitation["id"])
    problem(accept(workspace.url, invitation["token"]), 409, "invitation_expired")
    assert answered(workspace.admin.get(f"/invitations/{invitation['id']}"), 200)["state"] == "expired"


def test_a_withdrawn_invitation_lets_nobody_in(workspace: Workspace, events: Events) -> None:
    invitation = invited(workspace, new_email())
    for _ in range(2):
        assert workspace.admin.delete(f"/invitations/{invitation['id']}").status_code == 204
    problem(accept(workspace.url, invitation["token"]), 409, "invitation_withdrawn")
    assert len(events(event_type="invitation.deleted")) == 1


def test_an_accepted_invitation_is_not_withdrawn(workspace: Workspace) -> None:
    invitation = invited(workspace, new_email())
    answered(accept(workspace.url, invitation["token"]), 200)
    problem(workspace.admin.delete(f"/invitations/{invitation['id']}"), 409, "invitation_used")


def test_inviting_again_replaces_the_open_invitation(workspace: Workspace, events: Events) -> None:
    email = new_email()
    first, second = invited(workspace, email, "viewer"), invited(workspace, email.upper(), "editor")
    problem(accept(workspace.url, first["token"]), 409, "invitation_withdrawn")
    assert answered(accept(workspace.url, second["token"]), 200)["role"] == "editor"
    assert len(events(event_type="invitation.deleted", resource_id=first["id"])) == 1


def test_inviting_the_same_person_ten_times_at_once_leaves_one_invitation(workspace: Workspace) -> None:
    email = new_email()
    clients = [workspace.client(workspace.admin_token) for _ in range(10)]
    answers = at_once(clients, lambda client, _: client.post("/invitations", json={"email": email}))
    assert statuses(answers) == {201: 10}
    assert len(answered(workspace.admin.get("/invitations?state=pending"), 200)["data"]) == 1


def test_a_member_is_not_invited_again(workspace: Workspace, product_database_url: str) -> None:
    email, _ = colleague(workspace, product_database_url, "viewer")
    problem(workspace.admin.post("/invitations", json={"email": email}), 409, "already_member")


@pytest.mark.parametrize("secret", ["", "pti_", "pti_" + "0" * 64, "ptk_live_" + "0" * 64, "a\0b", "é"])
def test_an_invitation_that_is_none_of_ours_is_unknown(workspace: Workspace, secret: str) -> None:
    problem(accept(workspace.url, secret), 404, "unknown_invitation")


# The last text is decoded by mail programs, to `eve@x, bob@y` (RFC 2047).
ADDRESSES = ["", "bob", "a@b@c", "a b@c", "a@b\0", "a,b@c", "x<a@b>", "a@b\r\nBcc: x@y", "=?utf-8?q?eve=40x=2C_bob?=@y"]


@pytest.mark.parametrize("email", [*ADDRESSES, 5, None])
def test_only_an_e_mail_address_is_invited(workspace: Workspace, email: object) -> None:
    assert list(refused_fields(workspace.admin.post("/invitations", json={"email": email}))) == ["email"]


def test_a_role_and_a_password_have_to_be_good_ones(workspace: Workspace) -> None:
    wrong = workspace.admin.post("/invitations", json={"email": new_email(), "role": "owner"})
    assert refused_fields(wrong) == {"role": "invalid_role"}
    email = new_email()
    secret = invited(workspace, email)["token"]
    for password, code in (
        ("short", "password_length"),
        ("Password123", "common_password"),
        (email, "common_password"),
    ):
        assert refused_fields(accept(workspace.url, secret, password)) == {"password": code}
    body = {"token": secret, "password": NEW_PASSWORD, "name": " "}
    assert refused_fields(post(workspace.url, "invitations/accept", body)) == {"name": "invalid_name"}
    answered(accept(workspace.url, secret), 200)


def test_invitations_are_the_admins_business(
    workspace: Workspace, product_database_url: str, new_workspace: Callable[[], Workspace]
) -> None:
    one = invited(workspace, new_email())["id"]
    _, secret = colleague(workspace, product_database_url, "editor")
    for client in (workspace.robot, workspace.client(secret)):
        problem(client.get("/invitations"), 403, "forbidden")
        problem(client.post("/invitations", json={"email": "x"}), 403, "forbidden")
        problem(client.delete(f"/invitations/{one}"), 403, "forbidden")
    for method in ("GET", "DELETE"):
        problem(new_workspace().admin.request(method, f"/invitations/{one}"), 404, "not_found")
        problem(workspace.admin.request(method, "/invitations/no-uuid"), 404, "not_found")


def test_invitations_are_listed_filtered_and_paged(workspace: Workspace) -> None:
    emails = sorted(invited(workspace, new_email(), "viewer")["email"] for _ in range(3))
    page = answered(workspace.admin.get("/invitations?limit=2"), 200)
    rest = answered(workspace.admin.get("/invitations", params={"after": page["meta"]["next_cursor"]}), 200)
    assert sorted(each["email"] for each in [*page["data"], *rest["data"]]) == emails
    asked = {"filter": {"field": "email", "op": "eq", "value": emails[0]}, "state": "pending"}
    assert answered(workspace.admin.post("/invitations/count", json=asked), 200) == {"count": 1}
    by_email = {"sort": [{"field": "email", "direction": "desc"}]}
    found = answered(workspace.admin.post("/invitations/filter", json=by_email), 200)["data"]
    assert [each["email"] for each in found] == emails[::-1]


def test_a_repeated_invitation_under_one_key_does_not_show_its_token_again(workspace: Workspace) -> None:
    body, key = {"email": new_email()}, {"Idempotency-Key": "once"}
    answered(workspace.admin.post("/invitations", json=body, headers=key), 201)
    problem(workspace.admin.post("/invitations", json=body, headers=key), 409, "idempotency_key_used")
    assert len(answered(workspace.admin.get("/invitations"), 200)["data"]) == 1


def test_a_workspace_has_at_most_five_hundred_open_invitations(workspace: Workspace, product_database_url: str) -> None:
    run(
        product_database_url,
        "insert into invitations (workspace_id, id, token_hash, email, role, mail, expires_at)"
        " select w.id, gen_random_uuid(), uuid_send(gen_random_uuid()), n || '@example.com', 'viewer', 'none',"
        " now() + interval '1 day' from workspaces w, generate_series(1, 500) n where w.slug = $1",
        workspace.slug,
    )
    problem(workspace.admin.post("/invitations", json={"email": new_email()}), 409, "too_many_invitations")
    invited(workspace, "7@example.com")


@pytest.mark.parametrize("becomes", ["editor", None], ids=["demoted", "removed"])
def test_nobody_comes_back_by_an_invitation_of_their_own(
    becomes: str | None, workspace: Workspace, product_database_url: str, events: Events
) -> None:
    _, secret = colleague(workspace, product_database_url, "admin")
    theirs = workspace.client(secret)
    mine = answered(theirs.get("/memberships/me"), 200)["id"]
    back = answered(theirs.post("/invitations", json={"email": new_email(), "role": "admin"}), 201)
    kept = invited(workspace, new_email())
    if becomes:
        answered(workspace.admin.patch(f"/memberships/{mine}", json={"role": becomes}), 200)
    else:
        answered(workspace.admin.delete(f"/memberships/{mine}"), 204)
    problem(accept(workspace.url, back["token"]), 409, "invitation_withdrawn")
    assert [str(each["resource_id"]) for each in events(event_type="invitation.deleted")] == [back["id"]]
    answered(accept(workspace.url, kept["token"]), 200)
