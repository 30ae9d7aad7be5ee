"""The report as a table for a terminal of 80 columns."""

from __future__ import annotations

from rich import box
from rich.table import Table

from ptolemy.demo.report import Report


def table(report: Report, seconds: float) -> Table:
    """A line a step; steps of one kind stand together under its name."""
    drawn = Table(
        title="Ptolemy on real market data",
        caption=f"{seconds:.1f} seconds in all",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    drawn.add_column("Step", no_wrap=True)
    drawn.add_column("What", no_wrap=True)
    for heading in ("Rows", "Seconds", "Rows/s"):
        drawn.add_column(heading, justify="right")
    drawn.add_column("Equal")
    action = ""
    for step in report.steps:
        drawn.add_row(
            "" if step.action == action else step.action,
            step.subject,
            "" if step.rows is None else f"{step.rows:,}",
            f"{step.seconds:.2f}",
            "" if step.rows_per_second is None else f"{step.rows_per_second:,}",
            {True: "yes", False: "NO", None: ""}[step.equal],
        )
        action = step.action
    return drawn
