"""Files that arrive in parts: rows for what has arrived, the parts themselves in the file store.

A part that is sent again lies in the store beside the old one until its row says which of them counts, so a part is
there whole or not at all, whichever process has received it. A file without a row is swept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import BinaryIO
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.files.store import FileStore, discard
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.identifiers import as_uuid, uuid7
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, NotFound, Problem

MAX_PARTS = 10_000
KEPT = timedelta(hours=24)
"""How long an upload waits for its next part, and then for its use."""

_AT_ONCE = 10
"""Uploads that are removed in one transaction: each may have ten thousand parts."""


@dataclass(frozen=True)
class Part:
    """One part that has arrived, and the key that it lies under."""

    number: int
    size: int
    sha256: str
    key: str


def folder(workspace_id: UUID) -> str:
    return f"{workspace_id}/uploads"


async def begin(tx: Transaction, *, file_name: str | None, size: int | None, sha256: str | None) -> Row:
    """A new upload without parts; `size` and `sha256` are held against the whole when it is used."""
    row = await tx.row(
        Sql.of(
            "insert into uploads (workspace_id, id, file_name, size, sha256, expires_at, created_by)"
            " values (?, ?, ?, ?, ?, now() + ?::interval, ?)"
            " returning *",
            tx.workspace_id,
            uuid7(),
            file_name,
            size,
            sha256,
            KEPT,
            tx.actor.id,
        )
    )
    assert row is not None  # noqa: S101 - an insert that returns
    return row


async def one(tx: Transaction, key: str, *, lock: str = "") -> Row:
    """The upload of this workspace with this id, unless its time is over."""
    row = None
    if upload_id := as_uuid(key):
        row = await tx.row(
            Sql.of(
                "select * from uploads"
                f" where workspace_id = ? and id = ? and (used_by is not null or expires_at > now()) {lock}",
                tx.workspace_id,
                upload_id,
            )
        )
    if row is None:
        raise NotFound("not_found", f"no upload {key!r} here")
    return row


async def unused(tx: Transaction, key: str) -> Row:
    """The same, held against everybody who would change or use it."""
    row = await one(tx, key, lock="for no key update")
    if row["used_by"]:
        raise Conflict("upload_used", f"the upload is being read by job {row['used_by']}: wait for its end")
    return row


async def parts(tx: Transaction, upload_id: UUID) -> list[Part]:
    """In the order of the file."""
    rows = await tx.rows(
        Sql.of(
            "select number, size, sha256, stored_as from upload_parts"
            " where workspace_id = ? and upload_id = ? order by number",
            tx.workspace_id,
            upload_id,
        )
    )
    return [_part(tx.workspace_id, upload_id, row) for row in rows]


async def keep_part(
    database: Database, files: FileStore, caller: Caller, key: str, number: int, source: BinaryIO, sha256: str
) -> Part:
    """Stores the part; it takes the place of an earlier one of its number."""
    upload_id = as_uuid(key)
    if upload_id is None:
        raise NotFound("not_found", f"no upload {key!r} here")
    stored_as = secrets.token_hex(8)
    new = _key(caller.workspace_id, upload_id, number, stored_as)
    size = await files.put(new, source)
    try:
        async with database.transaction(caller) as tx:
            await unused(tx, key)
            before = await _replace(tx, upload_id, Part(number, size, sha256, new), stored_as)
    except Problem:
        # After any other error it isn't known whether the row is there: the sweep looks.
        await discard(files, new)
        raise
    if before:
        await discard(files, _key(caller.workspace_id, upload_id, number, before))
    return Part(number, size, sha256, new)


async def _replace(tx: Transaction, upload_id: UUID, part: Part, stored_as: str) -> str | None:
    """Where the part before lies, which counts no longer."""
    before: str | None = await tx.value(
        Sql.of(
            "select stored_as from upload_parts where workspace_id = ? and upload_id = ? and number = ?",
            tx.workspace_id,
            upload_id,
            part.number,
        )
    )
    await tx.run(
        Sql.of(
            "insert into upload_parts (workspace_id, upload_id, number, size, sha256, stored_as)"
            " values (?, ?, ?, ?, ?, ?)"
            " on conflict (workspace_id, upload_id, number) do update"
            " set size = excluded.size, sha256 = excluded.sha256, stored_as = excluded.stored_as,"
            " recorded_at = excluded.recorded_at",
            tx.workspace_id,
            upload_id,
            part.number,
            part.size,
            part.sha256,
            stored_as,
        )
    )
    await _prolong(tx, upload_id)
    return before


async def whole(tx: Transaction, upload: Row) -> list[Part]:
    """All its parts; a 422 names the numbers that are missing, or says that the size is not what was announced."""
    found = await parts(tx, upload["id"])
    if gaps := _gaps([part.number for part in found]):
        raise Invalid(FieldError("upload_id", "parts_missing", f"the upload lacks {gaps}: send what is missing first"))
    size = sum(part.size for part in found)
    if upload["size"] is not None and size != upload["size"]:
        reason = f"its parts have {size} bytes together, but {upload['size']} were announced"
        raise Invalid(FieldError("upload_id", "size_mismatch", reason))
    return found


async def digest(files: FileStore, upload: Row, found: Sequence[Part]) -> str:
    """The SHA-256 of the whole, read from the store; a 422 where another one was announced."""
    if len(found) == 1:
        sha256 = found[0].sha256
    else:
        hashed = hashlib.sha256()
        for part in found:
            async for block in files.read(part.key):
                hashed.update(block)
        sha256 = hashed.hexdigest()
    if upload["sha256"] not in (None, sha256):
        reason = f"its parts have the SHA-256 {sha256} together, but {upload['sha256']} was announced"
        raise Invalid(FieldError("upload_id", "sha256_mismatch", reason))
    return sha256


async def use(tx: Transaction, key: str, found: Sequence[Part], job_id: UUID) -> None:
    """Hands the upload to a job; a 409 where it isn't any more what was looked at."""
    upload = await unused(tx, key)
    if await parts(tx, upload["id"]) != found:
        raise Conflict("upload_changed", "a part has arrived meanwhile: ask again")
    await tx.run(
        Sql.of(
            "update uploads set used_by = ?, updated_at = now(), recorded_at = now() where workspace_id = ? and id = ?",
            job_id,
            tx.workspace_id,
            upload["id"],
        )
    )


