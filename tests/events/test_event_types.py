"""Every type that an event can have is one that can be subscribed to."""

from __future__ import annotations

import re

import pytest

from ptolemy.catalogue import RESOURCES
from ptolemy.event_types import check_event_type, event_types, matches
from tests.docs.pages import ROOT

_WRITTEN = re.compile(r'Entry\(\s*(?:event_type=)?"([a-z_]+\.[a-z_]+)"')


def test_every_type_that_the_source_writes_is_known() -> None:
    sources = (ROOT / "src/ptolemy").rglob("*.py")
    written = {each for path in sources for each in _WRITTEN.findall(path.read_text())}
    assert len(written) > 8
    assert not written - set(event_types())


def test_every_resource_has_its_types() -> None:
    for resource in RESOURCES:
        assert f"{resource.singular}.created" in event_types()
        check_event_type(f"{resource.singular}.*", "event_type")


@pytest.mark.parametrize("named", ["*", "series.*", "series.created"])
def test_a_subscription_matches_what_it_names(named: str) -> None:
    assert matches("series.created", (named,))
    assert matches("market.created", (named,)) == (named == "*")
    assert not matches("series_type.created", ("series.*",))
