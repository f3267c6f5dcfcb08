"""Which functions run for every request, message or task: how one is reached from what a framework calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.sharing import HANDLERS
from lint_sessions.project.calls import calls_of
from lint_sessions.project.keeping import is_cached, is_kept
from lint_sessions.project.names import parameters, walk
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.scripts import is_test, runs_once
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External, InstanceType
from lint_sessions.project.wiring import Use, Wiring
from lint_sessions.source.document import Block

MAX_DEPTH = 4
"""Calls followed back from a function towards a request."""

_REQUESTS = frozenset(["Request", "WebSocket", "HTTPConnection", "ASGIConnection"])
_SERVERS = frozenset(["fastapi", "starlette", "litestar", "starlite", "sanic", "aiohttp", "quart"])
_JOBS = frozenset(["invoke", "fabric", "prefect", "airflow", "luigi", "locust"])
"""Packages whose tasks are runs of a process, or a test of somebody else's server."""

_AT_START = frozenset(["on_ready", "setup_hook"])
_FOR_ALL = re.compile(r"[^()]*\([^()]*\buse_cache\s*=\s*True")
"""Of a framework other than FastAPI: the dependency is called once, and its value kept for all requests."""


@dataclass(frozen=True, eq=False)
class Step:
    """A call on the way from a request to a function, and the function it stands in."""

    call: cst.Call
    caller: Scope
    block: Block


def path_to(
    wiring: Wiring, function: Scope, ends: Callable[[Scope], bool], depth: int = MAX_DEPTH
) -> list[Step] | None:
    """The calls by which a request reaches a function, the function's own last; None where no request is seen to.

    No way leads through a function of which `ends` is true, nor through a call whose value is kept.
    """
    if is_test(function.module.path, wiring.types.project.root) or runs_once(function):
        return None
    if is_cached(function) or ends(function):
        return None
    if is_handler(wiring, function):
        return []
    if depth == 0:
        return None
    for call in calls_of(wiring.types, function):
        caller = function_around(call.scope)
        if caller is None or caller is function or is_kept(call.node, caller):
            continue
        path = path_to(wiring, caller, ends, depth - 1)
        if path is not None:
            return [*path, Step(call.node, caller, call.block)]
    return None


def function_around(scope: Scope) -> Scope | None:
    """The function that a scope is, or stands in."""
    current: Scope | None = scope
    while current is not None and current.function is None:
        current = current.parent
    return current


def is_handler(wiring: Wiring, function: Scope) -> bool:
    """Whether a framework calls a function for each request, message or task."""
    node, around = function.function, function.parent
    if node is None or around is None:
        return False
    if function.name not in _AT_START and any(_hands_over(wiring.types, d, around) for d in node.decorators):
        return True
    if wiring.is_route(function) or any(not _is_kept_for_all(use) for use in wiring.uses(function)):
        return True
    return any(_is_provided(wiring, param, around) for param in parameters(node))


def _hands_over(types: Types, decorator: cst.Decorator, scope: Scope) -> bool:
    node = decorator.decorator
    if last_name(node) not in HANDLERS:
        return False
    kind = types.infer(node.func if isinstance(node, cst.Call) else node, scope)
    return not (isinstance(kind, External) and kind.name.partition(".")[0] in _JOBS)


def _is_kept_for_all(use: Use) -> bool:
    return not use.is_fastapi and _FOR_ALL.match(use.block.document.text, use.offset) is not None


def _is_provided(wiring: Wiring, param: cst.Param, scope: Scope) -> bool:
    """Whether a framework fills a parameter, once for each request."""
    marked = (param.default, *(walk(param.annotation) if param.annotation is not None else ()))
    if any(node is not None and wiring.marker(node, scope) is not None for node in marked):
        return True
    kind = wiring.types.annotation(param.annotation.annotation, scope) if param.annotation is not None else None
    if not isinstance(kind, InstanceType) or not isinstance(kind.cls, External):
        return False
    return kind.cls.last in _REQUESTS and kind.cls.name.partition(".")[0] in _SERVERS
