"""What is being done when a fault comes: each kind of job, and what must be there, or not be there, when it is over."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx
import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tests.backups.archives import contents
from tests.faults.files import Sent, good_instruments, mixed_instruments, values
from tests.faults.ground import Ground
from tests.faults.imports import check_completed, check_stored, endings, under_way
from tests.product import Workspace, answered, wait_for

INSTRUMENTS = 5
_FAULT_OF_OURS = re.compile(r"Traceback|Exception|Error\b|asyncpg|ptolemy\.|errno|<class|0x[0-9a-f]{6}", re.IGNORECASE)

Jobs = Literal["imports", "exports"]


@dataclass
class Run:
    """One go at some work, in a workspace that has what it needs. `content` is what it sends, if it sends anything."""

    ground: Ground
    workspace: Workspace
    jobs: Jobs
    fields: dict[str, str]
    content: bytes
    check_whole: Callable[[Run, dict[str, Any]], None]
    check_nothing: Callable[[Run], None]

    def ask(self) -> httpx.Response:
        if self.jobs == "exports":
            return self.workspace.admin.post(
                "/exports", json={**self.fields, "include_archived": True} if "format" in self.fields else self.fields
            )
        return self.workspace.admin.post("/imports", files={"file": self.content}, data=self.fields)

    def begun(self) -> dict[str, Any]:
        return answered(self.ask(), 202)

    def use(self, upload_id: str) -> httpx.Response:
        """An import of what has arrived in parts."""
        fields = self.fields | {"upload_id": upload_id}
        return self.workspace.admin.post("/imports", files={name: (None, text) for name, text in fields.items()})

    def sending(self, content: bytes) -> Run:
        """The same with another file."""
        return replace(self, content=content)

    def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        return self.workspace.finished(self.jobs, job)

    def is_whole(self, job: dict[str, Any]) -> None:
        """It ends as if nothing had happened."""
        self.check_whole(self, job)
        self.is_over(job, "completed")
        self.ground.seen.append("whole, as if nothing had happened")

    def has_failed(self, job: dict[str, Any], because: str = "") -> dict[str, Any]:
        """It says why in its user's words, and nothing of it is there."""
        ended = self.ended(job)
        assert ended["status"] == "failed", ended
        clear(ended["error"], because)
        if self.jobs == "exports":
            assert (ended["download_url"], ended["file_size"]) == (None, None)
        else:
            assert ended["rows_imported"] == 0
        self.check_nothing(self)
        self.is_over(job, "failed")
        self.ground.seen.append(f"failed, and nothing of it is there: {ended['error']}")
        return ended

    def is_refused(self, answer: httpx.Response, statuses: Sequence[int]) -> None:
        """Before it became a job."""
        assert answer.status_code in statuses, answer.text
        clear(answer.json()["detail"])
        self.check_nothing(self)
        assert self.ground.uploads() == []
        running = "select count(*) from {} j join workspaces w on w.id = j.workspace_id where w.slug = $1"
        assert self.ground.sight.value(running.format("jobs"), self.workspace.slug) == 0
        self.ground.seen.append(
            f"refused with a {answer.status_code}, and nothing of it is there: {answer.json()['detail']}"
        )

    def is_over(self, job: dict[str, Any], status: str) -> None:
        """It ended once, and has left nothing behind but what it made."""
        assert endings(self.ground, job) == [f"{self.jobs[:-1]}.{status}"]
        wait_for(lambda: True if not self.ground.uploads() and not under_way(self.ground, job) else None)
        if status == "failed":
            assert not [path for path in self.ground.kept() if job["id"] in path.name]


def clear(text: str | None, because: str = "") -> None:
    """Words for a user: no class, no trace, no address."""
    assert text
    assert because in text, text
    assert len(text) > 15, text
    assert not _FAULT_OF_OURS.search(text), text


@dataclass(frozen=True)
class Work:
    """`begin` makes a place for one more go at it."""

    name: str
    jobs: Jobs
    begin: Callable[[Stock], Run]

    def __str__(self) -> str:
        return self.name


