"""Whatever file is sent, the form is refused, or the job fails with a word on what is wrong and where."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.api.bad import UNKNOWN_ID
from tests.lifecycle.stock import Stock
from tests.product import answered, problem, refused_fields

CSV = ("file", ("x.csv", b"identifier,name,type\nx,X,equity\n"))
FORM = {"resource_type": "instruments"}
HEADER = b"instrument,type_id,timestamp,value\n"
ROW = {"instrument": "free", "type_id": "close", "timestamp": "2030-01-01", "value": "1"}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "resource_type"),
        ({"resource_type": "nope"}, "resource_type"),
        ({"resource_type": ""}, "resource_type"),
        ({**FORM, "on_error": "ignore"}, "on_error"),
        ({**FORM, "on_error": ""}, "on_error"),
        ({**FORM, "colour": "blue"}, "colour"),
        ({**FORM, "resource_type": ["instruments", "markets"]}, "resource_type"),
    ],
)
def test_a_bad_form_field_is_refused_by_name(shop: Stock, data: dict[str, Any], named: str) -> None:
    assert named in refused_fields(shop.workspace.robot.post("/imports", files=[CSV], data=data))


@pytest.mark.parametrize("files", [[("upload", CSV[1])], [("file", (None, b"identifier\nx\n"))]])
def test_a_form_without_its_file_is_refused(shop: Stock, files: Any) -> None:
    assert "file" in refused_fields(shop.workspace.robot.post("/imports", files=files, data=FORM))


def test_a_file_that_is_sent_as_a_text_is_told_how_to_be_sent(shop: Stock) -> None:
    form = [*((name, (None, value)) for name, value in FORM.items()), ("file", (None, "instruments.csv"))]
    answer = shop.workspace.robot.post("/imports", files=form)
    assert refused_fields(answer) == {"file": "required"}
    assert "curl -F file=@" in answer.json()["detail"]


def test_a_file_whose_name_holds_a_nul_is_refused(shop: Stock) -> None:
    named = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\0b.csv"\r\n\r\nidentifier\r\n'
    told = b'--b\r\nContent-Disposition: form-data; name="resource_type"\r\n\r\ninstruments\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = shop.workspace.robot.post("/imports", content=named + told, headers=headers)
    assert refused_fields(answer) == {"file": "invalid_name"}


def test_a_form_of_two_files_is_refused(shop: Stock) -> None:
    problem(shop.workspace.robot.post("/imports", files=[CSV, CSV], data=FORM), 400, "malformed_form")


@pytest.mark.parametrize("kind", ["application/json", "text/csv", "", "application/x-www-form-urlencoded"])
def test_an_import_that_is_no_form_is_a_415(shop: Stock, kind: str) -> None:
    response = shop.workspace.robot.post("/imports", content=b"{}", headers={"content-type": kind})
    problem(response, 415, "unsupported_media_type")


_PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\nidentifier\r\n'


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", _PART + b"--b--\r\n"),
        ("multipart/form-data; boundary=", _PART + b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b"nonsense"),
        ("multipart/form-data; boundary=b", b"--b\r\nnonsense\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"\xff" * 1000),
        ("multipart/form-data; boundary=" + "b" * 5000, b""),
    ],
)
def test_a_damaged_form_is_a_400(shop: Stock, kind: str, content: bytes) -> None:
    response = shop.workspace.robot.post("/imports", content=content, headers={"content-type": kind})
    problem(response, 400, "malformed_form")


@pytest.mark.parametrize("content", [b"", b"--b--\r\n", _PART, _PART + b"--b"])
def test_a_form_that_ends_early_is_refused(shop: Stock, content: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = shop.workspace.robot.post("/imports", content=content, headers=headers)
    assert response.status_code in (400, 422), response.text
    assert response.headers["content-type"] == "application/problem+json"


@dataclass(frozen=True)
class BadFile:
    """A file, and what the failed import must say: codes of rows, or words of its error."""

    says: str
    content: bytes
    resource_type: str = "time_series_values"

    def __str__(self) -> str:
        return f"{self.says} {self.content[:40]!r}"


def _rows(*rows: Any) -> bytes:
    return json.dumps(rows).encode()


def _line(**cells: str) -> bytes:
    return HEADER + ",".join({**ROW, **cells}.values()).encode() + b"\n"


UNREADABLE = [
    BadFile("empty", b""),
    BadFile("empty", b" \n\t"),
    BadFile("empty", b"\xef\xbb\xbf"),
    BadFile("NUL", b"\x00\x01\x02"),
    BadFile("ZIP", b"PK\x03\x04" + b"\0" * 100),
    BadFile("Parquet", b"PAR1" + b"\0" * 100),
    BadFile("UTF-16", "instrument,value".encode("utf-16")),
    BadFile("zstd", b"\x28\xb5\x2f\xfd\x00"),
    BadFile("XML", b"<?xml version='1.0'?><rows/>"),
    BadFile("object a line", b'{\n"instrument": "free"}'),
    BadFile("gzip", gzip.compress(_line(), mtime=0)[:-12]),
    BadFile("gzip", gzip.compress(_line() * 1000, mtime=0)[:40] + b"\xff" * 40),
    BadFile("gzip", b"\x1f\x8b"),
    BadFile("gzip", b"\x1f\x8b" + b"\xff" * 50),
    BadFile("empty", gzip.compress(b"", mtime=0)),
    BadFile("", gzip.compress(gzip.compress(_line(), mtime=0), mtime=0)),
    BadFile("line 1 ", gzip.compress(b"x" * 50_000_000, 1, mtime=0)),
    BadFile("…", b"x" * 10_000_000 + b"\nfree\n"),
    BadFile("colour", b"instrument,type_id,timestamp,value,colour\nfree,close,2030-01-01,1,blue\n"),
    BadFile("field.nope", b"instrument,type_id,timestamp,value,field.nope\nfree,close,2030-01-01,1,x\n"),
    BadFile("twice", b"instrument,type_id,timestamp,value,value\nfree,close,2030-01-01,1,1\n"),
    BadFile("name", b"instrument,type_id,timestamp,,value\nfree,close,2030-01-01,1,1\n"),
    BadFile("instrument;type_id", b"instrument;type_id;timestamp;value\nfree;close;2030-01-01;1\n"),
    BadFile("line 2", HEADER + b"free,close,2030-01-01,\xff\n"),
    BadFile("NUL", HEADER + b"free,close,2030-01-01,\x00\n"),
    BadFile("line 2001 holds a NUL", HEADER + b"free,close,2030-01-01,0.000000000000001\n" * 1999 + b"\x00\n"),
    BadFile("", b"["),
    BadFile("", b"[{"),
    BadFile("", _rows(ROW)[:-1]),
    BadFile("", _rows(ROW)[:-2] + b",]"),
    BadFile("", _rows(ROW) + b"x"),
    BadFile("", _rows(ROW) + _rows(ROW)),
    BadFile("", b"[" + _rows(ROW)[1:-1] + b" " + _rows(ROW)[1:]),
    BadFile("", b"[" * 100_000),
    BadFile("", b'[{"extras":' + b'{"a":' * 100_000, "instruments"),
    BadFile("", b'[{"instrument": "\xff"}]'),
    BadFile("", b'[{"value": NaN}]'),
    BadFile("", b'[{"value": ' + b"9" * 100_000 + b"}]"),
    BadFile("nope", _rows({**ROW, "id": UNKNOWN_ID, "type_id": "nope"})),
    BadFile("nope", _rows({"id": UNKNOWN_ID, "identifier": "x", "name": "X", "type_id": "nope"}), "instruments"),
    BadFile("nope", f"id,identifier,name,type_id\n{UNKNOWN_ID},x,X,nope\n".encode(), "instruments"),
    BadFile("", b'[{"instrument": "\\ud800"}]'),
    BadFile("nope", b"identifier,name,type_id,field.nope\nx,X,equity,1\n", "instruments"),
]

BAD_ROWS = [
    BadFile("wrong_cell_count", HEADER + b"free,close,2030-01-01\n"),
    BadFile("wrong_cell_count", HEADER + b"free,close,2030-01-01,1,2\n"),
    BadFile("malformed_row", HEADER + b'free,close,2030-01-01,"1"x\n'),
    BadFile("malformed_row", HEADER + b'free,close,2030-01-01,"1\n'),
    BadFile("value invalid_number", _line(value="abc")),
    BadFile("value invalid_number", _line(value="1e5000")),
    BadFile("value invalid_number", _line(value="9" * 100_000)),
    BadFile("value invalid_number", _line(value="=1+1")),
    BadFile("value required", _line(value="")),
    BadFile("timestamp invalid_timestamp", _line(timestamp="2030-02-30")),
    BadFile("timestamp invalid_timestamp", _line(timestamp="2030-01-01T00:00:00")),
    BadFile("timestamp required", _line(timestamp="")),
    BadFile("instrument_id unknown_reference", _line(instrument="nope")),
    BadFile("instrument_id required", _line(instrument="")),
    BadFile("instrument", _line(instrument="a b")),
    BadFile("conflict", HEADER + _line()[len(HEADER) :] * 2),
    BadFile("conflict", _rows({**ROW, "instrument": "bhp.ax", "timestamp": "2026-04-15"})),
    BadFile("value invalid_number", _rows({**ROW, "value": True})),
    BadFile("value invalid_number", _rows({**ROW, "value": [1]})),
    BadFile("value invalid_number", _rows({**ROW, "value": "NaN"})),
    BadFile("timestamp invalid", _rows({**ROW, "timestamp": 5})),
    BadFile("colour unknown_field", _rows({**ROW, "colour": "blue"})),
    BadFile("value required", _rows({key: value for key, value in ROW.items() if key != "value"})),
    BadFile("timestamp required", _rows({})),
    BadFile("", _rows(5)),
    BadFile("", _rows(None)),
    BadFile("", _rows([])),
    BadFile("", _rows([ROW])),
    BadFile("instrument", _rows({**ROW, "instrument": 5})),
    BadFile("instrument", _rows({**ROW, "instrument": "a\0"})),
    BadFile("type_id unknown_reference", _line(type_id="nope")),
    BadFile("type_id unknown_reference", _rows({**ROW, "type_id": "nope"})),
    BadFile("type_id unknown_reference", b"identifier,name,type_id\nx,X,nope\n", "instruments"),
    BadFile("id", _rows({**ROW, "id": "nope"})),
    BadFile("created_at invalid_timestamp", _rows({**ROW, "created_at": "nope"})),
    BadFile(
        "id conflict",
        _rows(*[{**ROW, "id": UNKNOWN_ID, "timestamp": t} for t in ("2030-01-01", "2030-01-02")]),
    ),
    BadFile("identifier conflict", b"identifier,name,type_id\nbhp.ax,X,equity\n", "instruments"),
    BadFile("identifier invalid_identifier", b"identifier,name,type_id\na b,X,equity\n", "instruments"),
    BadFile("extras invalid_json", b"identifier,name,type_id,extras\nx,X,equity,{\n", "instruments"),
    BadFile("extras invalid_json", b"identifier,name,type_id,extras\nx,X,equity,[]\n", "instruments"),
    BadFile(
        "field_values.shares invalid_number", b"identifier,name,type_id,field.shares\nx,X,equity,many\n", "instruments"
    ),
    BadFile(
        "field_values invalid_field_values",
        _rows({"identifier": "x", "name": "X", "type_id": "equity", "field_values": []}),
        "instruments",
    ),
    BadFile("mic invalid_mic", b"identifier,name,type_id,mic\nx,X,exchange,asx\n", "markets"),
    BadFile(
        "listing_id",
        _rows({"instrument": "bhp.ax", "market": "nope", "suspended_from": "2030-01-01"}),
        "market_listing_suspensions",
    ),
    BadFile(
        "market required", _rows({"instrument": "bhp.ax", "suspended_from": "2030-01-01"}), "market_listing_suspensions"
    ),
    BadFile(
        "suspended_from conflict",
        _rows({"instrument": "bhp.ax", "market": "xasx", "suspended_from": "2026-01-05"}),
        "market_listing_suspensions",
    ),
    BadFile(
        "suspended_until",
        _rows(
            {"instrument": "bhp.ax", "market": "xasx", "suspended_from": "2030-01-05", "suspended_until": "2030-01-04"}
        ),
        "market_listing_suspensions",
    ),
    BadFile(
        "items.open required",
        _rows({"instrument": "free", "type_id": "bar", "timestamp": "2030-01-01", "items": []}),
        "composite_time_series_values",
    ),
    BadFile(
        "items invalid_items",
        _rows({"instrument": "free", "type_id": "bar", "timestamp": "2030-01-01", "items": {"open": 1}}),
        "composite_time_series_values",
    ),
    BadFile(
        "items.open invalid_number",
        b"instrument,type_id,timestamp,item.open,item.high,item.low,item.close\nfree,bar,2030-01-01,x,1,1,1\n",
        "composite_time_series_values",
    ),
]


def imported(shop: Stock, file: BadFile) -> dict[str, Any]:
    """The import that failed, and nothing of it has stayed."""
    before = answered(shop.workspace.robot.post(f"/{file.resource_type.replace('_', '-')}/count", json={}), 200)
    job = shop.workspace.import_file(file.resource_type, file.content)
    assert (job["status"], job["rows_imported"]) == ("failed", 0), job
    assert answered(shop.workspace.robot.post(f"/{file.resource_type.replace('_', '-')}/count", json={}), 200) == before
    return job


@pytest.mark.parametrize("file", UNREADABLE, ids=str)
def test_a_file_that_can_t_be_read_fails_its_import_with_a_reason(shop: Stock, file: BadFile) -> None:
    job = imported(shop, file)
    assert job["error"]
    assert file.says in job["error"]
    assert len(job["error"]) < 2000


@pytest.mark.parametrize("file", BAD_ROWS, ids=str)
def test_a_bad_row_fails_its_import_with_its_field_and_code(shop: Stock, file: BadFile) -> None:
    job = imported(shop, file)
    assert job["rows_failed"] == len({error["row"] for error in job["errors"]}) > 0
    found = [f"{error['field'] or ''} {error['code']}".strip() for error in job["errors"]]
    assert any(file.says in each for each in found), found
    assert all(0 < len(error["message"]) < 500 for error in job["errors"])


def test_a_file_with_nothing_but_a_header_imports_nothing(shop: Stock) -> None:
    for content in (HEADER, b"[]", b"[\n]\n"):
        job = shop.workspace.import_file("time_series_values", content)
        assert (job["status"], job["row_count"], job["rows_imported"]) == ("completed", 0, 0)


def test_the_errors_of_an_import_take_good_cursors_only(shop: Stock) -> None:
    job = shop.workspace.import_file("time_series_values", HEADER + b"free,close,2030-01-01,x\n" * 3)
    path = f"/imports/{job['id']}/errors"
    first = answered(shop.workspace.robot.get(path, params={"limit": 2}), 200)
    rest = answered(shop.workspace.robot.get(path, params={"after": first["meta"]["next_cursor"]}), 200)
    assert [error["row"] for error in [*first["data"], *rest["data"]]] == [1, 2, 3]
    problem(shop.workspace.robot.get(path, params={"after": "x"}), 400, "invalid_cursor")
    other = shop.workspace.import_file("time_series_values", HEADER + b"free,close,2030-01-02,x\n")
    foreign = shop.workspace.robot.get(f"/imports/{other['id']}/errors", params={"after": first["meta"]["next_cursor"]})
    problem(foreign, 400, "invalid_cursor")


def test_a_file_above_the_limit_is_a_413(shop: Stock) -> None:
    def form() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
        for _ in range(101):
            yield b"x" * 1_000_000

    headers = {"content-type": "multipart/form-data; boundary=b"}
    try:
        response = shop.workspace.robot.post("/imports", content=form(), headers=headers)
    except httpx.WriteError:
        return  # refused while the rest was still on its way
    problem(response, 413, "file_too_large")
