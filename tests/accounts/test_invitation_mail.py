"""The e-mail with the link: sent after the commit, by a job, and again where the mail server can't take it yet."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ptolemy.accounts.invitation_mail import MailServer
from ptolemy.app import Configuration
from tests.accounts.persons import NEW_PASSWORD, accept, new_email
from tests.accounts.test_invitations import fetched, run
from tests.mail import Postbox, postbox, token_in
from tests.product import Workspace, answered, problem, wait_for
from tests.serving import configured, serving, signed_in

PUBLIC = "https://ptolemy.example.com"


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as opened:
        yield opened


@pytest.fixture
def configuration(database_url: str, tmp_path: Path, box: Postbox) -> Configuration:
    server = MailServer("127.0.0.1", box.port, "none", "Ptolemy <ptolemy@example.com>")
    return replace(configured(database_url, tmp_path), public_url=PUBLIC, mail_server=server)


@pytest.fixture
def office(configuration: Configuration, database_url: str) -> Iterator[Workspace]:
    """A workspace on a server that sends e-mails."""
    with serving(configuration) as url:
        token = signed_in(url, database_url)
        made = Workspace(url, f"w-{new_email()[:12]}", token)
        answered(made.admin.post(f"{url}/v1/workspaces", json={"slug": made.slug, "name": "Ünï & Söhne"}), 201)
        yield made


def invited(office: Workspace, email: str) -> dict[str, Any]:
    return answered(office.admin.post("/invitations", json={"email": email, "role": "editor"}), 201)


def mail_of(office: Workspace, invitation: dict[str, Any], state: str) -> bool | None:
    shown = answered(office.admin.get(f"/invitations/{invitation['id']}"), 200)
    return shown["mail"] == state or None


def test_the_letter_carries_a_link_that_lets_its_reader_in(office: Workspace, box: Postbox) -> None:
    email = new_email()
    invitation = invited(office, email)
    letter = wait_for(lambda: box.letter_to(email))
    assert (letter["to"], letter["from"]) == (email, "Ptolemy <ptolemy@example.com>")
    assert letter["subject"] == "Join Ünï & Söhne on Ptolemy"
    assert f"{PUBLIC}/invitation#pti_" in letter.get_content()
    assert invitation["link"].startswith(f"{PUBLIC}/invitation#pti_")
    wait_for(lambda: mail_of(office, invitation, "sent"))
    assert answered(accept(office.url, token_in(letter), NEW_PASSWORD), 200)["role"] == "editor"


def test_nobody_is_written_to_again_and_again(office: Workspace, box: Postbox) -> None:
    email = new_email()
    for spelling in (email, email.upper(), email, email, email):
        invited(office, spelling)
    again = office.admin.post("/invitations", json={"email": email, "role": "editor"})
    problem(again, 429, "too_many_attempts")
    assert int(again.headers["Retry-After"]) > 0
    invited(office, new_email())


def test_nobody_writes_to_half_the_world_by_withdrawing_what_was_sent(office: Workspace, database_url: str) -> None:
    sent = invited(office, new_email())
    assert office.admin.delete(f"/invitations/{sent['id']}").status_code == 204
    copies = (
        "insert into invitations"
        " (workspace_id, id, token_hash, email, role, mail, expires_at, withdrawn_at, invited_by)"
        " select i.workspace_id, gen_random_uuid(), decode(md5(n::text), 'hex'), n || i.email, i.role, 'sent',"
        " i.expires_at, now(), i.invited_by from invitations i, generate_series(2, 500) n where i.id = $1"
    )
    run(database_url, copies, sent["id"])
    answered(office.admin.post(f"{office.url}/v1/workspaces", json={"slug": (other := f"w-{new_email()[:12]}")}), 201)
    elsewhere = office.admin.post(f"{office.url}/v1/workspaces/{other}/invitations", json={"email": new_email()})
    problem(elsewhere, 429, "too_many_attempts")


def test_a_letter_that_can_not_be_taken_yet_is_sent_later(office: Workspace, box: Postbox, database_url: str) -> None:
    box.answers.append("451 later")
    email = new_email()
    invitation = invited(office, email)
    waiting = "select payload::text from jobs where kind = 'invitation_mail' and payload->>'attempt' = '2'"
    waiting += f" and payload->>'invitation_id' = '{invitation['id']}'"
    [kept] = wait_for(lambda: fetched(database_url, waiting) or None)
    assert invitation["token"] not in kept and invitation["token"].partition("_")[2] not in kept
    assert mail_of(office, invitation, "queued")
    run(database_url, "update jobs set run_at = now() where kind = 'invitation_mail'")
    wait_for(lambda: box.letter_to(email))
    wait_for(lambda: mail_of(office, invitation, "sent"))


def test_a_letter_that_is_refused_for_good_is_shown_as_failed(office: Workspace, box: Postbox) -> None:
    box.answers.append("550 nobody here")
    invitation = invited(office, new_email())
    wait_for(lambda: mail_of(office, invitation, "failed"))
    assert answered(accept(office.url, invitation["token"], NEW_PASSWORD), 200)


def test_who_is_refused_by_the_mail_server_is_not_named_in_the_log(office: Workspace, box: Postbox) -> None:
    email = new_email()
    box.answers.append(f"550 <{email.upper()}> nobody here")
    with capture_logs() as told:
        invitation = invited(office, email)
        wait_for(lambda: mail_of(office, invitation, "failed"))
    [line] = [each for each in told if each["event"] == "invitation_mail_failed"]
    assert "550" in line["reason"] and "nobody here" in line["reason"]
    assert email not in str(told).lower()


def test_the_worker_alone_talks_to_the_mail_server_and_not_for_who_is_no_more_invited(
    configuration: Configuration, database_url: str, box: Postbox
) -> None:
    with serving(replace(configuration, jobs_at_once=0)) as url:
        office = Workspace(url, f"w-{new_email()[:12]}", signed_in(url, database_url))
        answered(office.admin.post(f"{url}/v1/workspaces", json={"slug": office.slug}), 201)
        withdrawn, stays = invited(office, new_email()), invited(office, new_email())
        assert office.admin.delete(f"/invitations/{withdrawn['id']}").status_code == 204
        assert not box.letters
    with serving(configuration) as url:
        office = Workspace(url, office.slug, office.admin_token)
        wait_for(lambda: mail_of(office, stays, "sent"))
        assert [recipients for recipients, _ in box.letters] == [[stays["email"]]]


def test_nothing_is_sent_in_the_clear_where_encryption_was_asked_for(
    configuration: Configuration, database_url: str, box: Postbox
) -> None:
    assert configuration.mail_server
    encrypted = replace(configuration.mail_server, security="starttls", user="ptolemy", password="not for everybody")
    with serving(replace(configuration, mail_server=encrypted)) as url:
        office = Workspace(url, f"w-{new_email()[:12]}", signed_in(url, database_url))
        answered(office.admin.post(f"{url}/v1/workspaces", json={"slug": office.slug}), 201)
        invitation = invited(office, new_email())
        wait_for(lambda: mail_of(office, invitation, "failed"))
    assert not box.letters
    assert "not for everybody" not in repr(encrypted)


def test_a_mail_server_that_does_not_answer_holds_up_no_other_job(
    configuration: Configuration, database_url: str
) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    server = MailServer("127.0.0.1", silent.getsockname()[1], "none", "ptolemy@example.com")
    # The mail server ends first: nobody is left to wait for it.
    with serving(replace(configuration, mail_server=server)) as url, silent:
        office = Workspace(url, f"w-{new_email()[:12]}", signed_in(url, database_url))
        answered(office.admin.post(f"{url}/v1/workspaces", json={"slug": office.slug}), 201)
        for _ in range(6):
            invited(office, new_email())
        called, _ = silent.accept()
        with called:
            asked = answered(office.admin.post("/exports", json={"resource_type": "instruments"}), 202)
            assert office.finished("exports", asked)["status"] == "completed"
