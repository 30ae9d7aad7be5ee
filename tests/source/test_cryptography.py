"""Which algorithms and sources of chance the product uses: those of the inventory in docs/security.md, no others."""

from __future__ import annotations

import ast

from tests.source.modules import ROOT, USED, calls, importers

FROM = ("hashlib", "hmac", "secrets", "cryptography", "argon2")
ALLOWED = {
    "hashlib.sha256",
    "hashlib.blake2b",
    "hashlib.file_digest",
    "hmac.digest",
    "hmac.compare_digest",
    "secrets.token_bytes",
    "secrets.token_hex",
    "secrets.token_urlsafe",
    "cryptography.hazmat.primitives.ciphers.aead.AESGCM",
    "cryptography.exceptions.InvalidTag",
    "argon2.PasswordHasher",
    "argon2.exceptions.InvalidHashError",
    "argon2.exceptions.VerificationError",
}
INVENTORY = ("SHA-256", "BLAKE2b", "HMAC-SHA256", "AES-256-GCM", "argon2id")
BY_CHANCE = {
    "api/operations.py",  # so that two writers don't keep meeting
    "client/retries.py",
    "webhooks/retries.py",
    "backups/archive/files.py",  # which blocks of a large file are looked at
}
"""Who may use `random`: nobody minds if it is guessed."""


def test_no_algorithm_is_used_but_those_of_the_inventory() -> None:
    found = {name for names in USED.values() for name in names if name.partition(".")[0] in FROM}
    assert found == ALLOWED
    page = (ROOT / "docs/security.md").read_text()
    chapter = page.partition("### V11")[2].partition("### V12")[0]
    assert not [algorithm for algorithm in INVENTORY if algorithm not in chapter]


def test_what_is_told_which_hash_to_use_is_told_sha_256() -> None:
    at = {"hmac.digest": 2, "hashlib.file_digest": 1, "asyncio.to_thread": 2}
    told = {
        ast.unparse(call.args[position])
        for name, position in at.items()
        for call in calls(name)
        if name != "asyncio.to_thread" or ast.unparse(call.args[0]) == "hashlib.file_digest"
    }
    assert told == {"hashlib.sha256", "'sha256'"}


def test_chance_that_can_be_guessed_decides_nothing_that_matters() -> None:
    assert importers("random") == BY_CHANCE
