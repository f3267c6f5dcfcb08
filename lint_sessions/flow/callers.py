"""Who calls a function: looked for only when a finding depends on it, in the text first, then by name resolution."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lint_sessions.project.modules import Module
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.source.document import Block, SyntaxProblem

MAX_CALLERS = 50
"""Functions looked at before the search for a telling caller ends."""


def calling(types: Types, function: Scope) -> Iterator[Scope]:
    """The functions of the project whose text calls something of this function's name, those of its own file first."""
    word = re.compile(rf"\b{re.escape(function.name)}\s*\(")
    count = 0
    for module in modules(types, function.module):
        if function.name not in module.document.text:
            continue
        for block, scope in functions(module.blocks, types.module_scope(module)):
            text = block.document.text[block.start : block.end]
            if scope is function or not word.search(text.partition(":")[2]):
                continue
            count += 1
            if count > MAX_CALLERS:
                return
            yield scope


def modules(types: Types, first: Module) -> Iterator[Module]:
    """All modules of the project, `first` before the others."""
    yield first
    yield from (module for module in types.project.modules if module is not first)


def functions(blocks: Iterable[Block], scope: Scope) -> Iterator[tuple[Block, Scope]]:
    """The functions and methods among some blocks, none of them parsed; each with its scope."""
    for block in blocks:
        try:
            if block.kind == "class" and block.children:
                yield from functions(block.children, scope.child_of_block(block))
            elif block.kind == "function":
                yield block, scope.child_of_block(block)
        except SyntaxProblem:
            continue
