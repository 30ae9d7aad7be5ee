"""What can happen to a file on its way: it is cut, bytes of it change, part of it is overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.backups.archives import packed_anew, unpacked


@dataclass(frozen=True)
class Damage:
    name: str
    done_to: Callable[[bytes, Random], bytes]
    always_shows: bool = True
    """Else the file may read as before: not every byte of it means something."""

    def __str__(self) -> str:
        return self.name


def _cut(content: bytes, chance: Random) -> bytes:
    return content[: chance.randrange(40, len(content) - 8)]


def _cut_within_a_row(content: bytes, chance: Random) -> bytes:
    """Behind its first comma, so that something is missing: a row that ends in its last cell looks whole."""
    row = content.index(b"\n", chance.randrange(len(content) // 2)) + 1
    return content[: content.index(b",", row) + 1]


def _flipped(content: bytes, chance: Random) -> bytes:
    changed = bytearray(content)
    changed[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    return bytes(changed)


def _overwritten(content: bytes, chance: Random) -> bytes:
    """Sixteen bytes that are no text in any encoding of ours."""
    at = chance.randrange(len(content) - 16)
    return content[:at] + bytes([0xFF, 0x00] * 8) + content[at + 16 :]


def _with_another_file(content: bytes, chance: Random) -> bytes:
    """An archive that is sound as such, in which a file isn't what the manifest says."""
    files = unpacked(content)
    name = chance.choice([each for each in files if each != "manifest.json" and len(files[each]) > 100])
    files[name] = files[name].replace(b"1", b"2")
    return packed_anew(files)


def _without_a_file(content: bytes, chance: Random) -> bytes:
    files = unpacked(content)
    del files[chance.choice([each for each in files if each != "manifest.json"])]
    return packed_anew(files)


def _with_a_promise(content: bytes, chance: Random) -> bytes:
    """A manifest that speaks of a row more than there is."""
    files = unpacked(content)
    said = json.loads(files["manifest.json"])
    chance.choice(said["files"])["rows"] += 1
    return packed_anew(files | {"manifest.json": json.dumps(said).encode()})


CUT = Damage("cut", _cut)
CUT_WITHIN_A_ROW = Damage("cut", _cut_within_a_row)
FLIPPED = Damage("a byte changed", _flipped, always_shows=False)
OVERWRITTEN = Damage("overwritten", _overwritten)
OVERWRITTEN_SOMEWHERE = Damage("overwritten", _overwritten, always_shows=False)

OF_FORMS = {
    "csv": (CUT_WITHIN_A_ROW, OVERWRITTEN),
    "json": (CUT, OVERWRITTEN),
    "ndjson": (CUT_WITHIN_A_ROW, OVERWRITTEN),
    "gzip": (CUT, FLIPPED, OVERWRITTEN_SOMEWHERE),
    "parquet": (CUT, FLIPPED, OVERWRITTEN_SOMEWHERE),
}
OF_ARCHIVES = (
    CUT,
    FLIPPED,
    OVERWRITTEN_SOMEWHERE,
    Damage("another file in it", _with_another_file),
    Damage("a file missing", _without_a_file),
    Damage("a manifest that lies", _with_a_promise),
)
