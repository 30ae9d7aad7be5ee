"""What the operations work with: the rooms below, put together once by `app`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from ptolemy.accounts.access import Access
from ptolemy.accounts.passwords import Passwords
from ptolemy.backups.surroundings import Surroundings
from ptolemy.database.pool import Database
from ptolemy.database.transaction import Transaction
from ptolemy.engine.cursors import Cursors
from ptolemy.files.store import FileStore
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.problems import Unauthorized
from ptolemy.kernel.sealing import Sealer
from ptolemy.kernel.signing import Signer
from ptolemy.plans.calls import Meter
from ptolemy.webhooks.addresses import Guard


@dataclass(frozen=True)
class Services:
    database: Database
    files: FileStore
    cursors: Cursors
    file_signer: Signer
    public_url: str | None
    max_upload_bytes: int
    passwords: Passwords
    meter: Meter
    backups: Surroundings
    webhook_guard: Guard
    sealer: Sealer
    session_signer: Signer
    invitation_signer: Signer
    signup_is_open: bool = False
    sends_mail: bool = False
    metrics_token: str | None = None
    """What Prometheus shows; without one only the server's own host may read the metrics."""

    @property
    def is_served_over_tls(self) -> bool:
        """Whether users come by https."""
        return self.public_url is not None and self.public_url.startswith("https://")

    @property
    def public_path(self) -> str:
        """What stands in front of every path where a proxy serves the product below a path of its own."""
        return urlsplit(self.public_url).path.rstrip("/") if self.public_url else ""


@dataclass(frozen=True)
class Call:
    """One request that passed the gate: `query` and `body` are validated, `path` holds the parts of the path."""

    request: Request
    services: Services
    access: Access | None
    path: Mapping[str, str]
    query: Any
    body: Any
    ambient: Transaction | None = None
    """The transaction that the whole of the call works in, where its answer is kept (`idempotency`)."""

    @property
    def signed_in(self) -> Access:
        if self.access is None:
            raise Unauthorized("unauthorized", "sign in first")
        return self.access

    @property
    def caller(self) -> Caller:
        return self.signed_in.caller

    def transaction(self, caller: Caller | None = None) -> AbstractAsyncContextManager[Transaction]:
        """In the workspace of the caller, or of another `caller`; commits at the end, unless it is the ambient one."""
        if self.ambient is None:
            return self.services.database.transaction(caller or self.caller)
        return self.services.database.within(self.ambient, caller) if caller else nullcontext(self.ambient)

    def location(self, key: object) -> dict[str, str]:
        """The header that leads to what was just made in the collection that the request names."""
        return {"Location": f"{self.services.public_path}{self.request.url.path}/{key}"}

    @property
    def address(self) -> str:
        """Where users find the server, for links; what the request says of it where no setting does."""
        return self.services.public_url or str(self.request.base_url).rstrip("/")

    @property
    def client_address(self) -> str:
        """The network address that asks; a proxy that the operator trusts says whose it is."""
        return self.request.client.host if self.request.client else ""

    def sent(self) -> dict[str, Any]:
        """What the body says, without what it leaves out."""
        return {name: getattr(self.body, name) for name in self.body.model_fields_set}
