"""The pages of the documentation, and the blocks of code that stand in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

RUN = frozenset({"bash", "python"})
SHOWN = frozenset({"text", "json", "csv"})
ANSWER = "Answer"

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<excuse>.+?) -->\n)?"
    r"(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block. `title` is `Answer`, or the name of the file that it is; `excuse` says why it isn't run."""

    line: int
    language: str
    title: str | None
    excuse: str | None
    text: str

    @property
    def is_run(self) -> bool:
        return self.language in RUN and self.title is None and self.excuse is None

    @property
    def is_file(self) -> bool:
        return self.title is not None and self.title != ANSWER


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def blocks(self) -> Sequence[Block]:
        return [
            Block(
                line=self.text.count("\n", 0, found.start()) + 1,
                language=found["language"],
                title=found["title"],
                excuse=found["excuse"],
                text=re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            )
            for found in _BLOCK.finditer(self.text)
        ]


README = Page(ROOT / "README.md")

PAGES: Sequence[Page] = [
    README,
    *(Page(ROOT / name) for name in ("CHANGELOG.md", "CONTRIBUTING.md")),
    *(Page(path) for path in sorted((ROOT / "docs").rglob("*.md"))),
]
