"""The embedded server's settings: a laptop's, which `alter system` may change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ptolemy.database.embedded.durable import write_whole

SETTINGS: Mapping[str, str] = {
    # Several processes (serve, workers, a command) with some 25 connections each.
    "max_connections": "200",
    # Taken from the system as it is used; what lies beyond is in the system's own cache.
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    # For the indexes built after an import.
    "maintenance_work_mem": "128MB",
    # A million values are some 300 MB of log: an import shouldn't checkpoint at every batch.
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # Solid state disks read anywhere at the same price.
    "random_page_cost": "1.1",
    # Our statements are short: compiling them costs more than running them.
    "jit": "off",
    # Nobody subscribes: one idle process less.
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A refused row is the API's answer, not news: one line, without the row's values.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    # Reached through the socket in a private directory, never over the network.
    "listen_addresses": "",
}


def write(path: Path, cluster: Path, sockets: Path, more: Mapping[str, str]) -> None:
    """The file the server is started with: what initdb found out, then ours, then `more`."""
    settings = {**SETTINGS, "unix_socket_directories": f'"{sockets}"', **more}
    lines = [
        "# Written at every start. To change a setting: `alter system set …`, then restart.",
        f"include {_quoted(str(cluster / 'postgresql.conf'))}",
        *(f"{name} = {_quoted(value)}" for name, value in settings.items()),
    ]
    write_whole(path, "\n".join(lines) + "\n", 0o644)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
