"""Ptolemy. `from ptolemy import Client` is the Python client; nothing is imported until it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptolemy.client import Client as Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from ptolemy.client import Client  # noqa: PLC0415 - importing Ptolemy must cost nothing

        return Client
    raise AttributeError(f"module 'ptolemy' has no attribute {name!r}")
