"""Archives taken apart and put together."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import msgspec

from ptolemy.formats.archive import ArchiveWriter
from ptolemy.formats.manifest import decode_manifest, encode_manifest


def unpacked(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def contents(archive: bytes) -> dict[str, bytes]:
    """The files without the manifest."""
    return {name: content for name, content in unpacked(archive).items() if name != "manifest.json"}


def manifest(archive: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unpacked(archive)["manifest.json"])
    return found


def packed_anew(files: dict[str, bytes], *, honest: bool = False) -> bytes:
    """As any other program would; `honest` makes the manifest agree."""
    if honest:
        said = json.loads(files["manifest.json"])
        for file in said["files"]:
            content = files[file["name"]]
            file["bytes"], file["sha256"] = len(content), hashlib.sha256(content).hexdigest()
        files = files | {"manifest.json": json.dumps(said).encode()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out.getvalue()


def changed(archive: bytes, file: str, change: Callable[[list[dict[str, Any]]], object]) -> bytes:
    """The archive as the product would have written it with another content of one file."""
    files, out = unpacked(archive), io.BytesIO()
    rows = json.loads(files[file])
    change(rows)
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows]
    files[file] = b"[\n" + b",\n".join(lines) + b"\n]\n"
    said, writer = decode_manifest(files["manifest.json"]), ArchiveWriter(out)
    for packed in said.files:
        with writer.file(packed.name, packed.resource) as written:
            written.write(files[packed.name])
    writer.end(encode_manifest(msgspec.structs.replace(said, files=writer.files)))
    return out.getvalue()


def not_restorable(archive: bytes) -> bytes:
    """The archive of instruments, of which one lacks its name: right by every hash, count and reference."""

    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0]["name"] = None

    return changed(archive, "instruments.json", spoil)
