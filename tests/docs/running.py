"""A page's blocks run for real, in order, in one shell; what a page says is answered is compared with what is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.docs.pages import ANSWER, Block, Page
from tests.product import PATIENCE_SECONDS, wait_for

SHOWN_ADDRESS = "http://127.0.0.1:8000"
"""The pages' address, the default; the tests' server has a free port instead."""

PROBLEM = "urn:ptolemy:problem:"

_BIN = Path(sys.executable).parent
_READY = re.compile(r"ready at (http://\S+)")


@contextmanager
def served(data_dir: Path) -> Iterator[str]:
    """The address of a `ptolemy serve` with a database of its own, which has ended when the block has."""
    log = data_dir.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [_BIN / "ptolemy", "serve", "--port", "0"],
            env=environment(data_dir),
            cwd=data_dir.parent,
            stdout=output,
            stderr=output,
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def environment(data_dir: Path) -> dict[str, str]:
    """What a new user has: where the data is, a receiver on their own machine, and this checkout's commands first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PTOLEMY_")}
    return kept | {
        "PATH": f"{_BIN}:{os.environ['PATH']}",
        "PTOLEMY_DATA_DIR": str(data_dir),
        "PTOLEMY_WEBHOOK_ALLOW": "127.0.0.1/32",
        "NO_PROXY": "127.0.0.1",
    }


def run_page(page: Page, address: str, folder: Path, given: Mapping[str, str]) -> None:
    """Runs the page with the variables `given`; its shell's variables at the end are kept in `folder/variables`."""
    for block in page.blocks:
        if block.is_file:
            _write(folder / str(block.title), block, address)
        elif block.is_run and block.language == "python":
            _write(folder / f"line_{block.line}.py", block, address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _script(page.blocks, address)],
        env=dict(given),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    said = _by_line(done.stdout)
    last = max(said, default=0)
    assert done.returncode == 0, f"{page.name}, the block of line {last}:\n{said.get(last)}\n{done.stderr}"
    _check_answers(page, said)


def variables(folder: Path) -> dict[str, str]:
    """The variables of the shell that ran a page in this folder."""
    pairs = (folder / "variables").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


def _script(blocks: Sequence[Block], address: str) -> str:
    """Every block behind a mark with its line, so that what is said can be told apart."""
    parts = []
    for block in blocks:
        if block.is_run:
            text = block.text.replace(SHOWN_ADDRESS, address)
            parts += [f"printf '\\036%s\\036' {block.line}"]
            parts += [text if block.language == "bash" else f"python3 line_{block.line}.py"]
    return "\n".join(["set -a", *parts, "env -0 > variables"])


def _write(path: Path, block: Block, address: str) -> None:
    path.write_text(block.text.replace(SHOWN_ADDRESS, address))


def _by_line(said: str) -> dict[int, str]:
    _, *parts = said.split("\036")
    return {int(line): text for line, text in zip(parts[::2], parts[1::2], strict=True)}


def _check_answers(page: Page, said: Mapping[int, str]) -> None:
    """An answer may leave parts out as `…`; white space is free. A problem that the page doesn't show is a failure."""
    blocks = page.blocks
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if not block.is_run:
            continue
        found = said[block.line]
        if after is not None and after.title == ANSWER:
            assert _form(after.text).search(_bare(found)), f"{page.name}, line {after.line}: answered was {found}"
        else:
            assert PROBLEM not in found, f"{page.name}, line {block.line}: {found}"


def _form(shown: str) -> re.Pattern[str]:
    parts = [re.escape(_bare(part)) for part in shown.split("…")]
    return re.compile(f"^{'.*?'.join(parts)}$", re.DOTALL)


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    def told() -> str | None:
        assert process.poll() is None, f"the server didn't start: {log.read_text()}"
        found = _READY.search(log.read_text())
        return found[1] if found else None

    return wait_for(told)