@dataclass
class Stock:
    """What the works of one arena share: a workspace to be exported, and what its exports are when nothing happens."""

    ground: Ground
    exported: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long a work takes when nothing happens."""
    source: Workspace | None = None
    works_by_itself: bool = False

    def filled(self) -> Workspace:
        if self.source is None:
            self.source = self.ground.workspace()
            with self.working():
                self.source.import_file("instruments", good_instruments(2000).content)
                some_instruments(self.source)
                self.source.import_file("time_series_values", values(INSTRUMENTS, 10_000).content)
        return self.source

    @contextmanager
    def working(self) -> Iterator[None]:
        """With a worker, where none is at work."""
        had = self.works_by_itself or bool(self.ground.workers)
        if not had:
            self.ground.worker()
        yield
        if not had:
            # A worker lets go of its file when its job is told to be done already.
            wait_for(lambda: True if not self.ground.uploads() else None)
            self.ground.end_workers()

    def undisturbed(self, name: str, make: Callable[[Workspace], Any]) -> Any:
        if name not in self.exported:
            with self.working():
                self.exported[name] = make(self.filled())
        return self.exported[name]


def some_instruments(workspace: Workspace) -> None:
    """`i1` and so on, where they aren't there: what the files of values speak of."""
    for number in range(1, INSTRUMENTS + 1):
        name = f"i{number}"
        workspace.admin.post("/instruments", json={"identifier": name, "name": "I", "type_id": "equity"})


def _import(name: str, sent: Callable[[], Sent], on_error: str, form: Callable[[bytes], bytes] | None = None) -> Work:
    def begin(stock: Stock) -> Run:
        file, workspace = sent(), stock.ground.workspace()
        if file.resource_type != "instruments":
            some_instruments(workspace)

        def whole(run: Run, job: dict[str, Any]) -> None:
            check_completed(run.ground, run.workspace, job, file)

        def nothing(run: Run) -> None:
            check_stored(run.ground, run.workspace, file.resource_type, 0)

        if form:
            # Without lines there is none to name.
            file = replace(file, errors=[(row, None, field, code) for row, _, field, code in file.errors])  # type: ignore[misc]  # as the database has it
        content = form(file.content) if form else file.content
        fields = {"resource_type": file.resource_type, "on_error": on_error}
        return Run(stock.ground, workspace, "imports", fields, content, whole, nothing)

    return Work(name, "imports", begin)


