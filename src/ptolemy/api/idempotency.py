"""`Idempotency-Key`: a request that is sent again, because its answer got lost, does nothing twice.

The key, the change and the answer are committed together. So a repeat finds either all of it, or nothing and does it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import blake2b

from starlette.responses import Response

from ptolemy.api import kept_answers
from ptolemy.api.answers import problem_response
from ptolemy.api.kept_answers import KeptAnswer
from ptolemy.api.services import Call
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, Problem

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
MAX_KEPT_BYTES = 250_000
"""Records are far smaller; a table of answers should stay one."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_REFUSALS = frozenset({404, 409, 412, 422})
"""Refusals that are about the request and what it met: the same request has them again, whatever happens meanwhile."""

Work = Callable[[Call], Awaitable[Response]]


async def once(call: Call, content: bytes, work: Work) -> Response:
    """What `work` answers; under a key that has come before, what it answered then, without doing it again.

    `content` is what the request carries, or a digest of that. Within `work` there is one transaction, `call`'s; it
    ends after the answer is kept and before it goes out.
    """
    key = _key(call)
    if key is None:
        return await work(call)
    stored_key, refusal = kept_answers.key_hash(call.signed_in.user_id, key), None
    async with call.services.database.transaction(call.caller) as tx:
        if kept := await kept_answers.claim(tx, stored_key, _digest(call, content)):
            return _replayed(kept)
        try:
            async with tx.savepoint():
                answer = await work(replace(call, ambient=tx))
        except Problem as problem:
            if problem.status not in _KEPT_REFUSALS:
                raise  # this rolls the key back too: it is free again
            refusal, answer = problem, problem_response(problem, call.request.scope["request_id"])
        await kept_answers.keep(tx, stored_key, _kept(answer))
    if refusal:
        raise refusal
    return answer


def _key(call: Call) -> str | None:
    sent = call.request.headers.getlist(HEADER)
    if not sent:
        return None
    if len(sent) > 1:
        raise Invalid(FieldError(HEADER, "repeated", "must be given once"))
    if not _KEY.fullmatch(sent[0]):
        message = "must have 1 to 255 visible ASCII characters, without blanks"
        raise Invalid(FieldError(HEADER, "invalid_idempotency_key", message))
    return sent[0]


def _digest(call: Call, content: bytes) -> bytes:
    scope = call.request.scope
    address = encode([scope["method"], scope["path"], scope["query_string"].decode("latin-1")])
    return blake2b(address + b"\0" + content, digest_size=32).digest()


def _kept(answer: Response) -> KeptAnswer:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    # What no cache may store holds a secret (RFC 9111, section 5.2.2.5).
    secret = "no-store" in headers.get("cache-control", "")
    body = bytes(answer.body)
    return KeptAnswer(answer.status_code, headers, None if secret or len(body) > MAX_KEPT_BYTES else body)


def _replayed(kept: KeptAnswer) -> Response:
    if kept.body is None:
        location = kept.headers.get("location")
        raise Conflict(
            "idempotency_key_used",
            f"the request with this key was answered with {kept.status} and is done, but its answer was not kept:"
            f" look at {location or 'what it changed'}; what was shown once has to be made anew, under a new key",
            more={"location": location} if location else None,
        )
    return Response(kept.body, kept.status, {**kept.headers, REPLAYED: "true"})


def is_replayed(answer: Response) -> bool:
    """Whether it tells of an earlier request, so that nothing was done for this one."""
    return REPLAYED in answer.headers
