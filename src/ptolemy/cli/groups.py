"""How our commands look: plain text, so that rich is imported by those alone that draw with it."""

from __future__ import annotations

import typer


def group(help_text: str, name: str | None = None) -> typer.Typer:
    """A set of commands; without one of them it prints its help."""
    return typer.Typer(
        name=name,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
