"""Archives taken apart and put together."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any


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
