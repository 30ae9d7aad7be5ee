"""A client for one workspace."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx

from ptolemy.client import backups, jobs
from ptolemy.client.answers import Answer, answered
from ptolemy.client.downloads import download
from ptolemy.client.progress import Tell, tell_nobody
from ptolemy.client.retries import Patience, Retries
from ptolemy.client.uploads import send_import, upload

Json = dict[str, Any]
Format = Literal["json", "ndjson", "csv", "parquet"]


class Client(httpx.Client):
    """An `httpx.Client` rooted at a workspace: `client.get("/instruments/bhp.ax").json()`.

    Requests are sent again where that does no harm. The verbs answer whatever comes, as httpx does, and
    `raise_for_status()` raises an error of `ptolemy.client.errors`; the methods below raise by themselves.
    """

    def __init__(
        self,
        url: str,
        token: str,
        workspace: str,
        *,
        timeout: httpx.Timeout | float = 60.0,
        patience: Patience | None = None,
        **options: Any,
    ) -> None:
        """`url` is the server's; `options` are those of `httpx.Client`, `verify` and `proxy` among them."""
        server = httpx.URL(url.rstrip("/"))
        if server.scheme not in ("http", "https") or not server.host:
            raise ValueError(f"url must be the server's address, like https://ptolemy.example.com, got {url!r}")
        root = f"{str(server).removesuffix('/v1')}/v1/workspaces/{quote(workspace, safe='')}"
        self.patience = patience or Patience()
        self._retries = Retries(self.patience)
        super().__init__(base_url=root, auth=_Token(token, server), timeout=timeout, **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = self._retries.send(request, lambda: super(Client, self).send(request, **options))
        # Transports make answers of httpx's own class, and a transport of ours would ignore the proxies of the
        # environment. The class adds no state.
        response.__class__ = Answer
        return response

    def ask(self, method: str, path: str, **options: Any) -> Json:
        """The document that the server answers, or an error of `ptolemy.client.errors`."""
        return answered(self, method, path, **options)

    def pages(self, path: str, body: Mapping[str, Any] | None = None, **params: Any) -> Iterator[list[Json]]:
        """A list page by page: `client.pages("/instruments", archived="true")`; with a body it is a filter."""
        page: Mapping[str, Any] = {}
        while True:
            after = {"after": page["meta"]["next_cursor"]} if page else {}
            if body is None:
                page = self.ask("GET", path, params={"limit": 200, **params, **after})
            else:
                page = self.ask("POST", path, json={"limit": 200, **body, **after}, params=params)
            yield page["data"]
            if not page["meta"]["has_more"]:
                return

    def records(self, path: str, body: Mapping[str, Any] | None = None, **params: Any) -> Iterator[Json]:
        """The records of all pages, one after the other."""
        for page in self.pages(path, body, **params):
            yield from page

    def wait(
        self, job: Mapping[str, Any], *, timeout_seconds: float | None = None, on_progress: Tell = tell_nobody
    ) -> Json:
        """The job, when it is completed; raises `JobFailed` when it failed or was cancelled.

        Broken lines and restarts of the server are borne with; the job goes on meanwhile.
        """
        return jobs.wait(self, jobs.path_of(job), timeout_seconds=timeout_seconds, tell=on_progress)

    def export(
        self,
        resource: str,
        *,
        to: str | Path,
        format: Format = "json",
        compression: Literal["gzip"] | None = None,
        numbers: Literal["string", "decimal", "float64"] | None = None,
        include_archived: bool = False,
        filter: Mapping[str, Any] | None = None,
        on_progress: Tell = tell_nobody,
    ) -> Json:
        """Exports to a file, or into a directory, and answers the job; the file is there whole or not at all.

        Its SHA-256 has been compared; a line that breaks is taken up where it broke.
        """
        asked = {
            "resource_type": resource,
            "format": format,
            "compression": compression,
            "numbers": numbers,
            "include_archived": include_archived,
            "filter": filter,
        }
        if resource == backups.WORKSPACE:
            asked = {"resource_type": resource}
        job = self.ask("POST", "/exports", json={name: value for name, value in asked.items() if value is not None})
        job = self.wait(job, on_progress=on_progress)
        path = Path(to)
        if path.is_dir():
            path /= f"{resource}.{job['format']}{'.gz' if compression else ''}"
        return download(self, job, path, on_progress)

    def import_file(
        self,
        path: str | Path,
        resource: str,
        *,
        on_error: Literal["abort", "continue"] = "abort",
        identifier_column: str | None = None,
        dry_run: bool = False,
        into_existing: bool = False,
        on_progress: Tell = tell_nobody,
    ) -> Json:
        """Imports a file of any size, and answers the finished job.

        Under `continue` it is completed although rows failed: look at `rows_failed` and `errors`.
        """
        asked = {
            "resource_type": resource,
            "on_error": on_error,
            "identifier_column": identifier_column,
            "dry_run": dry_run or None,
            "into_existing": into_existing or None,
        }
        job = send_import(self, Path(path), asked, on_progress)
        return self.wait(job, on_progress=on_progress)

    def upload(self, path: str | Path, *, upload_id: str | None = None, on_progress: Tell = tell_nobody) -> str:
        """Sends a file in parts, and answers the upload's id; with `upload_id` only what hasn't arrived yet is sent."""
        return upload(self, Path(path), upload_id, "upload", on_progress)

    def backup(self, to: str | Path, *, overwrite: bool = False, on_progress: Tell = tell_nobody) -> list[Json]:
        """Backs the workspace up, and answers the exports that it took.

        To a file `….zip` it is the archive of the whole workspace, which takes the role editor. To a directory it is
        one file for each resource type, without types and fields, which a robot may read and write.
        """
        return backups.back_up(self, Path(to), overwrite=overwrite, tell=on_progress)

    def restore(
        self,
        from_: str | Path,
        *,
        into_existing: bool = False,
        dry_run: bool = False,
        on_progress: Tell = tell_nobody,
    ) -> backups.Restored:
        """Restores what `backup` wrote, and answers what became of each file.

        `into_existing` matches records by id, and makes each what the backup says of it; others stay.
        """
        return backups.restore(self, Path(from_), into_existing=into_existing, dry_run=dry_run, tell=on_progress)

    def rehearse(self, path: str | Path, *, on_progress: Tell = tell_nobody) -> backups.Rehearsal:
        """Has the archive of a workspace restored where nobody sees it, exported again, and compared."""
        return backups.rehearse(self, Path(path), on_progress)


class _Token(httpx.Auth):
    """The token goes to the server that it is of, and to nobody else."""

    def __init__(self, token: str, server: httpx.URL) -> None:
        if not token.isascii() or not token.isprintable() or " " in token or not token:
            raise ValueError("token must be the text that was shown when it was made, without blanks")
        self._header, self._server = f"Bearer {token}", _origin(server)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if _origin(request.url) == self._server:
            request.headers.setdefault("Authorization", self._header)
        yield request


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
