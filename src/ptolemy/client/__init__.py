"""The Python client. It talks to a server over HTTP, and imports nothing of it."""

from ptolemy.client.backups import FileRestored, Rehearsal, Restored
from ptolemy.client.client import Client
from ptolemy.client.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DamagedFile,
    ForbiddenError,
    JobFailed,
    NotFoundError,
    PreconditionFailedError,
    PtolemyError,
    RateLimitError,
    ServerError,
    TooLargeError,
    Unreachable,
    ValidationError,
)
from ptolemy.client.progress import Progress
from ptolemy.client.retries import Patience

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "ConflictError",
    "DamagedFile",
    "FileRestored",
    "ForbiddenError",
    "JobFailed",
    "NotFoundError",
    "Patience",
    "PreconditionFailedError",
    "Progress",
    "PtolemyError",
    "RateLimitError",
    "Rehearsal",
    "Restored",
    "ServerError",
    "TooLargeError",
    "Unreachable",
    "ValidationError",
]
