"""Settings: what they accept, and what they say when they don't."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ptolemy.settings import Settings, SettingsProblem, load_settings, secret_key, unknown_variables


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables of ours and no `.env`."""
    for name in [name for name in os.environ if name.startswith("PTOLEMY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PTOLEMY_PORT", "abc", "a whole number, got 'abc'"),
        ("PTOLEMY_PORT", "70000", "65535"),
        ("PTOLEMY_MAX_UPLOAD", "lots", "250MB, got 'lots'"),
        ("PTOLEMY_MAX_UPLOAD", "0", "greater than 0"),
        ("PTOLEMY_LOG_LEVEL", "loud", "'debug'"),
        ("PTOLEMY_STORAGE_URL", "s3://", "s3://bucket/prefix"),
        ("PTOLEMY_STORAGE_URL", "s3://A_bucket", "s3://bucket/prefix"),
        ("PTOLEMY_STORAGE_URL", "s3://key@bucket", "s3://bucket/prefix"),
        ("PTOLEMY_BACKUP_BUCKETS", "bucket", "s3://bucket/prefix"),
        ("PTOLEMY_BACKUP_BUCKETS", "s3://good,s3://", "s3://bucket/prefix"),
        ("PTOLEMY_BACKUP_BUCKETS", "s3://bucket/../x", "s3://bucket/prefix"),
        ("PTOLEMY_BACKUP_BUCKETS", "s3://bucket//x", "s3://bucket/prefix"),
        ("PTOLEMY_TRUSTED_PROXIES", "proxy.example.com", "addresses, or networks like 10.20.0.0/16"),
        ("PTOLEMY_TRUSTED_PROXIES", "10.20.0.1,10.20.0.1/16", "addresses, or networks like 10.20.0.0/16"),
        ("PTOLEMY_TRUSTED_PROXIES", "*", "or none, got '*'"),
        ("PTOLEMY_STORAGE_URL", "gs://bucket", "file://"),
        ("PTOLEMY_STORAGE_URL", "file://host/share", "file://"),
        ("PTOLEMY_PUBLIC_URL", "ptolemy.example.com", "https://"),
        ("PTOLEMY_DATABASE_URL", "mysql://u@h/d", "postgresql://"),
        ("PTOLEMY_DATABASE_URL", "postgresql://u@h:port/d", "number"),
        ("PTOLEMY_BURST_PER_SECOND", "0", "greater than or equal to 1"),
        ("PTOLEMY_JOBS_AT_ONCE", "-1", "greater than or equal to 0"),
        ("PTOLEMY_SIGNUP", "perhaps", "true or false"),
        ("PTOLEMY_SMTP_PORT", "0", "greater than or equal to 1"),
        ("PTOLEMY_SMTP_SECURITY", "ssl", "'starttls'"),
        ("PTOLEMY_SMTP_FROM", "ptolemy", "one e-mail address"),
        ("PTOLEMY_SMTP_FROM", "a@b, c@d", "one e-mail address"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsProblem) as refused:
        load_settings()
    line = str(refused.value)
    assert line.startswith(f"{name} must ") and says in line and "\n" not in line


def test_a_mail_server_needs_a_sender_and_an_address_for_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTOLEMY_SMTP_HOST", "mail.example.com")
    for missing, value in (("PTOLEMY_SMTP_FROM", "p@example.com"), ("PTOLEMY_PUBLIC_URL", "https://p.example.com")):
        with pytest.raises(SettingsProblem, match=f"^{missing} must be set"):
            load_settings()
        monkeypatch.setenv(missing, value)
    assert load_settings().smtp_port == 587


@pytest.mark.parametrize("name", ["PTOLEMY_SECRET_KEY", "PTOLEMY_DATABASE_URL"])
def test_a_secret_is_neither_echoed_nor_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hush")
    with pytest.raises(SettingsProblem) as refused:
        load_settings()
    assert name in str(refused.value) and "hush" not in str(refused.value)
    monkeypatch.setenv("PTOLEMY_SECRET_KEY", "hush" * 10)
    monkeypatch.setenv("PTOLEMY_DATABASE_URL", "postgresql://u:hush@h/d")
    assert "hush" not in repr(load_settings())


def test_an_option_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PTOLEMY_PORT=1\nPTOLEMY_HOST=::\nPTOLEMY_MAX_UPLOAD=1GB\n")
    monkeypatch.setenv("PTOLEMY_PORT", "2")
    monkeypatch.setenv("PTOLEMY_HOST", "::1")
    settings = load_settings(port=3, host=None)
    assert (settings.port, settings.host, settings.max_upload) == (3, "::1", 1_000_000_000)


def test_the_data_directory_follows_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert load_settings().data_dir == Path("/var/lib/ptolemy")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    assert load_settings().data_dir == Path("/srv/data/ptolemy")
    assert load_settings(data_dir=Path("here")).data_dir == Path.cwd() / "here"


def test_files_are_in_the_data_directory_unless_told_otherwise() -> None:
    assert load_settings(data_dir=Path("/d")).files_directory == Path("/d/files")
    assert load_settings(storage_url="file:///srv/a%20b").files_directory == Path("/srv/a b")
    in_a_bucket = load_settings(storage_url="s3://bucket/prefix/")
    assert (in_a_bucket.files_directory, in_a_bucket.files_url) == (None, "s3://bucket/prefix")


def test_buckets_for_backups_are_none_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().backup_buckets == ()
    monkeypatch.setenv("PTOLEMY_BACKUP_BUCKETS", "s3://one/, s3://two/a/b")
    assert load_settings().backup_buckets == ("s3://one", "s3://two/a/b")


def test_proxies_on_this_host_are_trusted_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, meant in (
        ("", ["127.0.0.1/32", "::1/128"]),
        ("none", []),
        ("10.0.0.1, 2001:db8::/32", ["10.0.0.1/32", "2001:db8::/32"]),
    ):
        monkeypatch.setenv("PTOLEMY_TRUSTED_PROXIES", said)
        assert [str(each) for each in load_settings().trusted_proxies] == meant


def test_the_secret_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: secret_key(settings), range(16)))
    [key] = keys
    assert len(key) >= 32
    [kept] = (tmp_path / "data").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert secret_key(load_settings(data_dir=tmp_path, secret_key="x" * 32)) == "x" * 32


def test_a_damaged_secret_key_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(SettingsProblem, match="damaged"):
        secret_key(load_settings(data_dir=tmp_path))


def test_a_variable_that_is_no_setting_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTOLEMY_DATABSE_URL", "x")
    monkeypatch.setenv("PTOLEMY_TOKEN", "x")
    assert unknown_variables() == ["PTOLEMY_DATABSE_URL"]


def test_every_setting_is_described() -> None:
    assert all((field.description or "").endswith(".") for field in Settings.model_fields.values())
