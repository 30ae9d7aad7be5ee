"""What is wrong with a backup, in its owner's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["damaged", "incomplete", "unreadable"]
Result = Literal["fine", "damaged", "incomplete", "unreadable"]


@dataclass(frozen=True)
class Finding:
    """One thing wrong. `rows` are the first and the last row hit, from 1; `records` the first ids of those that are."""

    file: str
    kind: Kind
    message: str
    restorable: str
    """What can still be restored in spite of it."""
    resource: str | None = None
    rows: tuple[int, int] | None = None
    records: Sequence[str] = ()


@dataclass
class FileSummary:
    file: str
    resource: str
    rows: int = 0
    whole: int = 0
    """Rows that can be restored."""
    checked: int = 0


@dataclass
class Report:
    backup: str
    format_version: int | None = None
    files: list[FileSummary] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def result(self) -> Result:
        """The worst of the findings."""
        kinds = {finding.kind for finding in self.findings}
        return next((kind for kind in ("unreadable", "damaged", "incomplete") if kind in kinds), "fine")
