"""Makes the pages of `docs/reference` from the code; with `--check` says which of them are out of date instead.

python docs/make_reference.py
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic import ByteSize, SecretStr
from pydantic.fields import FieldInfo

from ptolemy.app import operations
from ptolemy.backups.policies import BackupPolicies
from ptolemy.backups.resource import Backups
from ptolemy.catalogue import EXPORTED, RESOURCES
from ptolemy.cli.main import app
from ptolemy.engine.fields import Choice, Computed, Field, Items, Links, Reference, Text, TypeValues
from ptolemy.engine.interchange import Interchange, column_name
from ptolemy.engine.resource import Resource, columns
from ptolemy.resources.composite_time_series_value_items import CompositeTimeSeriesValueItems
from ptolemy.resources.events import Events
from ptolemy.resources.memberships import Invitations, Memberships
from ptolemy.settings import PREFIX, Settings
from ptolemy.webhooks.resource import WEBHOOKS

FOLDER = Path(__file__).parent / "reference"

MADE = "<!-- Made by docs/make_reference.py from the code: change it there. -->"

OF_ADMINS: Sequence[Resource] = (Memberships(), Invitations())
READ_ONLY: Sequence[Resource] = (CompositeTimeSeriesValueItems(), Events(), Backups(), *OF_ADMINS)
BESIDE: Sequence[Resource] = (BackupPolicies(), WEBHOOKS)
"""Resources that are no data, so no file carries them."""

WHO = {
    "backup_policies": "read and written by admins",
    "backups": "read by members, begun and cancelled by editors",
    **{resource.table: "read and managed by admins" for resource in OF_ADMINS},
}
"""Where it isn't as usual."""

KINDS: Mapping[str, str] = {
    "Actor": "`{type, id, name}`: a human, a robot or the system",
    "AnyValue": "a value of any kind, sent as text or as JSON writes it, and kept as text",
    "Boolean": "`true` or `false`",
    "Choice": "one of a few words",
    "Cron": "a cron expression of five fields: see [when](../guides/scheduled-backups.md#when)",
    "Currency": "a currency code of three capital letters, ISO 4217, by its form",
    "Date": "a day: `2026-04-15`",
    "Destination": "`s3://bucket/prefix`, or `file:///` and a directory; one that the operator allows",
    "FieldKey": "up to 63 letters, digits, `_` and `-`, beginning with a letter or `_`",
    "FileRows": "a list of `{file, rows}`",
    "Identifier": "your own name of the record: see [identifiers](../concepts/identifiers.md)",
    "Integer": "a whole number that every JSON reader keeps exact, up to 2^53 - 1",
    "ItemId": "UUIDv5, RFC 9562, of the value's id and the field key",
    "ItemValue": "a value of any kind, kept as text; `lt` and the like compare numbers where a number is asked for",
    "Items": "a list of `{field_key, value}`, defined by the fields of the series",
    "Json": "a JSON object of your own, at most 1 MB and 50 levels",
    "LastRun": "`{id, status, taken_at, completed_at, error}` of its newest run",
    "Mention": "the UUID of another record, which may be gone; a filter takes its name, too",
    "Mic": "a market identifier code of four capital letters and digits, ISO 10383, by its form",
    "NewestVerified": "`{id, taken_at, verified_at}` of its newest verified backup that is still there",
    "Number": "an exact decimal: see [exact numbers](../concepts/exact-numbers.md)",
    "Path": "the identifiers of a tag and of those above it, joined by dots; the `#` in front may be left out",
    "Position": "the place of an event in the feed: see [events](../concepts/events.md#follow-the-feed)",
    "RecordId": "a UUID; ours are of version 7, RFC 9562, so they sort by creation",
    "Reference": "another record, by UUID or identifier; answers carry the UUID",
    "TagIdentifier": "an identifier without dots",
    "Tags": "the paths of tags in their order, sent as paths or UUIDs: see [tags](../guides/tags.md)",
    "Text": "text as it was given, never trimmed, without NUL",
    "Time": "a time of day without a zone, `09:30` or `09:30:00`; answered with seconds",
    "Timestamp": "an ISO 8601 instant with an offset, or a bare date for midnight UTC; answers are in UTC",
    "WebAddressField": "an `https://` address in ASCII: see [webhooks](../guides/webhooks.md#where-deliveries-go)",
    "Timezone": "a name of the IANA time zone database: `Australia/Sydney`",
    "TypeValues": "an object of custom fields, defined by the fields of the type",
    "Verification": "`{method, result, findings}`; the result is `fine` or says what is wrong",
}

WHERE_DATA_LIES = "`/var/lib/ptolemy` for root, else `ptolemy` in `$XDG_DATA_HOME` or `~/.local/share`"


