"""Versions of a record by name: a change that was meant for another version is refused (RFC 9110, section 13)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from ptolemy.database.transaction import Row
from ptolemy.engine import render
from ptolemy.engine.resource import Resource
from ptolemy.kernel.problems import PreconditionFailed

_BYTES = 12


def etag(resource: type[Resource], row: Row) -> str:
    """The strong entity tag of the record: equal records have equal ones, and no others."""
    return etag_of(render.record(resource, row))


def etag_of(record: bytes) -> str:
    """The same, for who has the record's bytes at hand."""
    return f'"{blake2b(record, digest_size=_BYTES).hexdigest()}"'


@dataclass(frozen=True)
class Expected:
    """The versions that a change is meant for; None stands for any."""

    etags: frozenset[str] | None = None

    def check(self, resource: type[Resource], row: Row) -> None:
        """Refuses a row of another version. It has to be locked: else it may be another one a moment later."""
        if self.etags is not None and etag(resource, row) not in self.etags:
            raise PreconditionFailed(
                "precondition_failed",
                f"the {resource.called} is not the version that If-Match names: get it again, and decide anew",
            )


ANY = Expected()
