"""Which calls build an engine, itself or through a helper that gives away one that it has built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import libcst as cst

from lint_sessions.project.keeping import is_cached, is_kept
from lint_sessions.project.known import ENGINE_MAKERS
from lint_sessions.project.modules import Project
from lint_sessions.project.scopes import Scope, last_name, leaves
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External, FunctionType, argument

_MAX_DEPTH = 3
"""Functions that give an engine on to one another."""

_POOLS = frozenset(["QueuePool", "AsyncAdaptedQueuePool", "FallbackAsyncAdaptedQueuePool", "SingletonThreadPool"])
_IN_MEMORY = re.compile(r"sqlite(\+\w+)?://(/:memory:)?")
_WORDS = frozenset(name.rpartition(".")[2] for name in ENGINE_MAKERS)
_ALIAS = re.compile(rf"\b(?:{'|'.join(sorted(_WORDS))})\s+as\s+(\w+)")


def builds_engine(types: Types, call: cst.Call, scope: Scope) -> bool:
    """Whether a call builds a new engine with a pool that keeps connections."""
    if last_name(call.func) not in _makers(types.project):
        return False
    return _builds(types, call, scope, _MAX_DEPTH)


def gives_engine(types: Types, function: Scope) -> bool:
    """Whether a function returns an engine that it has built and not kept."""
    return _gives(types, function, _MAX_DEPTH)


def _builds(types: Types, call: cst.Call, scope: Scope, depth: int) -> bool:
    match types.infer(call.func, scope):
        case External(name=name) if name in ENGINE_MAKERS:
            return _has_lasting_pool(call)
        case FunctionType(scope=helper):
            return depth > 0 and not is_cached(helper) and _gives(types, helper, depth - 1)
    return False


def _has_lasting_pool(call: cst.Call) -> bool:
    """Whether an engine keeps connections that cost somebody; options that cannot be read may say that it does not."""
    pool, url = argument(call, 99, "poolclass"), argument(call, 0, "url")
    if any(arg.star for arg in call.args) or (pool is not None and last_name(pool) not in _POOLS):
        return False
    return not (isinstance(url, cst.SimpleString) and _IN_MEMORY.fullmatch(str(url.evaluated_value)))


def _gives(types: Types, function: Scope, depth: int) -> bool:
    if function.function is None or function.is_generator:
        return False
    returned = (n.value for n in function.own_nodes if isinstance(n, cst.Return) and n.value is not None)
    calls = (call for value in returned for call in _values(value, function))
    return any(_builds(types, call, function, depth) and not is_kept(call, function) for call in calls)


def _values(value: cst.BaseExpression, function: Scope) -> Iterator[cst.Call]:
    """The call that an expression is, or that a local name stands for."""
    if isinstance(value, cst.Await):
        value = value.expression
    if isinstance(value, cst.Call):
        yield value
    elif isinstance(value, cst.Name):
        yield from (b.value for b, _ in function.bound(value.value) if isinstance(b.value, cst.Call))


@lru_cache(maxsize=1)
def _makers(project: Project) -> frozenset[str]:
    """The names of all that may build an engine, found in the text, so that other calls need not be looked into."""
    words = set(_WORDS)
    for word in _WORDS:
        for module in project.mentioning(word):
            words.update(_ALIAS.findall(module.document.text))
    new = frozenset(words)
    for _ in range(_MAX_DEPTH):
        new = frozenset(name for word in new for name in _returning(project, word)) - words
        words |= new
    return frozenset(words)


def _returning(project: Project, word: str) -> Iterator[str]:
    """The names of the functions that return something and call what is named `word`."""
    call = re.compile(rf"\b{re.escape(word)}\s*\(")
    for module in project.mentioning(word):
        text = module.document.text
        if call.search(text):
            for block, _ in leaves(module.blocks, Scope(module)):
                if block.kind == "function" and "return" in block.text and call.search(text, block.start, block.end):
                    yield block.name or ""