def main() -> int:
    stale = [name for name, text in pages().items() if not _is_current(FOLDER / name, text)]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is out of date: run python docs/make_reference.py\n")
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(pages()[name])
    return 0


def pages() -> dict[str, str]:
    """Each page's text, by its file name."""
    made = {
        "commands.md": _commands(),
        "operations.md": _operations(),
        "resources.md": _resources(),
        "settings.md": _settings(),
    }
    return {name: f"{MADE}\n\n" + "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


# Settings.


def _settings() -> Iterator[str]:
    yield from (
        "# Settings",
        "",
        "Each is an environment variable, or a line of a file `.env` in the working directory; the environment goes",
        "first, and a command's own option before both. A wrong value stops the start with one line that names it.",
        "`ptolemy doctor` warns of variables that look like settings and are none.",
        "",
    )
    rows = (
        (f"`{PREFIX}{name.upper()}`", _kind_of_setting(field), _default_of_setting(name, field), field.description)
        for name, field in Settings.model_fields.items()
    )
    yield from _table(("variable", "kind", "default", "meaning"), rows)


def _kind_of_setting(field: FieldInfo) -> str:
    annotation = next((each for each in get_args(field.annotation) if each is not type(None)), field.annotation)
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(field.annotation))
    if get_args(annotation):
        annotation = get_args(annotation)[0]
    kinds = {
        bool: "`true`, `false`",
        ByteSize: "size",
        int: "whole number",
        IPv4Network: "networks",
        Path: "path",
        SecretStr: "text, kept secret",
        str: "text",
    }
    return kinds[annotation] if annotation in kinds else str(annotation)


def _default_of_setting(name: str, field: FieldInfo) -> str:
    if field.default_factory is not None:
        return {"data_dir": WHERE_DATA_LIES}[name]
    if isinstance(field.default, tuple):
        return ", ".join(f"`{each}`" for each in field.default)
    return "" if field.default is None else f"`{field.default}`"


# Resources.


def _resources() -> Iterator[str]:
    yield from (
        "# Resources",
        "",
        "Paths are relative to `/v1/workspaces/{workspace}`. Besides its own fields every record has `id`,",
        "`created_at`, `updated_at` and, where it archives, `archived_at`.",
        "",
        "## Archive and hard delete",
        "",
    )
    yield from _table(
        ("resource", "archive", "hard delete", "it also takes", "it is refused while there are"),
        map(_fate, (*RESOURCES, *BESIDE)),
    )
    yield from ("## Kinds of field", "")
    yield from _table(("kind", "what it takes", "code when it is something else", "filter operators"), _kinds())
    for resource in (*RESOURCES, *BESIDE, *READ_ONLY):
        yield from _resource(resource)


def _fate(resource: Resource) -> Sequence[str]:
    life = resource.lifecycle
    if not life.hard_delete:
        return _plural(resource), _yes(life.archive), "no", "", ""
    refusing = [child for child, reference in resource.dependents if reference.when_deleted == "refuse"]
    refused = ", ".join(dict.fromkeys(_plural(child) for child in [*refusing, *_users(resource)]))
    hint = " (taken along with `cascade=true`)" if life.cascade else ""
    return _plural(resource), _yes(life.archive), "yes", ", ".join(_taken(resource)), f"{refused}{hint}"


def _taken(resource: Resource) -> Iterator[str]:
    """What goes along with a record, and what goes along with that."""
    for child, reference in resource.dependents:
        if reference.when_deleted == "cascade":
            yield _plural(child)
            yield from _taken(child)


def _yes(claim: bool) -> str:
    return "yes" if claim else "no"


def _users(fields: Resource) -> list[Resource]:
    """The resources whose custom fields or items the resource defines."""
    return [
        user
        for user in RESOURCES
        for of in user.fields.values()
        if isinstance(of, TypeValues) and of.defined_by is type(fields)
    ]


def _kinds() -> Iterator[Sequence[str]]:
    used = {type(of) for resource in (*RESOURCES, *BESIDE, *READ_ONLY) for of in columns(type(resource)).values()}
    for kind in sorted(used, key=lambda each: each.__name__):
        yield (
            kind.__name__,
            KINDS[kind.__name__],
            f"`{kind.fault}`" if hasattr(kind, "fault") else "",
            _words(sorted(kind.operators | kind.special_operators)) or "none",
        )


