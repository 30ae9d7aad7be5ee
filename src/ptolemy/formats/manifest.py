"""The manifest of a workspace's backup: what the archive holds, and what everything in it must come to."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from ptolemy.formats.rows import UnreadableFile

MANIFEST = "manifest.json"
FORMAT = "ptolemy-workspace"
FORMAT_VERSION = 1

Size = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
BlockSize = Annotated[int, msgspec.Meta(ge=0, le=64 << 20)]
"""A block is a megabyte and the rest of its last row: it is unpacked in one piece."""
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Checksum = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,100}\.json$")]


class Block(msgspec.Struct, frozen=True):
    """A run of whole lines that can be inflated and checked by itself."""

    rows: Size
    bytes: BlockSize
    packed_bytes: BlockSize
    sha256: Digest


class PackedFile(msgspec.Struct, frozen=True):
    """One file: `sha256` and `crc32` are of its content, `packed_sha256` of its compressed bytes in the archive."""

    name: Name
    resource: str
    rows: Size
    bytes: Size
    sha256: Digest
    packed_bytes: Size
    packed_sha256: Digest
    crc32: Checksum
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
