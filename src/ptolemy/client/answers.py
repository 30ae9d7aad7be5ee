"""Answers, and the errors that some of them are."""

from __future__ import annotations

from typing import Any

import httpx

from ptolemy.client.errors import Unreachable, error_of


class Answer(httpx.Response):
    def raise_for_status(self) -> httpx.Response:
        if self.is_error:
            self.read()
            raise error_of(self)
        return super().raise_for_status()


def answered(client: httpx.Client, method: str, path: str, **options: Any) -> dict[str, Any]:
    """The document that the server answers; everything else is an error of ours."""
    try:
        response = client.request(method, path, **options)
    except httpx.TransportError as error:
        raise unreachable(client, error) from error
    response.raise_for_status()
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable(f"what answers at {_server(client)} is no Ptolemy: check the address")
    return found


def unreachable(client: httpx.Client, error: httpx.TransportError) -> Unreachable:
    if isinstance(error, httpx.ConnectError):
        return Unreachable(f"no server answers at {_server(client)} ({error}): is it running, and the address right?")
    return Unreachable(f"the line to {_server(client)} broke: {str(error) or type(error).__name__}")


def _server(client: httpx.Client) -> str:
    return str(client.base_url.copy_with(raw_path=b"")).rstrip("/")
