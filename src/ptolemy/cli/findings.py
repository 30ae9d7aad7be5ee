"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`advice` says what to do, and is empty where all is well."""

    name: str
    level: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""


def fine(name: str, found: str) -> Finding:
    return Finding(name, "ok", found)


def warning(name: str, found: str, advice: str) -> Finding:
    return Finding(name, "warning", found, advice)


def error(name: str, found: str, advice: str) -> Finding:
    return Finding(name, "error", found, advice)
