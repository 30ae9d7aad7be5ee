"""Every setting: what it means, its type and its default. Read once at start, and handed down as values."""

from __future__ import annotations

import os
import re
import secrets
from email.utils import getaddresses
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "PTOLEMY_"
CLIENT_VARIABLES = frozenset({"PTOLEMY_URL", "PTOLEMY_TOKEN", "PTOLEMY_WORKSPACE"})
"""What the client's commands read; no settings of the server."""

_SECRET = frozenset({"database_url", "secret_key", "smtp_password", "metrics_token"})
_MIN_SECRET_LENGTH = 32
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class SettingsProblem(RuntimeError):
    """A setting can't be used; the message names the variable and says what it must be."""


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/ptolemy")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "ptolemy"


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _postgresql_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://")
    for host in urlsplit(text).netloc.rpartition("@")[2].split(","):
        port = host.rpartition("]")[2].partition(":")[2]
        if port and not port.isdecimal():
            raise ValueError("must have a number as its port")
    return url


def _storage_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "s3":
        if not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
            raise ValueError("must be s3:// and a bucket, like s3://bucket/prefix")
    elif parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ValueError("must be s3://bucket/prefix, or file:// and an absolute path, like file:///srv/ptolemy")
    return url.rstrip("/")


def _absolute_directories(text: str) -> str:
    for each in text.split(os.pathsep):
        if not Path(each).expanduser().is_absolute():
            raise ValueError(f"must be absolute paths, joined by {os.pathsep}, like /srv/backups{os.pathsep}/mnt/nas")
    return text


def _buckets(value: Any) -> tuple[str, ...]:
    if not isinstance(value, str):
        return tuple(value)
    found = tuple(each.strip().rstrip("/") for each in value.split(",") if each.strip())
    for each in found:
        bucket, *path = each.removeprefix("s3://").split("/")
        if not each.startswith("s3://") or not _BUCKET.fullmatch(bucket) or not all(map(_SEGMENT.fullmatch, path)):
            raise ValueError("must be buckets, or prefixes in them, like s3://bucket/prefix, joined by commas")
    return found


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an address like https://ptolemy.example.com")
    return url.rstrip("/")


