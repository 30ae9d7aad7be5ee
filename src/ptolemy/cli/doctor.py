"""`ptolemy doctor`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from ptolemy.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from ptolemy.cli.examination import Examination

EXAMPLE = "\b\nExample:\n  ptolemy doctor --json | jq -r .database.dsn"


def doctor(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check the installation, and say what to do.

    Looks at database, storage, clock and settings. Exits 1 on errors, not on warnings.
    """
    from ptolemy.cli.examination import examine
    from ptolemy.cli.failures import explained, run
    from ptolemy.cli.logs import configure_logs
    from ptolemy.settings import load_settings

    configure_logs("error")  # what goes wrong is a finding
    with explained():
        settings = load_settings(data_dir=data_dir)
    examination = run(examine(settings))
    if as_json:
        print(json.dumps(_document(examination), indent=2))
    else:
        _print(examination)
    if not examination.ok:
        raise typer.Exit(1)


def _document(examination: Examination) -> dict[str, object]:
    return {
        "ok": examination.ok,
        "database": {"dsn": examination.dsn, "version": examination.version},
        "checks": [
            {"name": each.name, "level": each.level, "found": each.found, "advice": each.advice}
            for each in examination.findings
        ],
    }


def _print(examination: Examination) -> None:
    for each in examination.findings:
        print(f"{each.level:8}{each.name}: {each.found}")
        if each.advice:
            print(f"{'':8}→ {each.advice}")
