"""The contract as a small model in memory: what may be created, changed, archived, restored and deleted.

A method either changes the model and says which events must be there, or raises `Refused` with the statuses that the
API may answer. Ids come from the API's answers; everything else is worked out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

Events = Counter[tuple[str, str]]
"""How often which type was told of which record."""


@dataclass(frozen=True)
class Link:
    """A reference to a record of another kind, and what a hard delete of that record does to this one."""

    to: str
    when_deleted: Literal["refuse", "cascade"]
    optional: bool = False


@dataclass(frozen=True, repr=False)
class Kind:
    """One row of the tables of resources and of archive and hard delete."""

    collection: str
    singular: str
    fields: tuple[str, ...]
    links: Mapping[str, Link] = field(default_factory=dict)
    unique: tuple[str, ...] = ()
    period: tuple[str, str, str] | None = None
    """Half-open periods of one parent never overlap: the parent, begin and end."""
    archives: bool = True
    deletes: bool = True
    cascade: bool = False
    """`cascade=true` takes along what would refuse."""
    told_together: bool = False
    """A cascade tells of all of them with one event of their parent."""

    def __repr__(self) -> str:
        return self.collection


_INSTRUMENT = Link("instruments", "refuse")
KINDS: dict[str, Kind] = {
    kind.collection: kind
    for kind in (
        Kind("instruments", "instrument", ("identifier", "name"), unique=("identifier",), cascade=True),
        Kind("markets", "market", ("identifier", "name"), unique=("identifier",)),
        Kind(
            "market-listings",
            "market_listing",
            ("local_code",),
            {"instrument_id": _INSTRUMENT, "market_id": Link("markets", "cascade")},
            unique=("instrument_id", "market_id"),
            deletes=False,
        ),
        Kind(
            "market-listing-suspensions",
            "market_listing_suspension",
            ("suspended_from", "suspended_until"),
            {"listing_id": Link("market-listings", "cascade")},
            period=("listing_id", "suspended_from", "suspended_until"),
            archives=False,
        ),
        Kind(
            "time-series-values",
            "time_series_value",
            ("timestamp", "value"),
            {"instrument_id": _INSTRUMENT},
            unique=("instrument_id", "timestamp"),
            deletes=False,
            told_together=True,
        ),
        Kind(
            "market-calendars",
            "market_calendar",
            ("date", "is_open"),
            {"market_id": Link("markets", "cascade")},
            unique=("market_id", "date"),
            archives=False,
        ),
        Kind(
            "instrument-tags",
            "instrument_tag",
            ("identifier", "name", "path"),
            {"parent_id": Link("instrument-tags", "refuse", optional=True)},
            unique=("parent_id", "identifier"),
        ),
        Kind(
            "instrument-tag-assignments",
            "instrument_tag_assignment",
            (),
            {"instrument_id": Link("instruments", "cascade"), "tag_id": Link("instrument-tags", "cascade")},
            unique=("instrument_id", "tag_id"),
            archives=False,
        ),
    )
}


class Refused(Exception):
    def __init__(self, *statuses: int) -> None:
        super().__init__(statuses)
        self.statuses = statuses


@dataclass
class Record:
    id: str
    kind: Kind
    values: dict[str, Any]
    archived: int | None = None
    """The moment of its archiving, as a number that grows."""


class Model:
    """One workspace."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._clock = count()

    def of(self, kind: Kind) -> list[Record]:
        return [record for record in self.records.values() if record.kind is kind]

    def find(self, kind: Kind, key: str) -> Record | None:
        """By UUID; by the user's name the active record, else the one archived last."""
        if key in self.records:
            return self.records[key] if self.records[key].kind is kind else None
        name = "path" if "path" in kind.fields else "identifier"
        named = [each for each in self.of(kind) if each.values.get(name) == key]
        return max(named, key=lambda each: float("inf") if each.archived is None else each.archived, default=None)

    def create(self, kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
        """The values that the new record must have."""
        values = {**dict.fromkeys(kind.fields), **dict.fromkeys(kind.links), **body}
        self._resolve(kind, values, kind.links)
        return self._checked(kind, values, None)

    def created(self, kind: Kind, id_: str, values: dict[str, Any]) -> Events:
        self.records[id_] = Record(id_, kind, values)
        return _told(self.records[id_], "created")

    def patch(self, kind: Kind, key: str, body: Mapping[str, Any]) -> tuple[Record, Events]:
        """A change that changes nothing tells nothing."""
        record = self._there(kind, key)
        if record.archived is not None:
            raise Refused(409)
        values = {**record.values, **body}
        self._resolve(kind, values, [name for name in kind.links if name in body], was=record.values)
        values = self._checked(kind, values, record)
        if values == record.values:
            return record, Counter()
        events = _told(record, "updated")
        moved = "path" in values and values["path"] != record.values["path"]
        record.values = values
        return record, events + (self._moved(record) if moved else Counter())

    def archive(self, kind: Kind, key: str) -> Events:
        """Keeps everything; a tag takes its active descendants along. Where nothing archives, it deletes."""
        record = self._there(kind, key)
        if not kind.archives:
            return self._gone(record)
        if record.archived is not None:
            return Counter()
        events: Events = Counter()
        for each in [record, *self.below(record)]:
            if each.archived is None:
                each.archived = next(self._clock)
                events += _told(each, "archived")
        return events

    def restore(self, kind: Kind, key: str) -> tuple[Record, Events]:
        """That record alone, if its parents are active and its place is free."""
        record = self._there(kind, key)
        if record.archived is None:
            raise Refused(409)
        self._resolve(kind, dict(record.values), kind.links)
        self._checked(kind, record.values, record)
        record.archived = None
        return record, _told(record, "restored")

    def hard_delete(self, kind: Kind, key: str, *, cascade: bool = False) -> Events:
        if not kind.deletes or (cascade and not kind.cascade):
            raise Refused(400)
        record = self._there(kind, key)
        if not cascade and any(how == "refuse" for _, how in self._dependents(record)):
            raise Refused(409)
        return self._gone(record)

    def below(self, tag: Record) -> Iterator[Record]:
        """A tag's descendants."""
        for each in self.of(tag.kind):
            if each.values.get("parent_id") == tag.id:
                yield each
                yield from self.below(each)

    def _there(self, kind: Kind, key: str) -> Record:
        if record := self.find(kind, key):
            return record
        raise Refused(404)

    def _resolve(self, kind: Kind, values: dict[str, Any], names: Any, *, was: Mapping[str, Any] | None = None) -> None:
        """A bad value or a reference that names nothing is a 422, one that comes to an archived record a 409."""
        statuses = {422} if _ends_before_it_begins(kind, values) else set[int]()
        for name in names:
            if values[name] is None:
                continue
            parent = self.find(KINDS[kind.links[name].to], values[name])
            if parent is None:
                statuses.add(422)
                continue
            values[name] = parent.id
            if parent.archived is not None and not (was and was[name] == parent.id):
                statuses.add(409)
        if statuses:
            raise Refused(*statuses)

    def _checked(self, kind: Kind, values: dict[str, Any], record: Record | None) -> dict[str, Any]:
        """The values, with what follows from them, if they break no rule beside other active records."""
        if "path" in kind.fields:
            parent = self.records.get(values["parent_id"] or "")
            if record and parent and parent in (record, *self.below(record)):
                raise Refused(409)
            above = f"{parent.values['path']}." if parent else "#"
            values = values | {"path": f"{above}{values['identifier']}"}
        for other in self.of(kind):
            if other is record or other.archived is not None:
                continue
            if kind.unique and all(other.values[name] == values[name] for name in kind.unique):
                raise Refused(409)
            if kind.period and _overlap(kind.period, other.values, values):
                raise Refused(409)
        return values

    def _moved(self, tag: Record) -> Events:
        """The subtree goes along, archived tags too, and each moved tag has its event."""
        events: Events = Counter()
        for each in self.below(tag):
            parent = self.records[each.values["parent_id"]]
            each.values = each.values | {"path": f"{parent.values['path']}.{each.values['identifier']}"}
            events += _told(each, "updated")
        return events

    def _dependents(self, record: Record) -> list[tuple[Record, str]]:
        return [
            (each, link.when_deleted)
            for each in self.records.values()
            for name, link in each.kind.links.items()
            if each.values[name] == record.id
        ]

    def _gone(self, record: Record) -> Events:
        events = _told(record, "deleted")
        together = set()
        for each, _ in self._dependents(record):
            if each.id not in self.records:
                continue
            if each.kind.told_together:
                del self.records[each.id]
                together.add((f"{each.kind.singular}.deleted", record.id))
            else:
                events += self._gone(each)
        del self.records[record.id]
        return events + Counter(together)


def _told(record: Record, verb: str) -> Events:
    return Counter({(f"{record.kind.singular}.{verb}", record.id): 1})


def _ends_before_it_begins(kind: Kind, values: Mapping[str, Any]) -> bool:
    if kind.period is None:
        return False
    _, begin, end = kind.period
    return values[end] is not None and bool(values[end] <= values[begin])


def _overlap(period: tuple[str, str, str], one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    of, begin, end = period
    before = one[end] is not None and one[end] <= other[begin]
    after = other[end] is not None and other[end] <= one[begin]
    return bool(one[of] == other[of] and not before and not after)
