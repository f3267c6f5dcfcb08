"""Who calls a function, and who reads a variable: looked for only when a finding depends on it, in the text first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import libcst as cst

from lint_sessions.project.annotations import definition
from lint_sessions.project.modules import Module
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.source.document import Block, SyntaxProblem

MAX_CALLERS = 50
"""Functions looked at before the search for a telling caller ends."""


def calling(types: Types, function: Scope) -> Iterator[Scope]:
    """The functions of the project whose text calls something of this function's name, those of its own file first."""
    word = re.compile(rf"\b{re.escape(function.name)}\s*\(")
    count = 0
    for module in mentioning(types, function.name, function.module):
        for block, scope in functions(module.blocks, types.module_scope(module)):
            text = block.text
            if scope is function or not word.search(text.partition(":")[2]):
                continue
            count += 1
            if count > MAX_CALLERS:
                return
            yield scope


@dataclass(frozen=True, eq=False)
class Reader:
    """A function that reads a variable of a module, and where."""

    function: Scope
    node: cst.CSTNode
    block: Block


def reading(types: Types, owner: Scope, name: str) -> Iterator[Reader]:
    """The functions of the project that read the variable `name` of the module `owner`, those of its file first."""
    for module in mentioning(types, name, owner.module):
        text = module.document.text
        aliases = re.findall(rf"\b{re.escape(name)}\s+as\s+(\w+)", text)
        words = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in (name, *aliases)))
        for block, scope in functions(module.blocks, types.module_scope(module)):
            if words.search(text, block.start, block.end):
                found = next((n for n in walk(block.node) if _names(types, n, scope, owner, name, words)), None)
                if found is not None:
                    yield Reader(scope, found, block)


def _names(types: Types, node: cst.CSTNode, scope: Scope, owner: Scope, name: str, words: re.Pattern[str]) -> bool:
    """Whether an expression is the variable `name` of the module `owner`, under whatever name."""
    match node:
        case cst.Name(value=last) | cst.Attribute(attr=cst.Name(value=last)) if words.fullmatch(last):
            found = definition(types, node, scope)
            return found is not None and found[0].name == name and found[1] is owner
    return False


def mentioning(types: Types, word: str, first: Module) -> Iterator[Module]:
    """The modules of the project that have a word, `first` before the others."""
    yield first
    yield from (module for module in types.project.mentioning(word) if module is not first)


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
