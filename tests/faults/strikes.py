"""The faults: each strikes a work once and then says whether all is as it was promised."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from tests.faults.arenas import Arena, Chance
from tests.faults.damage import Damage
from tests.faults.imports import under_way
from tests.faults.meanwhile import asked_meanwhile, check_told_to_come_back
from tests.faults.works import Run, Work
from tests.product import answered, problem, wait_for

Strike = Callable[[Arena, Work, Chance], None]

_TRIES = 12
_MEMORY_BYTES = 300 << 20


# Processes that are killed


def killed(arena: Arena, work: Work, chance: Chance) -> None:
    """What the arena is for killing is killed at any moment of the work, and comes back: the work is done once."""
    usual = _usual_seconds(arena, work)
    arena.ground.seen.clear()
    for attempt in range(1, _TRIES):
        run = work.begin(arena.stock)
        job = run.begun()
        arena.set_to_work()
        _wait_until_leased(arena, job)
        # Sooner from one time to the next, until it isn't over yet.
        time.sleep(chance.random() * usual * 0.8**attempt)
        arena.break_down()
        if arena.sees_nothing_meanwhile:
            answers = asked_meanwhile(run.workspace)
            check_told_to_come_back(answers)
            arena.ground.seen.append(f"{len(answers)} of {len(answers)} requests meanwhile: 503, come back")
        hit = not arena.sees_nothing_meanwhile and under_way(arena.ground, job)
        arena.bring_back()
        if hit or (arena.sees_nothing_meanwhile and under_way(arena.ground, job)):
            run.is_whole(job)
            arena.ground.end_workers()
            return
        # It was over, but its worker may have been about to let go of its file: what the sweep does after a day.
        for path in arena.ground.uploads():
            path.unlink()
        arena.ground.end_workers()
    raise AssertionError("the work is always done before anything happens to it")


def killed_server_amid_an_upload(arena: Arena, work: Work, chance: Chance) -> None:
    """The request is not done at all, and what had arrived before is still there."""
    run = work.begin(arena.stock)
    upload, rest = _begun_upload(run, len(run.content) // 2)
    with _half_sent(run, f"/uploads/{upload}/parts/2", rest, chance):
        arena.break_down()
    arena.bring_back()
    found = answered(run.workspace.admin.get(f"/uploads/{upload}"), 200)
    assert [part["number"] for part in found["parts"]] == [1]
    run.check_nothing(run)
    answered(run.workspace.admin.put(f"/uploads/{upload}/parts/2", content=rest), 200)
    run.is_whole(answered(run.use(upload), 202))


def _usual_seconds(arena: Arena, work: Work) -> float:
    """From when the job is begun to its end, when nothing happens."""
    if work.name not in arena.stock.seconds:
        run = work.begin(arena.stock)
        job = run.begun()
        arena.set_to_work()
        _wait_until_leased(arena, job)
        begun = time.monotonic()
        run.ended(job)
        arena.stock.seconds[work.name] = time.monotonic() - begun
        run.is_whole(job)
        arena.ground.end_workers()
    return arena.stock.seconds[work.name]


def _wait_until_leased(arena: Arena, job: dict[str, Any]) -> None:
    leased = "select not exists (select from jobs where id = $1 and lease_until is null)"
    wait_for(lambda: arena.ground.sight.value(leased, UUID(job["id"])) or None)


# Storage that fails, and disks that are full


def storage_down(status: int) -> Strike:
    """From before the request to its end, or from when the job is there."""

    def strike(arena: Arena, work: Work, chance: Chance) -> None:
        assert arena.bucket
        run = work.begin(arena.stock)
        if run.jobs == "imports" and chance.random() < 0.5:
            arena.bucket.rule = lambda method, path: status
            try:
                answer = run.ask()
            finally:
                arena.bucket.rule = None
            run.is_refused(answer, [503])
            assert answer.headers["retry-after"]
        else:
            job = run.begun()
            wanted = "GET" if run.jobs == "imports" else "PUT"
            arena.bucket.rule = lambda method, path: status if method in (wanted, "POST", "HEAD") else None
            try:
                arena.ground.worker()
                run.ended(job)
            finally:
                arena.bucket.rule = None
            run.has_failed(job, "file store doesn't answer")
        _and_then_all_is_well(arena, work)

    return strike


def storage_now_and_then(status: int) -> Strike:
    """Every third request, or the last one of a file when it has taken effect."""

    def strike(arena: Arena, work: Work, chance: Chance) -> None:
        assert arena.bucket
        run = work.begin(arena.stock)
        asked = 0

        def third(method: str, path: str) -> int | None:
            nonlocal asked
            asked += 1
            return status if asked % 3 == 1 else None

        if chance.random() < 0.5:
            arena.bucket.rule = third
        else:
            arena.bucket.after = third
        try:
            job = run.begun()
            arena.ground.worker()
            run.ended(job)
        finally:
            arena.bucket.rule = arena.bucket.after = None
        run.is_whole(job)

    return strike


def full_disk(arena: Arena, work: Work, chance: Chance) -> None:
    """Room for a part of what has to be written, or for none."""
    assert arena.small
    run = work.begin(arena.stock)
    filler = arena.small / "filler"
    needed = len(run.content) or 40_000
    _fill(filler, int(chance.random() * needed * 0.5))
    refused, job = None, None
    try:
        answer = run.ask()
        if answer.status_code == 202:
            job = answer.json()
            arena.ground.worker()
            run.ended(job)
        else:
            refused = answer
    finally:
        filler.unlink()
    if refused is not None:
        problem(refused, 507, "storage_full")
        run.is_refused(refused, [507])
    elif job is not None:
        ended = run.ended(job)
        assert ended["status"] == "failed" or (run.jobs == "imports" and arena.ground.files != arena.small), ended
        if ended["status"] == "failed":
            run.has_failed(job, "no room")
    _and_then_all_is_well(arena, work)


def _fill(filler: Any, leave: int) -> None:
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(bytes(1 << 16))
            file.flush()
    size = filler.stat().st_size
    with filler.open("r+b") as file:
        file.truncate(max(0, size - leave))


# Uploads that are cut


def connection_closed_mid_part(arena: Arena, work: Work, chance: Chance) -> None:
    run = work.begin(arena.stock)
    upload, rest = _begun_upload(run, chance.randrange(1, len(run.content) - 10))
    with _half_sent(run, f"/uploads/{upload}/parts/2", rest, chance):
        pass
    found = answered(run.workspace.admin.get(f"/uploads/{upload}"), 200)
    assert [part["number"] for part in found["parts"]] == [1]
    answered(run.workspace.admin.put(f"/uploads/{upload}/parts/2", content=rest), 200)
    _used(arena, run, upload)


def connection_closed_mid_file(arena: Arena, work: Work, chance: Chance) -> None:
    """A file that comes with the request, cut: no import."""
    run = work.begin(arena.stock)
    boundary = "b0undary"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in run.fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    body = "".join(parts).encode() + head.encode() + run.content + f"\r\n--{boundary}--\r\n".encode()
    with _half_sent(run, "/imports", body, chance, "POST", f"multipart/form-data; boundary={boundary}"):
        pass
    assert run.workspace.admin.get("/imports").json()["data"] == []
    run.check_nothing(run)
    wait_for(lambda: True if not arena.ground.uploads() else None)
    _and_then_all_is_well(arena, work)


def part_missing(arena: Arena, work: Work, chance: Chance) -> None:
    run = work.begin(arena.stock)
    upload = _announced(run)
    parts = _cut(run.content, 3)
    lacking = chance.randrange(3)
    for number, part in enumerate(parts, 1):
        if number != lacking + 1:
            answered(run.workspace.admin.put(f"/uploads/{upload}/parts/{number}", content=part), 200)
    answer = run.use(upload)
    code = "size_mismatch" if lacking == 2 else "parts_missing"
    assert [error["code"] for error in problem(answer, 422, "invalid_values")["errors"]] == [code]
    run.is_refused(answer, [422])
    answered(run.workspace.admin.put(f"/uploads/{upload}/parts/{lacking + 1}", content=parts[lacking]), 200)
    _used(arena, run, upload)


def part_of_another_hash(arena: Arena, work: Work, chance: Chance) -> None:
    """A byte that changed on its way: the whole is not what was announced."""
    run = work.begin(arena.stock)
    upload = _announced(run)
    parts = _cut(run.content, 3)
    place = chance.randrange(3)
    changed = bytearray(parts[place])
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    for number, part in enumerate(parts, 1):
        content = bytes(changed) if number == place + 1 else part
        sent = answered(run.workspace.admin.put(f"/uploads/{upload}/parts/{number}", content=content), 200)
        assert sent["sha256"] == hashlib.sha256(content).hexdigest()
    answer = run.use(upload)
    assert [error["code"] for error in problem(answer, 422, "invalid_values")["errors"]] == ["sha256_mismatch"]
    run.is_refused(answer, [422])
    answered(run.workspace.admin.put(f"/uploads/{upload}/parts/{place + 1}", content=parts[place]), 200)
    _used(arena, run, upload)


def part_sent_twice(arena: Arena, work: Work, chance: Chance) -> None:
    """First something else, then itself: the last one counts, once."""
    run = work.begin(arena.stock)
    upload = _announced(run)
    parts = _cut(run.content, 3)
    twice = chance.randrange(3)
    answered(run.workspace.admin.put(f"/uploads/{upload}/parts/{twice + 1}", content=b"nonsense"), 200)
    for number, part in enumerate(parts, 1):
        for _ in range(2):
            answered(run.workspace.admin.put(f"/uploads/{upload}/parts/{number}", content=part), 200)
    assert len([path for path in arena.ground.kept() if path.name.startswith(upload)]) == 3
    _used(arena, run, upload)


def _used(arena: Arena, run: Run, upload: str) -> None:
    job = answered(run.use(upload), 202)
    with arena.stock.working():
        run.is_whole(job)
        # It goes along with the import.
        wait_for(lambda: True if not [path for path in arena.ground.kept() if path.name.startswith(upload)] else None)


def _begun_upload(run: Run, cut: int) -> tuple[str, bytes]:
    """An upload whose first part has arrived, and what is to be the second."""
    upload = str(answered(run.workspace.admin.post("/uploads", json={}), 201)["id"])
    answered(run.workspace.admin.put(f"/uploads/{upload}/parts/1", content=run.content[:cut]), 200)
    return upload, run.content[cut:]


def _announced(run: Run) -> str:
    said = {"size": len(run.content), "sha256": hashlib.sha256(run.content).hexdigest()}
    return str(answered(run.workspace.admin.post("/uploads", json=said), 201)["id"])


def _cut(content: bytes, number: int) -> list[bytes]:
    size = -(-len(content) // number)
    return [content[start : start + size] for start in range(0, len(content), size)]


class _half_sent:  # noqa: N801 - reads as the verb it is
    """A request of which a part has been sent while the block runs; then the connection is closed."""

    def __init__(
        self,
        run: Run,
        path: str,
        body: bytes,
        chance: Chance,
        method: str = "PUT",
        kind: str = "application/octet-stream",
    ) -> None:
        at = urlsplit(run.workspace.url)
        head = (
            f"{method} /v1/workspaces/{run.workspace.slug}{path} HTTP/1.1\r\nHost: {at.netloc}\r\n"
            f"Authorization: Bearer {run.workspace.admin_token}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._socket = socket.create_connection((at.hostname, at.port))
        self._socket.sendall(head.encode() + body[: chance.randrange(len(body))])

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        # Told to the other side as a reset, half of the time as an end.
        self._socket.close()


# Files that are damaged, and bombs


def damaged(kind: Damage) -> Strike:
    """Whole or not at all: where the damage shows, the job fails and says so."""

    def strike(arena: Arena, work: Work, chance: Chance) -> None:
        run = work.begin(arena.stock)
        broken = run.sending(kind.done_to(run.content, chance))
        with arena.stock.working():
            job = broken.begun()
            ended = broken.ended(job)
            if ended["status"] == "completed" and not kind.always_shows:
                broken.is_whole(job)
                return
            broken.has_failed(job)
            run.is_whole(run.begun())

    return strike


def bomb(made: Callable[[], bytes], because: str) -> Strike:
    """Refused in bounded memory and without a file of its size anywhere."""

    def strike(arena: Arena, work: Work, chance: Chance) -> None:
        run = work.begin(arena.stock)
        exploding = run.sending(made())
        assert len(exploding.content) <= 12_000_000
        arena.ground.end_workers()
        worker = arena.ground.worker()
        # One small job first: what a worker has in memory then is what it has anyway.
        run.is_whole(run.begun())
        arena.ground.seen.clear()
        idle = _resident(worker)
        again = work.begin(arena.stock).sending(exploding.content)
        job = again.begun()
        again.has_failed(job, because)
        assert _most_resident(worker) - idle < _MEMORY_BYTES, (_most_resident(worker), idle)
        arena.ground.end_workers()

    return strike


def _resident(process: subprocess.Popen[str]) -> int:
    return _status(process, "VmRSS")


def _most_resident(process: subprocess.Popen[str]) -> int:
    return _status(process, "VmHWM")


def _status(process: subprocess.Popen[str], name: str) -> int:
    with open(f"/proc/{process.pid}/status") as file:  # noqa: PTH123
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))


def _and_then_all_is_well(arena: Arena, work: Work) -> None:
    """The same work, without a fault, in the same place."""
    run = work.begin(arena.stock)
    with arena.stock.working():
        run.is_whole(run.begun())
