from collections.abc import Sequence

from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import Boolean, Date, Reference, Text, Time
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.write import Write
from ptolemy.resources.markets import Markets

MANUAL = "manual"


class MarketCalendars(Resource):
    """One day of a market: whether it trades, and from when to when on the market's own clock.

    The date is the one that the session is of. An `open_time` that is not before the `close_time` is on the calendar
    day before; a `close_time` of `00:00:00` is the midnight at which the date ends. `source` says `manual`, or which
    library in which version a generated day comes from; changing such a day makes it `manual`.
    """

    singular = "market_calendar"
    collection = "market-calendars"
    lifecycle = Lifecycle(archive=False, hard_delete=True)
    counted = True

    market_id = Reference(Markets, when_deleted="cascade", required=True)
    date = Date(required=True)
    is_open = Boolean(required=True, default=True)
    open_time = Time()
    close_time = Time()
    name = Text(searched=True)
    source = Text(required=True, default=MANUAL, derived=True)

    unique = [Unique(market_id, date)]

    async def before_write(self, tx: Transaction, writes: Sequence[Write]) -> None:
        """A day that a person closes loses its times, and one that a person changes is theirs."""
        if len(writes) > 1:
            # Two that insert many days each, in different orders, would wait for each other.
            await lock_calendars(tx)
        for write in writes:
            self._close(write)
            if write.old is not None and "source" not in write.sent and self._differs(write):
                write.new["source"] = MANUAL

    def check(self, write: Write) -> None:
        """A session has both its times or none is known; a closed day has none."""
        times = {of.name: write.get(of) for of in (self.open_time, self.close_time)}
        given = [name for name, time in times.items() if time is not None]
        if given and not write.get(self.is_open):
            for name in given:
                write.refuse_field(name, "closed_day", "must be null where is_open is false")
        elif len(given) == 1:
            [missing] = times.keys() - set(given)
            write.refuse_field(missing, "time_missing", f"must be given with {given[0]}: a session has both or none")

    def _close(self, write: Write) -> None:
        if write.old is not None and write.changed(self.is_open) and not write.get(self.is_open):
            write.new |= {of.name: None for of in (self.open_time, self.close_time) if of.name not in write.sent}

    def _differs(self, write: Write) -> bool:
        return any(write.changed(of) for of in self.fields.values())


async def lock_calendars(tx: Transaction) -> None:
    """Who writes many days of a workspace does so alone; to be taken before the first read, or before the first row."""
    await tx.lock("market_calendars")
