"""`ptolemy demo`"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ptolemy.cli.options import AsJson

if TYPE_CHECKING:
    from ptolemy.demo.report import Report
    from ptolemy.demo.server import Server
    from ptolemy.demo.tour import Opened

EXAMPLE = "Example: ptolemy demo --serve"


def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Stay up afterwards, for a look around.")] = False,
    as_json: AsJson = False,
) -> None:
    """Load real market data, back it up, restore it, compare.

    All of it happens on a server of its own in a temporary directory; the exit code is 1 on any difference.
    """
    import httpx

    from ptolemy.cli.failures import explained, fail
    from ptolemy.demo.problems import DemoProblem

    try:
        with explained(), _ended_by_sigterm():
            equal = _perform(serve=serve, as_json=as_json)
    except DemoProblem as problem:
        fail(str(problem))
    except httpx.HTTPError as error:
        fail(f"the demo's server does not answer: {error}")
    raise typer.Exit(0 if equal else 1)


def _perform(*, serve: bool, as_json: bool) -> bool:
    """Whether the restored data equals the loaded."""
    import time

    from ptolemy.demo.report import Report, Step
    from ptolemy.demo.server import running_server
    from ptolemy.demo.tour import import_files, tour

    # Lines for people go to stderr where stdout is a document for a script.
    report = Report(tell=lambda line: print(line, file=sys.stderr if as_json else sys.stdout, flush=True))
    began = time.perf_counter()
    with _temporary_directory(keep=serve) as directory:
        files = import_files()
        with running_server(directory) as server:
            report.add(Step("Start", "server, database, a person", None, time.perf_counter() - began))
            opened = tour(server, files, directory, report)
            _show(report, time.perf_counter() - began, as_json=as_json)
            if serve:
                _stay(server, opened)
    return not report.differences


def _show(report: Report, seconds: float, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.document(seconds), indent=2), flush=True)
    else:
        from rich.console import Console

        from ptolemy.demo.table import table

        Console().print(table(report, seconds))
    for difference in report.differences:
        print(f"ptolemy: {difference}", file=sys.stderr)


def _stay(server: Server, opened: Opened) -> None:
    """Until Ctrl-C, or until the server ends by itself."""
    from ptolemy.demo.problems import DemoProblem
    from ptolemy.demo.tour import LOADED, RESTORED

    lines = [
        "",
        f"Ptolemy stays up at {server.url} (Ctrl-C stops it)",
        f"  sign in with   {server.email}  {server.password}",
        f"  workspaces     {LOADED}, {RESTORED}",
        f"  token ({LOADED})   {opened.loaded}",
        f"  for example    curl -H 'Authorization: Bearer {opened.loaded}'"
        f" {server.url}/v1/workspaces/{LOADED}/instruments/bhp.ax",
        f"  afterwards     ptolemy serve --data-dir {server.data_dir}   (or remove that directory)",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
    try:
        server.process.wait()
    except KeyboardInterrupt:
        return
    raise DemoProblem(f"the server has ended: see {server.data_dir / 'server.log'}")


@contextmanager
def _temporary_directory(*, keep: bool) -> Iterator[Path]:
    import shutil
    import tempfile

    directory = Path(tempfile.mkdtemp(prefix="ptolemy-demo-"))
    try:
        yield directory
    finally:
        if not keep:
            shutil.rmtree(directory)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block like Ctrl-C does: with the server stopped and the directory removed."""
    import signal

    def interrupt(*_: object) -> NoReturn:
        # Not by raising SIGINT: a shell's background jobs ignore that one.
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
