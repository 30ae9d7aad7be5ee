"""`ptolemy serve`"""

from __future__ import annotations

from typing import Annotated

import typer

from ptolemy.cli.options import DataDir

EXAMPLE = "\b\nExample:\n  ptolemy serve --port 8080 --data-dir ~/ptolemy"


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on (PTOLEMY_HOST, 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one (PTOLEMY_PORT, 8000).")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the API and run its jobs.

    Without PTOLEMY_DATABASE_URL it brings a PostgreSQL of its own.
    """
    import os

    from ptolemy.cli.failures import explained
    from ptolemy.cli.serving import serve_until_stopped
    from ptolemy.settings import load_settings

    os.umask(0o077)  # exports are nobody else's business
    with explained():
        settings = load_settings(host=host, port=port, data_dir=data_dir)
        serve_until_stopped(settings, chosen_data_dir=data_dir)
