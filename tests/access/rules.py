"""Who may do what, written by hand from the promise of the roles: it knows nothing of the code that keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Who = Literal["anyone", "signed_in", "human", "viewer", "member", "editor", "admin"]

RANKS = {"viewer": 1, "member": 2, "editor": 3, "admin": 4}

_SCHEMA = "instrument-types|instrument-type-fields|market-types|market-type-fields|series|time-series-type-fields"
_DATA = (
    "instruments|instrument-tags|instrument-tag-assignments|markets|market-calendars|market-listings"
    "|market-listing-suspensions|time-series-values|composite-time-series-values"
)

WITH_GOOD_CREDENTIALS_OR_NONE = frozenset({"POST /v1/auth/invitations/accept"})
"""For anyone; but whoever sends credentials is held to them."""

FOR_PEOPLE_OF_ANY_ROLE = frozenset({"DELETE /v1/workspaces/{workspace}/memberships/me"})
"""A person leaves; a robot is removed."""

ANSWERED_OTHERWISE: Mapping[str, tuple[int, str]] = {
    "DELETE /v1/workspaces/{workspace}": (422, "invalid_values"),  # without its slug: the others still need it
}
"""Where who is let in doesn't get what they ask for: with what status and code."""

_RULES: tuple[tuple[str, str, Who], ...] = (
    # Without a workspace.
    ("GET", r"/(healthz|readyz|metrics)", "anyone"),
    ("GET|HEAD", r"/v1/files/{signed}", "anyone"),
    ("POST", r"/v1/auth/(login|refresh|signup|invitations/accept)", "anyone"),
    ("GET", r"/v1/auth/me", "signed_in"),
    ("POST", r"/v1/auth/(logout|password)", "human"),
    ("GET|DELETE", r"/v1/auth/sessions(/{id})?", "human"),
    ("GET", r"/v1/workspaces", "signed_in"),
    ("POST", r"/v1/workspaces", "human"),
    # The workspace, and who is in it.
    ("GET", r"W", "viewer"),
    ("PATCH|DELETE", r"W", "admin"),
    ("GET|DELETE", r"W/memberships/me", "viewer"),
    ("*", r"W/(memberships|invitations)(/.+)?", "admin"),
    ("GET", r"W/plan(/usage)?", "viewer"),
    # Webhooks: whoever reads may see them, admins manage them.
    ("GET", r"W/webhooks(/.+)?", "viewer"),
    ("POST", r"W/webhooks/(filter|count)", "viewer"),
    ("*", r"W/webhooks(/.+)?", "admin"),
    # Backups hold everything, and a policy says where they lie.
    ("*", r"W/backup-policies(/.+)?", "admin"),
    ("POST", r"W/backups/rehearse|W/backups/rehearsals/{id}/cancel", "member"),
    ("GET", r"W/backups/rehearsals(/{id})?", "viewer"),
    ("POST", r"W/backups/{id}/restore|W/backups/restores/{id}/cancel", "admin"),
    ("GET", r"W/backups(/.+)?", "member"),
    ("POST", r"W/backups(/{id}/cancel)?", "editor"),
    # Exports, imports, and the files that they take.
    ("GET", r"W/(exports|imports)(/.+)?", "viewer"),
    ("POST", r"W/(exports|imports)(/{id}/cancel)?", "member"),
    ("*", r"W/uploads(/.+)?", "member"),
    # Records.
    ("GET", rf"W/({_SCHEMA}|market-listing-statuses|{_DATA}|composite-time-series-value-items|events)(/.+)?", "viewer"),
    (
        "POST",
        rf"W/({_SCHEMA}|market-listing-statuses|{_DATA}|composite-time-series-value-items|events)/(filter|count)",
        "viewer",
    ),
    ("POST|PATCH|DELETE", rf"W/({_SCHEMA}|market-listing-statuses)(/.+)?", "editor"),
    ("POST|PATCH|DELETE|PUT", rf"W/({_DATA})(/.+)?", "member"),
)

WHO_IS_TOLD: dict[str, Who] = {
    "invitation": "admin",
    "membership": "admin",
    "token": "admin",
    "backup_policy": "admin",
    "backup": "admin",
    "restore": "member",
}
"""The least role that events of a resource are shown to; of all the others every reader is told."""


def who_may(method: str, path: str) -> Who | None:
    """The least role, or who else, for an operation of the OpenAPI document; None where no rule speaks of it."""
    short = path.replace("/v1/workspaces/{workspace}", "W")
    for methods, pattern, who in _RULES:
        if (methods == "*" or method in methods.split("|")) and re.fullmatch(pattern, short):
            return who
    return None


def refusal(who: Who, *, standing: str, human: bool, in_workspace: bool) -> int | None:
    """The status with which a caller is refused, None for who is let in.

    `standing` is a role, or `nobody` without good credentials, or `stranger` with those of another workspace.
    """
    if who == "anyone":
        return None
    if standing == "nobody":
        return 401
    if in_workspace and standing == "stranger":
        return 404
    if who == "signed_in":
        return None
    if who == "human":
        return None if human else 403
    return None if RANKS[standing] >= RANKS[who] else 403
