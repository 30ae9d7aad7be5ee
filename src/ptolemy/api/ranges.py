"""The part of a file that a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import FileResponse

from ptolemy.kernel.problems import Problem

_ONE_RANGE = re.compile(r"bytes=\s*(?:([0-9]{1,100})-([0-9]{0,100})|-([0-9]{1,100}))\s*", re.IGNORECASE)


class RangeNotSatisfiable(Problem):
    status, title = 416, "Range not satisfiable"


def settle_range(request: Request, answer: FileResponse, size: int) -> None:
    """Leaves the request a range that the file has, or none: then the whole file is the answer.

    A range that can't be read, of another unit, or of several parts is ignored (section 14.2), and so is one of another
    version of the file (section 13.1.5). One that begins behind the end is a 416.
    """
    version = request.headers.get("if-range")
    current = version is None or version in (answer.headers["etag"], answer.headers["last-modified"])
    asked = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    if not current or not asked or (asked[2] and int(asked[2]) < int(asked[1])):
        # The response reads the header itself, and refuses with a 400 what is to be ignored.
        request.scope["headers"] = [header for header in request.scope["headers"] if header[0] != b"range"]
        return
    if size == 0 or (int(asked[1]) >= size if asked[1] else int(asked[3]) == 0):
        headers = {"Content-Range": f"bytes */{size}"}
        raise RangeNotSatisfiable("range_not_satisfiable", f"the file has {size} bytes", headers=headers)
