"""The workspace that a client's command talks to: from options, a profile, or the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ptolemy.client import Client

Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="The server's address (PTOLEMY_URL).")]
Token = Annotated[
    str | None,
    typer.Option("--token", metavar="TOKEN", help="Yours or a robot's; better kept in PTOLEMY_TOKEN or a profile."),
]
InWorkspace = Annotated[
    str | None, typer.Option("--workspace", metavar="SLUG", help="The workspace (PTOLEMY_WORKSPACE).")
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="A table of ~/.config/ptolemy/profiles.toml with url, token and workspace; `default` where"
        " neither options nor variables say.",
    ),
]

_NAMES = ("url", "token", "workspace")


@contextmanager
def connected(url: str | None, token: str | None, workspace: str | None, profile: str | None) -> Iterator[Client]:
    """A client for the workspace; what goes wrong inside ends the command with one line."""
    from ptolemy.cli.failures import wrong_usage
    from ptolemy.client import Client

    given = {"url": url, "token": token, "workspace": workspace}
    found = _chosen({name: value for name, value in given.items() if value}, profile)
    for name in _NAMES:
        if not found.get(name):
            wrong_usage(f"say which {name}: --{name}, PTOLEMY_{name.upper()}, or {name} in a profile of {_profiles()}")
    try:
        client = Client(found["url"], found["token"], found["workspace"])
    except ValueError as error:
        wrong_usage(str(error))
    with told_in_one_line(), client:
        yield client


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """What goes wrong between here and the server ends the command with one line."""
    from ptolemy.cli.failures import fail
    from ptolemy.client import PtolemyError

    try:
        yield
    except PtolemyError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _chosen(options: Mapping[str, str], profile: str | None) -> dict[str, str]:
    """Options go first; then a profile that was named, else the environment before the profile `default`."""
    variables = {name: value for name in _NAMES if (value := os.environ.get(f"PTOLEMY_{name.upper()}"))}
    if profile is not None:
        return {**variables, **_profile(profile), **options}
    return {**_profile("default"), **variables, **options}


def _profile(name: str) -> dict[str, str]:
    from ptolemy.cli.failures import wrong_usage

    path = _profiles()
    try:
        held = tomllib.loads(path.read_text()) if path.exists() else {}
    except (ValueError, OSError) as error:
        wrong_usage(f"{path} can't be read: {error}")
    found = held.get(name)
    if found is None and name != "default":
        wrong_usage(f"there is no profile {name!r} in {path}; it has {', '.join(sorted(held)) or 'none'}")
    if found is not None and not (isinstance(found, dict) and all(isinstance(each, str) for each in found.values())):
        wrong_usage(f"{path}: {name} must be a table of texts, [{name}] with url, token and workspace")
    return dict(found or {})


def _profiles() -> Path:
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "ptolemy" / "profiles.toml"
