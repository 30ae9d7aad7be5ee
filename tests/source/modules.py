"""The source as trees, for rules that hold of all of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/ptolemy"


def _imported(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _used(nodes: list[ast.AST]) -> Iterator[str]:
    yield from (name for name in _imported(nodes) if "." in name)
    modules = {each.asname or each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield f"{node.value.id}.{node.attr}"


NODES: Mapping[str, list[ast.AST]] = {
    str(path.relative_to(SOURCE)): list(ast.walk(ast.parse(path.read_text()))) for path in sorted(SOURCE.rglob("*.py"))
}
"""All there is in each module, by its path within the package."""

IMPORTED: Mapping[str, frozenset[str]] = {path: frozenset(_imported(nodes)) for path, nodes in NODES.items()}
"""What each imports, by full names: `ssl`, `hashlib.blake2b`."""

USED: Mapping[str, frozenset[str]] = {path: frozenset(_used(nodes)) for path, nodes in NODES.items()}
"""What each uses of other modules: `ssl.create_default_context`, `hashlib.blake2b`."""


def calls(name: str) -> list[ast.Call]:
    """Every call of what has this name: `hmac.digest`."""
    return [
        node
        for nodes in NODES.values()
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == name
    ]


def importers(name: str) -> set[str]:
    """The modules that import `name`, or something of it."""
    return {
        path for path, names in IMPORTED.items() if any(each == name or each.startswith(f"{name}.") for each in names)
    }