def _networks(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    if not isinstance(value, str):
        return tuple(value)
    try:
        return tuple(ip_network(each.strip()) for each in value.split(",") if each.strip())
    except ValueError:
        raise ValueError("must be networks like 10.20.0.0/16, joined by commas") from None


def _proxies(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        # What is empty is taken as not set, here as for every setting.
        return () if value == "none" else _networks(value)
    except ValueError:
        raise ValueError("must be addresses, or networks like 10.20.0.0/16, joined by commas; or none") from None


def _sender(text: str) -> str:
    found = [address for _, address in getaddresses([text])]
    if not text.isprintable() or len(found) != 1 or not re.fullmatch(r"[^\s@<>,;:]+@[^\s@<>,;:]+", found[0]):
        raise ValueError("must be one e-mail address, like Ptolemy <ptolemy@example.com>")
    return text


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < _MIN_SECRET_LENGTH:
        raise ValueError(f"must have at least {_MIN_SECRET_LENGTH} characters")
    return key


class Settings(BaseSettings):
    """Taken from `PTOLEMY_…` in the environment, else from `.env` in the working directory, else the default."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, validate_default=False
    )

    database_url: Annotated[SecretStr, AfterValidator(_postgresql_url)] | None = Field(
        None, description="The PostgreSQL (17 or newer) to use; without it, one of its own runs in the data directory."
    )
    data_dir: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=_default_data_dir, description="Where the embedded database, files and the secret key are kept."
    )
    storage_url: Annotated[str, AfterValidator(_storage_url)] | None = Field(
        None,
        description="Where exports and uploads are kept, as `file:///…` or `s3://bucket/prefix`; `files` in the data"
        " directory by default.",
    )
    backup_directories: Annotated[str, AfterValidator(_absolute_directories)] | None = Field(
        None,
        description="Where `file:///…` destinations of backup policies may lie, as absolute paths joined by `:`;"
        " `backups` in the data directory by default.",
    )
    backup_buckets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_buckets)] = Field(
        (),
        description="Where `s3://…` destinations of backup policies may lie: buckets, or prefixes in them, joined by"
        " commas, like `s3://backups,s3://archive/ptolemy`; without it in none.",
    )
    public_url: Annotated[str, AfterValidator(_web_address)] | None = Field(
        None, description="The address that users see, for links in answers; the request's own host by default."
    )
    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        None,
        description="Signs download links and cursors, makes the links of invitations, and seals the secrets of"
        " webhooks; made and kept in the data directory when absent.",
    )
    max_upload: ByteSize = Field(
        ByteSize(100_000_000),
        gt=0,
        description="The largest file, or part of one, in one request, in bytes or like `250MB`.",
    )
    max_unpacked: ByteSize = Field(
        ByteSize(1_000_000_000),
        gt=0,
        description="What a compressed file or a backup may unpack to, in bytes or like `5GB`, whatever its own size; a"
        " large one may unpack to 100 times its size.",
    )
    host: str = Field("127.0.0.1", description="The network address to listen on; `0.0.0.0` is all of them.")
    port: int = Field(8000, ge=0, le=65535, description="The TCP port to listen on; 0 takes a free one.")
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_proxies)] = Field(
        (ip_network("127.0.0.1/32"), ip_network("::1/128")),
        description="Proxies that are believed when they say whose request they hand on (`X-Forwarded-For`,"
        " `X-Forwarded-Proto`): their addresses, or networks, joined by commas; `none` believes nobody.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    jobs_at_once: int = Field(
        2,
        ge=0,
        le=64,
        description="How many jobs one process runs at a time; 0 leaves them, and webhooks, to `ptolemy worker`.",
    )
    indexed_from_records: int = Field(
        10_000,
        ge=0,
        description="A custom field that is filtered by gets an index once its type has more records than this.",
    )

    webhook_allow: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        (),
        description="Networks besides the public ones that webhooks may go to, by http too, joined by commas, like"
        " `10.20.0.0/16,127.0.0.1/32`.",
    )

    signup: bool = Field(False, description="Whether everybody who reaches the server may sign up.")
    smtp_host: str | None = Field(
        None, description="The mail server that invitations are sent by; without it links are handed over by hand."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection to it is encrypted: `tls` from the start, usually on port 465."
    )
    smtp_user: str | None = Field(None, description="The name to sign in there with, if it wants one.")
    smtp_password: SecretStr | None = Field(None, description="The password to sign in there with.")
    smtp_from: Annotated[str, AfterValidator(_sender)] | None = Field(
        None, description="The address that e-mails come from, like `Ptolemy <ptolemy@example.com>`."
    )

    plans_file: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        None, description="A TOML file with what the plans allow; without it `enterprise` is without limits."
    )
    burst_per_second: int | None = Field(
        None, ge=1, description="How many requests a second one token may make; without it as many as it likes."
    )
    events_days: int | None = Field(
        None,
        ge=1,
        description="For how many days events and the records of ended jobs are kept, at most, whatever the plan says;"
        " as long as the plan says by default.",
    )
    metrics_token: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        None,
        description="What Prometheus sends as its bearer token to `GET /metrics`; without it only the same host may"
        " read them, and nobody where a public URL is set.",
    )
    worker_metrics_port: int | None = Field(
        None, ge=1, le=65535, description="The port on 127.0.0.1 at which `ptolemy worker` shows its own metrics."
    )
    traces_url: Annotated[str, AfterValidator(_web_address)] | None = Field(
        None,
        description="An OpenTelemetry collector that traces are sent to (OTLP over HTTP), like"
        " `http://127.0.0.1:4318`; needs `pip install 'ptolemy-data[otel]'`.",
    )

    def check_mail(self) -> None:
        """Refuses a mail server that no e-mail could be sent by."""
        if not self.smtp_host:
            return
        if not self.smtp_from:
            raise SettingsProblem(f"{PREFIX}SMTP_FROM must be set where {PREFIX}SMTP_HOST is: whom e-mails come from")
        if not self.public_url:
            raise SettingsProblem(
                f"{PREFIX}PUBLIC_URL must be set where {PREFIX}SMTP_HOST is: links in e-mails lead there"
            )

    @property
    def files_url(self) -> str:
        """Where the file store is."""
        return self.storage_url or (self.data_dir / "files").as_uri()

    @property
    def allowed_backup_directories(self) -> tuple[Path, ...]:
        """Where policies may have backups written on this machine."""
        if self.backup_directories is None:
            return (self.data_dir / "backups",)
        return tuple(Path(each).expanduser() for each in self.backup_directories.split(os.pathsep))

    @property
    def files_directory(self) -> Path | None:
        """The same as a path, where it is on this machine."""
        parts = urlsplit(self.files_url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None


def load_settings(**given: Any) -> Settings:
    """The settings; what is `given` (command line options that aren't None) goes before the environment."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsProblem(_explained(error)) from None
    settings.check_mail()
    return settings


def unknown_variables() -> list[str]:
    """Variables of the environment that look like settings and are none: usually typing errors."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | CLIENT_VARIABLES
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)


def secret_key(settings: Settings) -> str:
    """The key as set, else the one kept in the data directory, readable by its owner only; made where there is none."""
    if settings.secret_key:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / "secret.key"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _keep(path, secrets.token_hex(32))
    key = path.read_text().strip()
    if len(key) < _MIN_SECRET_LENGTH:
        raise SettingsProblem(f"{path} is damaged: bring it back from a backup, or remove it to have a new one made")
    return key


def _keep(path: Path, key: str) -> None:
    # Written aside and linked: two processes at their first start agree on one key, and nobody reads half of it.
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def _explained(error: ValidationError) -> str:
    return "; ".join(
        f"{PREFIX}{str(found['loc'][0]).upper()} {_reason(found['type'], found['msg'])}"
        + ("" if found["loc"][0] in _SECRET else f", got {str(found['input'])!r}")
        for found in error.errors()
    )


def _reason(kind: str, message: str) -> str:
    if kind.startswith("byte_size"):
        return "must be a number of bytes, or one with a unit like 250MB"
    if kind.startswith("bool"):
        return "must be true or false"
    if kind.startswith("int"):
        return "must be a whole number"
    return message.removeprefix("Value error, ").replace("Input should be", "must be")
