"""The manifest of a workspace's backup: what the archive holds, and what everything in it must come to."""

from __future__ import annotations

from typing import Any

import msgspec

from ptolemy.formats.rows import UnreadableFile

MANIFEST = "manifest.json"
FORMAT = "ptolemy-workspace"
FORMAT_VERSION = 1


class Block(msgspec.Struct, frozen=True):
    """A run of whole lines that can be inflated and checked by itself."""

    rows: int
    bytes: int
    packed_bytes: int
    sha256: str


class PackedFile(msgspec.Struct, frozen=True):
    """One file: `sha256` and `crc32` are of its content, `packed_sha256` of its compressed bytes in the archive."""

    name: str
    resource: str
    rows: int
    bytes: int
    sha256: str
    packed_bytes: int
    packed_sha256: str
    crc32: str
    blocks: list[Block]


class Origin(msgspec.Struct, frozen=True):
    """The workspace that was backed up."""

    id: str
    slug: str
    name: str


class Manifest(msgspec.Struct, frozen=True):
    format: str
    format_version: int
    product_version: str
    created_at: str
    workspace: Origin
    files: list[PackedFile]


_MANIFEST = msgspec.json.Decoder(Manifest)


def encode_manifest(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(content: bytes) -> Manifest:
    """Raises `UnreadableFile` for what is no manifest, or one of a format that this version doesn't know."""
    try:
        said: Any = msgspec.json.decode(content)
        version = said["format_version"] if isinstance(said, dict) and said.get("format") == FORMAT else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise UnreadableFile(
                "unknown_format_version",
                f"the backup has the format version {version}, this Ptolemy reads up to {FORMAT_VERSION}: update it",
            )
        if version != FORMAT_VERSION:
            raise UnreadableFile("unknown_format", f"{MANIFEST} is not that of a workspace's backup")
        return _MANIFEST.decode(content)
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFile("damaged_archive", f"{MANIFEST} can't be read: {error}") from None
