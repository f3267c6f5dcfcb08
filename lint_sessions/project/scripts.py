"""Which functions run once and then the process ends: what they leave open, the exit closes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from lint_sessions.project.scopes import Scope
from lint_sessions.source.document import Block, Document

_GUARD = re.compile(r"\s*if\b[^\n]*__name__[^\n]*__main__")
_CALL = re.compile(r"\w+\(")
"""A statement that begins with a call: the module does its work when it is run, or imported."""
_TEST_FILE = re.compile(r"(test|tests|conftest|test_\w+|\w+_tests?)\.py$")
_FOR_EVER = re.compile(
    r"\bwhile\s+(True|1)\b|\b(run_forever|serve_forever|start_consuming|start_polling|run_polling)\b"
)


_COMMAND = re.compile(r"^\s*@(\w+\.)*command\b", re.MULTILINE)
_COMMAND_LINE = re.compile(r"^\s*(import|from)\s+(click|typer|asyncclick|rich_click)\b", re.MULTILINE)


def runs_once(scope: Scope) -> bool:
    """Whether a function is called only by the `if __name__ == "__main__"` part of its module, or by a statement of
    the module itself, directly or through functions of which the same is true; or is a command of a command line. What
    loops for ever, or is passed to somebody else, does not run once."""
    scope = scope.outermost
    if scope.parent is None:
        return False
    return _is_command(scope) or scope.name in _once(scope.parent)


def _is_command(scope: Scope) -> bool:
    """Whether a function is a command of click or Typer, after which the process ends."""
    if scope.block is None or not _imports_command_line(scope.module.document):
        return False
    text = scope.block.text
    return bool(_COMMAND.search(text)) and not _FOR_EVER.search(text)


# The two are asked for once a function, and files are checked one after the other.
@lru_cache(maxsize=64)
def _imports_command_line(document: Document) -> bool:
    return bool(_COMMAND_LINE.search(document.text))


def is_main_part(block: Block) -> bool:
    """Whether a statement is the `if __name__ == "__main__"` of its module."""
    return bool(_GUARD.match(block.text))


def is_test(path: Path, root: Path) -> bool:
    """Whether a file of the project holds tests, by its name or its folder's."""
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return bool(_TEST_FILE.match(path.name)) or not {"test", "tests", "testing"}.isdisjoint(inside.parts[:-1])


@lru_cache(maxsize=64)
def _once(module: Scope) -> frozenset[str]:
    blocks = module.module.blocks
    statements = [block for block in blocks if block.kind == "statement"]
    guards = [block for block in statements if _GUARD.match(block.text) or _CALL.match(block.text)]
    functions = {block.name: block for block in blocks if block.kind == "function" and block.name}
    pending = list(guards)
    reached: set[str] = set()
    while pending:
        text = pending.pop().text
        for name, block in functions.items():
            if name not in reached and re.search(rf"\b{re.escape(name)}\s*\(", text):
                reached.add(name)
                pending.append(block)
    return frozenset(name for name in reached if _is_contained(name, functions, reached, blocks, guards))


def _is_contained(
    name: str, functions: dict[str, Block], reached: set[str], blocks: Sequence[Block], guards: list[Block]
) -> bool:
    if _FOR_EVER.search(functions[name].text):
        return False
    word = re.compile(rf"\b{re.escape(name)}\b")
    called = re.compile(rf"\b{re.escape(name)}\b(?!\s*\()")
    for block in blocks:
        inside = block in guards or block.name in reached
        text = block.text
        if block is functions[name]:
            text = text[text.index(name) + len(name) :] if name in text else text
        if (not inside and word.search(text)) or (inside and called.search(text)):
            return False
    return True
