"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where the embedded database and files are (PTOLEMY_DATA_DIR)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
