"""What the demo did and how fast: as lines while it runs, as JSON at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One thing done; `equal` says of a comparison how it came out."""

    action: str
    subject: str
    rows: int | None
    seconds: float
    equal: bool | None = None

    @property
    def rows_per_second(self) -> int | None:
        return round(self.rows / self.seconds) if self.rows and self.seconds else None


@dataclass
class Report:
    """Grows while the demo runs; `tell` gets a line for every step."""

    tell: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    """What is not as it was, in words; nothing here means that the restored data is the same."""

    def add(self, step: Step) -> None:
        self.steps.append(step)
        self.tell(_line(step))

    def expect(self, what: str, expected: object, found: object) -> None:
        """Notes a difference unless both are equal."""
        if found != expected:
            self.differences.append(f"{what}: expected {expected}, found {found}")

    def document(self, seconds: float) -> dict[str, Any]:
        steps = [
            {**asdict(step), "seconds": round(step.seconds, 3), "rows_per_second": step.rows_per_second}
            for step in self.steps
        ]
        return {"steps": steps, "seconds": round(seconds, 3), "differences": self.differences}


def _line(step: Step) -> str:
    counted = "" if step.rows is None else f"{step.rows:,} rows, "
    verdict = {True: ": equal", False: ": NOT EQUAL", None: ""}[step.equal]
    return f"{step.action}: {step.subject} ({counted}{step.seconds:.2f} s){verdict}"
