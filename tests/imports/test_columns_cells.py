"""By columns, cells mean what they mean one by one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ptolemy.imports.columns.binary import EPOCH, new_ids, uuids
from ptolemy.imports.columns.cells import decimals, instants
from ptolemy.kernel.decimals import parse_decimal, write_decimal
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.timestamps import parse_timestamp

PLAIN_INSTANTS = st.builds(
    lambda moment, blank, fraction, offset: (
        f"{moment:%Y-%m-%d}".zfill(10) + blank + f"{moment:%H:%M:%S}{fraction}{offset}"
    ),
    st.datetimes(),
    st.sampled_from(["T", " "]),
    st.sampled_from(["", ".5", ".123456", ".000001"]),
    st.sampled_from(["Z", "+00:00", "-05:30", "+23:59", "-23:59"]),
)
ODD_INSTANTS = st.sampled_from(
    [
        *(
            "2020-02-29",
            "2021-02-29",
            "2020-01-01T00:00:00",
            "2020-01-01T24:00:00Z",
            "2020-01-01T23:59:60Z",
            "0000-01-01",
        ),
        *(
            "2020-01-01T10:00Z",
            "2020-01-01t10:00:00z",
            "2020-01-01T10:00:00,5Z",
            "2020-01-01T10:00:00.1234567Z",
            "x",
            " ",
        ),
        *("9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "2020-01-01T10:00:00+24:00", "20200101T000000Z"),
    ]
)
NUMBERS = st.one_of(
    st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", fullmatch=True),
    st.from_regex(r"[-+]?[0-9]{0,101}\.?[0-9]{0,101}", fullmatch=True),
    st.sampled_from(["1e5", "-1.50E-3", "NaN", "inf", "1_000", " 1", "+.5", "5.", ".", "0e0", "1e101", "٣", "-0.00"]),
)


@given(st.lists(st.none() | PLAIN_INSTANTS, max_size=5), st.lists(ODD_INSTANTS, max_size=3))
@example([], [])
def test_instants_are_those_of_the_parser(plain: list[str | None], odd: list[str]) -> None:
    cells = [*plain, *odd]
    found, faults = instants(pa.array(cells, pa.string()))
    for place, cell in enumerate(cells):
        if cell is None:
            assert found[place] == 0
            continue
        try:
            expected = parse_timestamp(cell)
        except ValueError as reason:
            assert faults[place] == str(reason)
        else:
            since = (expected - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
            assert (found[place] + EPOCH, place in faults) == (since, False)


@given(st.lists(st.none() | NUMBERS, max_size=6))
def test_decimals_are_those_of_the_parser(cells: list[str | None]) -> None:
    found, faults = decimals(pa.array(cells, pa.string()))
    for place, (cell, digits) in enumerate(zip(cells, found.to_pylist(), strict=True)):
        try:
            expected = parse_decimal("0" if cell is None else cell)
        except ValueError as reason:
            assert (faults[place], digits) == (str(reason), "0")
        else:
            assert write_decimal(parse_decimal(digits)) == write_decimal(expected)
            assert place not in faults


@given(st.lists(st.uuids() | st.text(st.sampled_from("0123456789abcdefABCDEF-gé"), max_size=40), max_size=5))
def test_uuids_are_those_of_the_standard_form(cells: list[UUID | str]) -> None:
    found, sound = uuids(pa.array([str(cell) for cell in cells], pa.string()))
    for place, cell in enumerate(cells):
        assert sound[place] == isinstance(cell, UUID)
        if isinstance(cell, UUID):
            assert found[place].tobytes() == cell.bytes


def test_uuids_in_capitals_are_read() -> None:
    found, sound = uuids(pa.array(["018F2C3A-0000-7000-8000-00000000ABCD"]))
    assert sound.all()
    assert found[0].tobytes().hex() == "018f2c3a0000700080000000 0000abcd".replace(" ", "")


def test_new_ids_are_version_7_and_ascend_with_those_made_one_by_one() -> None:
    before = uuid7()
    ids = [UUID(bytes=each.tobytes()) for block in (new_ids(1000), new_ids(1000)) for each in block]
    everything = [before, *ids, uuid7()]
    assert everything == sorted(set(everything))
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}


@pytest.mark.parametrize("count", [0, 1])
def test_a_column_may_be_short(count: int) -> None:
    assert len(new_ids(count)) == count
    assert np.array_equal(instants(pa.nulls(count, pa.string()))[0], np.zeros(count))
