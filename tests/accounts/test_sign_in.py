"""Signing in, renewing and ending it, and what guessing costs."""

from __future__ import annotations

import asyncio
import gzip
import time
from datetime import UTC, datetime
from importlib.resources import files

import pytest
from argon2 import PasswordHasher

from ptolemy.accounts.access import authenticate
from ptolemy.accounts.passwords import MIN_LENGTH, Passwords
from ptolemy.accounts.people import create_person
from ptolemy.accounts.sessions import refresh
from ptolemy.accounts.sign_in import change_password, set_password, sign_in
from ptolemy.accounts.throttle import FREE_ATTEMPTS
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.kernel.problems import Conflict, Invalid, TooManyRequests, Unauthorized
from ptolemy.kernel.signing import Signer
from tests.accounts.office import PASSWORD, Office

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
SIGNER = Signer("a secret key that only the tests know", "sessions")


async def test_the_e_mails_case_does_not_matter(office: Office) -> None:
    tokens = await sign_in(office.database, office.passwords, office.email.upper(), PASSWORD)
    assert (await authenticate(office.database, tokens.access_token, office.slug)).user_id == office.admin_id


async def test_an_unknown_e_mail_and_a_wrong_password_get_the_same_answer(office: Office) -> None:
    answers = []
    for email, password in (
        (office.email, "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("\0\ud800", "x\ud800"),
    ):
        with pytest.raises(Unauthorized) as refused:
            await sign_in(office.database, office.passwords, email, password)
        answers.append((refused.value.code, refused.value.detail))
    assert len(set(answers)) == 1


async def test_an_unknown_e_mail_takes_as_long_as_a_wrong_password(database: Database) -> None:
    slow = Passwords()
    stored = await slow.hash(PASSWORD)

    async def seconds(known: str | None) -> float:
        started = time.perf_counter()
        await slow.matches("wrong password", known)
        return time.perf_counter() - started

    # By turns, and of each the quickest: what else the machine does slows the others.
    took = [(await seconds(stored), await seconds(None)) for _ in range(6)]
    wrong, unknown = (min(each) for each in zip(*took, strict=True))
    assert 0.5 < unknown / wrong < 2


async def test_a_password_or_an_e_mail_without_end_holds_nobody_up(office: Office) -> None:
    """Putting accents in order takes the square of their number, and the event loop would stand still for it."""
    endless = "a" + "\u0315\u0300" * 100_000

    async def seconds(email: str, password: str) -> float:
        started = time.perf_counter()
        with pytest.raises(Unauthorized):
            await sign_in(office.database, office.passwords, email, password)
        return time.perf_counter() - started

    usual = max([await seconds("nobody@example.com", "wrong password") for _ in range(3)])
    assert await seconds("somebody@example.com", endless) < 100 * usual
    assert await seconds(endless, "wrong password") < 100 * usual
    async with office.database.session() as session:
        with pytest.raises(Invalid) as refused:
            await create_person(session, office.passwords, "new@example.com", endless)
    assert refused.value.errors[0].code == "password_length"


async def test_refreshing_gives_new_tokens_and_ends_the_old_ones(office: Office) -> None:
    old = await sign_in(office.database, office.passwords, office.email, PASSWORD)
    new = await refresh(office.database, SIGNER, old.refresh_token)
    assert (await authenticate(office.database, new.access_token, office.slug)).user_id == office.admin_id
    with pytest.raises(Unauthorized):
        await authenticate(office.database, old.access_token, office.slug)


async def test_an_access_token_expires_and_can_be_refreshed(office: Office) -> None:
    tokens = await sign_in(office.database, office.passwords, office.email, PASSWORD)
    async with office.database.session() as session:
        await session.run(Sql.of("update sessions set access_expires_at = now() where user_id = ?", office.admin_id))
    with pytest.raises(Unauthorized) as refused:
        await authenticate(office.database, tokens.access_token, office.slug)
    assert refused.value.code == "token_expired"
    await refresh(office.database, SIGNER, tokens.refresh_token)


async def test_guessing_is_slowed_also_side_by_side_and_for_people_who_do_not_exist(office: Office) -> None:
    async def guess(email: str) -> tuple[int, list[TooManyRequests]]:
        """How many guesses were looked at, and the refusals of the others."""
        attempts = [sign_in(office.database, office.passwords, email, f"guess number {i}") for i in range(30)]
        answers = await asyncio.gather(*attempts, return_exceptions=True)
        put_off = [answer for answer in answers if isinstance(answer, TooManyRequests)]
        checked = sum(isinstance(answer, Unauthorized) for answer in answers)
        assert checked + len(put_off) == len(attempts)
        return checked, put_off

    for checked, put_off in await asyncio.gather(guess(office.email), guess("nobody.at.all@example.com")):
        assert FREE_ATTEMPTS < checked <= FREE_ATTEMPTS + 4
        assert int(put_off[0].headers["Retry-After"]) > 0


async def test_a_few_wrong_passwords_do_not_keep_the_right_one_out(office: Office) -> None:
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(Unauthorized):
            await sign_in(office.database, office.passwords, office.email, "wrong password")
    await office.sign_in()
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(Unauthorized):
            await sign_in(office.database, office.passwords, office.email, "wrong password")


async def test_attempts_are_forgotten_after_a_while(office: Office) -> None:
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(Unauthorized):
            await sign_in(office.database, office.passwords, office.email, "wrong password")
    async with office.database.session() as session:
        await session.run(Sql("update sign_in_attempts set free_at = now() - interval '1 hour'"))
    with pytest.raises(Unauthorized):
        await sign_in(office.database, office.passwords, "someone.else@example.com", "wrong password")
    async with office.database.session() as session:
        # The last one, once by its e-mail and once by its client.
        assert await session.value(Sql("select count(*) from sign_in_attempts")) == 2


async def test_the_old_password_cannot_undo_a_change_that_came_while_it_was_checked(office: Office) -> None:
    """Who has taken an account over must not keep it by a change that was under way as the operator took it back."""
    tokens = await sign_in(office.database, office.passwords, office.email, PASSWORD)
    session_id = (await authenticate(office.database, tokens.access_token, office.slug)).credential_id

    class Overtaken(Passwords):
        async def hash(self, password: str, **about: str) -> str:
            await set_password(office.database, office.passwords, office.email, "what the operator has set")
            return await super().hash(password, **about)

    with pytest.raises(Invalid) as refused:
        await change_password(
            office.database, Overtaken(CHEAP), office.admin_id, session_id, PASSWORD, "what the thief has set"
        )
    assert refused.value.errors[0].code == "wrong_password"
    await sign_in(office.database, office.passwords, office.email, "what the operator has set")


@pytest.mark.parametrize("password", ["", "seven77", "x" * 257])
async def test_a_password_of_the_wrong_length_is_refused(
    database: Database, passwords: Passwords, password: str
) -> None:
    async with database.session() as session:
        with pytest.raises(Invalid) as refused:
            await create_person(session, passwords, "bob@example.com", password)
    assert refused.value.errors[0].field == "password"


def test_more_than_three_thousand_common_passwords_of_a_good_length_are_known() -> None:
    packed = files("ptolemy.accounts").joinpath("data/common_passwords.txt.gz").read_bytes()
    known = gzip.decompress(packed).decode().split()
    assert len({password.casefold() for password in known if len(password) >= MIN_LENGTH}) > 3000


@pytest.mark.parametrize(
    "password", ["12345678", "Password", "QWERTYUIOP", "iloveyou", "football", "trustno1", "baseball1"]
)
async def test_a_password_that_others_would_try_first_is_refused(passwords: Passwords, password: str) -> None:
    with pytest.raises(Invalid) as refused:
        await passwords.hash(password)
    assert refused.value.errors[0].code == "common_password"


@pytest.mark.parametrize(
    "password", ["        ", "\U0001f40b" * 8, "lower case alone", "31415926535897", "é" * 64, "x" * 256]
)
async def test_a_password_may_have_letters_of_any_kind(passwords: Passwords, password: str) -> None:
    assert await passwords.matches(password, await passwords.hash(password))


async def test_a_password_is_kept_by_argon2id_in_64_mib_and_three_passes() -> None:
    assert (await Passwords().hash(PASSWORD)).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_a_hash_that_was_made_with_other_parameters_is_still_good() -> None:
    assert await Passwords().matches(PASSWORD, CHEAP.hash(PASSWORD))


async def test_a_password_is_good_for_as_long_as_nobody_changes_it(office: Office) -> None:
    async with office.database.session() as session:
        old = "update users set created_at = ?, updated_at = ? where id = ?"
        long_ago = datetime(2000, 1, 1, tzinfo=UTC)
        await session.run(Sql.of(old, long_ago, long_ago, office.admin_id))
    await office.sign_in()


@pytest.mark.parametrize("email", ["", "bob", "bob@", "@x", "b ob@x", "bob@x\0", "é" * 300 + "@x", "a@b@c"])
async def test_what_is_no_e_mail_address_is_refused(database: Database, passwords: Passwords, email: str) -> None:
    async with database.session() as session:
        with pytest.raises(Invalid) as refused:
            await create_person(session, passwords, email, PASSWORD)
    assert refused.value.errors[0].field == "email"


async def test_an_e_mail_belongs_to_one_person_whatever_its_case(office: Office) -> None:
    with pytest.raises(Conflict):
        async with office.database.session() as session:
            await create_person(session, office.passwords, office.email.title(), PASSWORD)


async def test_composed_and_decomposed_letters_are_the_same_password(passwords: Passwords) -> None:
    assert await passwords.matches("Zu\u0308richsee", await passwords.hash("Z\u00fcrichsee"))


async def test_nothing_stored_matches_no_password(passwords: Passwords) -> None:
    assert not await passwords.matches("nobody's password", None)


async def test_other_spellings_of_an_e_mail_count_as_the_same(database: Database, passwords: Passwords) -> None:
    spellings = ["iris@example.com", "IRIS@example.com", "\u0130r\u0130s@example.com"]
    async with database.session() as session:
        await session.run(Sql("delete from sign_in_attempts"))
        folded = {await session.value(Sql.of("select lower(? collate pg_c_utf8)", email)) for email in spellings}
    assert len(folded) == 1
    for email in spellings:
        with pytest.raises(Unauthorized):
            await sign_in(database, passwords, email, "wrong password")
    async with database.session() as session:
        counted = [row["attempts"] for row in await session.rows(Sql("select attempts from sign_in_attempts"))]
    assert counted == [3, 3]  # by the e-mail, and by the client