async def used_by(tx: Transaction, job_id: UUID) -> UUID | None:
    """The upload that the job reads, where it reads one."""
    upload_id: UUID | None = await tx.value(
        Sql.of("select id from uploads where workspace_id = ? and used_by = ?", tx.workspace_id, job_id)
    )
    return upload_id


async def users(tx: Transaction) -> list[UUID]:
    """The jobs that read uploads of this workspace."""
    rows = await tx.rows(
        Sql.of("select used_by from uploads where workspace_id = ? and used_by is not null", tx.workspace_id)
    )
    return [row["used_by"] for row in rows]


async def give_back(tx: Transaction, upload_id: UUID) -> None:
    """The job is over, and the upload can be used again."""
    await tx.run(
        Sql.of("update uploads set used_by = null where workspace_id = ? and id = ?", tx.workspace_id, upload_id)
    )
    await _prolong(tx, upload_id)


async def remove(tx: Transaction, upload_ids: Collection[UUID]) -> list[str]:
    """The keys of the parts, to be discarded once this has committed."""
    rows = await tx.rows(
        Sql.of(
            "delete from upload_parts where workspace_id = ? and upload_id = any(?)"
            " returning upload_id, number, stored_as",
            tx.workspace_id,
            list(upload_ids),
        )
    )
    await tx.run(
        Sql.of("delete from uploads where workspace_id = ? and id = any(?)", tx.workspace_id, list(upload_ids))
    )
    return [_key(tx.workspace_id, row["upload_id"], row["number"], row["stored_as"]) for row in rows]


async def remove_expired(tx: Transaction) -> list[str] | None:
    """The same for some of the uploads that nobody has gone on with; None where no such is left."""
    expired = await tx.rows(
        Sql.of(
            "select id from uploads where workspace_id = ? and used_by is null and expires_at < now()"
            f" order by id limit {_AT_ONCE} for update",
            tx.workspace_id,
        )
    )
    return await remove(tx, [row["id"] for row in expired]) if expired else None


async def wanted(tx: Transaction, keys: Collection[str]) -> set[str]:
    """Those of the keys under which a part lies that counts."""
    ids = {upload_id for key in keys if (upload_id := as_uuid(key.rpartition("/")[2][:36]))}
    rows = await tx.rows(
        Sql.of(
            "select upload_id, number, stored_as from upload_parts where workspace_id = ? and upload_id = any(?)",
            tx.workspace_id,
            list(ids),
        )
    )
    return {_key(tx.workspace_id, row["upload_id"], row["number"], row["stored_as"]) for row in rows}


async def _prolong(tx: Transaction, upload_id: UUID) -> None:
    await tx.run(
        Sql.of(
            "update uploads set expires_at = now() + ?::interval, updated_at = now(), recorded_at = now()"
            " where workspace_id = ? and id = ?",
            KEPT,
            tx.workspace_id,
            upload_id,
        )
    )


def _key(workspace_id: UUID, upload_id: UUID, number: int, stored_as: str) -> str:
    return f"{folder(workspace_id)}/{upload_id}-{number}-{stored_as}"


def _part(workspace_id: UUID, upload_id: UUID, row: Row) -> Part:
    return Part(
        row["number"], row["size"], row["sha256"], _key(workspace_id, upload_id, row["number"], row["stored_as"])
    )


def _gaps(numbers: Sequence[int]) -> str:
    """The numbers below the last that are missing, as `part 2, parts 5 to 7`; empty where none is."""
    if not numbers:
        return "all its parts"
    missing = sorted(set(range(1, numbers[-1])) - set(numbers))
    told = []
    for _, run in groupby(enumerate(missing), lambda pair: pair[1] - pair[0]):
        first, *rest = [number for _, number in run]
        told.append(f"parts {first} to {rest[-1]}" if rest else f"part {first}")
    return ", ".join(told)
