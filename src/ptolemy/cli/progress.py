"""How far a long command is: bars on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptolemy.client.progress import Progress, Tell


@contextmanager
def shown_progress(*, as_json: bool) -> Iterator[Tell]:
    """Tells people, so it goes to stderr where stdout is a document for a script."""
    if sys.stderr.isatty():
        with _bars() as tell:
            yield tell
    else:
        yield _lines(to_stderr=as_json)


def _lines(*, to_stderr: bool) -> Tell:
    seen = set()

    def tell(progress: Progress) -> None:
        step = (progress.name, progress.step)
        if step not in seen:
            seen.add(step)
            print(f"{progress.name}: {progress.step}", file=sys.stderr if to_stderr else sys.stdout, flush=True)

    return tell


@contextmanager
def _bars() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} {task.fields[unit]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[tuple[str, str], TaskID] = {}

        def tell(progress: Progress) -> None:
            step = (progress.name, progress.step)
            if step not in tasks:
                tasks[step] = bars.add_task(f"{progress.name}: {progress.step}", total=None, unit=progress.unit)
            bars.update(tasks[step], completed=progress.done, total=progress.total)

        yield tell