def _resource(resource: Resource) -> Iterator[str]:
    yield from (f"## {_plural(resource).capitalize()}", "", inspect.cleandoc(resource.__doc__ or ""), "")
    written = "never written by itself" if resource in READ_ONLY else f"written by {resource.write_role}s and above"
    who = WHO.get(resource.table, f"read by viewers, {written}")
    yield f"`/{resource.collection}` · {who}"
    yield ""
    yield from _table(("field", "kind", "required", "default", "notes"), _fields(resource))
    for rule in resource.unique:
        whose = "Unique among active records" if resource.lifecycle.archive else "Unique"
        yield f"{whose}: {' and '.join(_words([name]) for name in rule.names)}."
        yield ""
    if resource.no_overlap:
        start, end = resource.no_overlap.start.name, resource.no_overlap.end.name
        yield f"Periods from `{start}` to `{end}` of one `{resource.no_overlap.of.name}` never overlap; they may touch."
        yield ""
    if resource.table in EXPORTED:
        yield f"In files (`resource_type` `{resource.table}`) the columns are: {_words(_file_columns(resource))}."
        yield ""


def _fields(resource: Resource) -> Iterator[Sequence[str]]:
    for name, of in resource.declared.items():
        needed = of.required and of.default is None and not of.derived and resource not in READ_ONLY
        yield f"`{name}`", type(of).__name__, "yes" if needed else "", _default(of), "; ".join(_notes(of))


def _default(of: Field[Any]) -> str:
    if of.default is None or isinstance(of, TypeValues | Links):
        return ""
    return f"`{str(of.default).lower()}`"


def _notes(of: Field[Any]) -> Iterator[str]:
    if isinstance(of, Reference):
        yield f"{'an' if of.target.called[0] in 'aeiou' else 'a'} {of.target.called}"
    if isinstance(of, Choice):
        yield _words(of.choices)
    if type(of) is Text:
        yield f"at most {of.max_length:,} characters"
    if isinstance(of, TypeValues):
        yield f"of the type in `{of.type.name}`"
    if of.shown_as != of.name:
        yield f"answered as `{of.shown_as}`"
    if of.fixed:
        yield "never changes"
    if of.derived and not isinstance(of, Computed):
        yield "follows from the others, can't be sent"
    if of.hidden:
        yield "for filters, not shown"


def _file_columns(resource: Resource) -> Iterator[str]:
    form = Interchange(type(resource))
    for column in form.columns:
        if column is form.custom:
            yield f"{'items' if isinstance(column, Items) else 'field_values'}"
        else:
            yield column_name(column)


def _plural(resource: Resource) -> str:
    return resource.collection.replace("-", " ")


# Operations.


def _operations() -> Iterator[str]:
    yield from (
        "# Operations",
        "",
        "Every operation of the API, with the least role that it needs. `/v1/openapi.json` (OpenAPI 3.1) describes",
        "their bodies and answers, and `/docs` shows it.",
        "",
    )
    for tag, group in groupby(sorted(operations(), key=lambda each: each.tag), key=lambda each: each.tag):
        yield from (f"## {tag.replace('-', ' ').capitalize()}", "")
        rows = ((f"`{each.method} {each.path}`", each.summary, each.access.replace("_", " ")) for each in group)
        yield from _table(("operation", "what it does", "who"), rows)


# Commands.


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", "Each command says the same with `--help`.", "")
    yield from _command("ptolemy", typer.main.get_command(app))


def _command(name: str, command: Any) -> Iterator[str]:
    """The command and those below it; typed loosely, since typer brings a click of its own."""
    below: Mapping[str, Any] = getattr(command, "commands", {})
    if not below or name == "ptolemy":
        words = [name, *(each.name.upper() for each in command.params if each.param_type_name == "argument")]
        yield from (f"## `{' '.join(words)}`", "", inspect.cleandoc(command.help or ""), "")
        if rows := [_parameter(each) for each in command.params if each.name != "help"]:
            yield from _table(("option", "meaning", "default"), rows)
        if command.epilog:
            example = inspect.cleandoc(re.split("Examples?:", command.epilog.replace("\b", ""))[1])
            yield from ("```text", example, "```", "")
    for child, each in below.items():
        yield from _command(f"{name} {child}", each)


def _parameter(parameter: Any) -> Sequence[str]:
    is_option = parameter.param_type_name == "option"
    shown = " ".join(parameter.opts) if is_option else parameter.name.upper()
    takes = f" {parameter.metavar or parameter.name.upper()}" if is_option and not parameter.is_flag else ""
    needed = "required" if parameter.required else ""
    default = "" if parameter.default is None or parameter.default is False else f"`{parameter.default}`"
    return f"`{shown}{takes}`", parameter.help or "", needed or default


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str | None]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = [(cell or "").replace("|", "\\|").replace("\n", " ") for cell in row]
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    sys.exit(main())
