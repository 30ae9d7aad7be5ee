"""`If-Match` and `If-None-Match` (RFC 9110, section 13.1)."""

from __future__ import annotations

import re

from starlette.requests import Request

from ptolemy.engine.etags import ANY, Expected

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def expected(request: Request) -> Expected:
    """The versions that `If-Match` names; without it, and for `*`, any will do.

    Weak tags match nothing here (section 8.8.3.2), and what is no tag at all matches nothing either.
    """
    sent = request.headers.getlist("if-match")
    if not sent or _is_star(sent):
        return ANY
    return Expected(frozenset(tag for weak, tag in _tags(sent) if not weak))


def is_known(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` says that the client has this version already."""
    sent = request.headers.getlist("if-none-match")
    return bool(sent) and (_is_star(sent) or any(tag == etag for _, tag in _tags(sent)))


def _is_star(sent: list[str]) -> bool:
    return [each.strip() for each in sent] == ["*"]


def _tags(sent: list[str]) -> list[tuple[str, str]]:
    return _TAG.findall(",".join(sent))