def _export(name: str, **fields: str) -> Work:
    def begin(stock: Stock) -> Run:
        source = stock.filled()
        expected = stock.undisturbed(
            name,
            lambda workspace: workspace.export(
                fields["resource_type"], **{each: text for each, text in fields.items() if each != "resource_type"}
            ),
        )

        def whole(run: Run, job: dict[str, Any]) -> None:
            ended = run.ended(job)
            assert ended["status"] == "completed", ended
            content = httpx.get(ended["download_url"]).content
            assert content == expected
            assert (ended["file_size"], ended["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())

        return Run(stock.ground, source, "exports", fields, b"", whole, lambda run: None)

    return Work(name, "exports", begin)


def _workspace_export(stock: Stock) -> Run:
    expected = stock.undisturbed("workspace", Workspace.export_workspace)

    def whole(run: Run, job: dict[str, Any]) -> None:
        ended = run.ended(job)
        assert ended["status"] == "completed", ended
        told = answered(run.workspace.admin.get(f"/exports/{job['id']}"), 200)  # a robot is shown no address
        content = httpx.get(told["download_url"]).content
        assert contents(content) == contents(expected)
        assert hashlib.sha256(content).hexdigest() == ended["sha256"]

    return Run(stock.ground, stock.filled(), "exports", {"resource_type": "workspace"}, b"", whole, lambda run: None)


def _workspace_import(stock: Stock) -> Run:
    archive = stock.undisturbed("workspace", Workspace.export_workspace)

    def whole(run: Run, job: dict[str, Any]) -> None:
        ended = run.ended(job)
        assert (ended["status"], ended["rows_failed"]) == ("completed", 0), ended
        assert [(file["expected"], file["created"]) for file in ended["files"]] == [
            (file["expected"],) * 2 for file in ended["files"]
        ]
        with stock.working():
            assert contents(run.workspace.export_workspace()) == contents(archive)

    def nothing(run: Run) -> None:
        asked = "select count(*) from {} t join workspaces w on w.id = t.workspace_id where w.slug = $1"
        for table in ("instrument_types", "instruments", "series", "time_series_values"):
            assert run.ground.sight.value(asked.format(table), run.workspace.slug) == 0, table
        assert run.ground.sight.value(asked.format("market_listing_statuses"), run.workspace.slug) == 3

    fields = {"resource_type": "workspace"}
    return Run(stock.ground, stock.ground.workspace(empty=True), "imports", fields, archive, whole, nothing)


def as_json(csv: bytes) -> bytes:
    """One array, an object a line; custom fields are nested."""

    def element(row: dict[str, str | None]) -> dict[str, Any]:
        there = {name: cell for name, cell in row.items() if cell is not None}
        plain = {name: cell for name, cell in there.items() if not name.startswith("field.")}
        nested = {name.removeprefix("field."): cell for name, cell in there.items() if name.startswith("field.")}
        return plain | ({"field_values": nested} if nested else {})

    return b"[\n" + b",\n".join(msgspec.json.encode(element(row)) for row in _table(csv).to_pylist()) + b"\n]\n"


def as_ndjson(csv: bytes) -> bytes:
    return as_json(csv)[2:-3].replace(b"},\n{", b"}\n{") + b"\n"


def as_parquet(csv: bytes) -> bytes:
    out = io.BytesIO()
    pq.write_table(_table(csv), out, write_page_checksum=True)
    return out.getvalue()


def as_gzip(csv: bytes) -> bytes:
    return gzip.compress(csv, mtime=0)


def _table(csv: bytes) -> pa.Table:
    names = csv.partition(b"\n")[0].decode().split(",")
    options = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    return pa_csv.read_csv(io.BytesIO(csv), convert_options=options)


VALUES_ABORT = _import("values, abort", lambda: values(INSTRUMENTS, 60_000), "abort")
VALUES_CONTINUE = _import("values, continue", lambda: values(INSTRUMENTS, 60_000, mixed=True), "continue")
INSTRUMENTS_ABORT = _import("instruments, abort", lambda: good_instruments(2000), "abort")
INSTRUMENTS_CONTINUE = _import("instruments, continue", lambda: mixed_instruments(2000), "continue")
VALUES_FORMS = {
    "csv": _import("values as CSV", lambda: values(INSTRUMENTS, 3000), "abort"),
    "json": _import("values as JSON", lambda: values(INSTRUMENTS, 3000), "abort", as_json),
    "ndjson": _import("values as NDJSON", lambda: values(INSTRUMENTS, 3000), "abort", as_ndjson),
    "gzip": _import("values as CSV with gzip", lambda: values(INSTRUMENTS, 3000), "abort", as_gzip),
    "parquet": _import("values as Parquet", lambda: values(INSTRUMENTS, 3000), "abort", as_parquet),
}
INSTRUMENTS_FORMS = {
    "csv": _import("instruments as CSV", lambda: good_instruments(300), "abort"),
    "json": _import("instruments as JSON", lambda: good_instruments(300), "abort", as_json),
    "ndjson": _import("instruments as NDJSON", lambda: good_instruments(300), "abort", as_ndjson),
    "gzip": _import("instruments as CSV with gzip", lambda: good_instruments(300), "abort", as_gzip),
    "parquet": _import("instruments as Parquet", lambda: good_instruments(300), "abort", as_parquet),
}
VALUES_OUT = _export("export of values", resource_type="time_series_values", format="csv")
INSTRUMENTS_OUT = _export("export of instruments", resource_type="instruments", format="json", compression="gzip")
WORKSPACE_OUT = Work("export of a workspace", "exports", _workspace_export)
WORKSPACE_IN = Work("import of a workspace", "imports", _workspace_import)

LONG = (
    VALUES_ABORT,
    VALUES_CONTINUE,
    INSTRUMENTS_ABORT,
    INSTRUMENTS_CONTINUE,
    VALUES_OUT,
    INSTRUMENTS_OUT,
    WORKSPACE_OUT,
    WORKSPACE_IN,
)
"""Each kind of job, taking long enough for something to happen meanwhile."""
IMPORTS = (VALUES_FORMS["csv"], INSTRUMENTS_FORMS["csv"], WORKSPACE_IN)
