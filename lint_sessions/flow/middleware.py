"""Sessions that a middleware opens for each request, and closes before background tasks and the body of the response
run: whoever has called `call_next` goes on as soon as the response has begun.
"""

from __future__ import annotations

import re

import libcst as cst

from lint_sessions.flow.callers import functions, mentioning
from lint_sessions.project.modules import Module
from lint_sessions.project.names import Kind, walk, walk_scope
from lint_sessions.project.scopes import Scope, has_decorator
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External
from lint_sessions.source.document import Block


def state_name(node: cst.CSTNode, scope: Scope) -> str | None:
    """`db` where an expression is `request.state.db`, or a name that is bound to that."""
    if isinstance(node, cst.Name):
        bound = scope.bound(node.value)
        value = bound[0][0].value if len(bound) == 1 and bound[0][0].kind is Kind.VALUE else None
        return state_name(value, scope) if value is not None and not isinstance(value, cst.Name) else None
    match node:
        case cst.Attribute(value=cst.Attribute(value=cst.Name(), attr=cst.Name(value="state")), attr=attr):
            return attr.value
    return None


def close_in_middleware(types: Types, name: str, first: Module) -> tuple[cst.CSTNode, Block] | None:
    """Where a middleware closes the session that it puts on `request.state` under a name."""
    stored = re.compile(rf"\.state\.{re.escape(name)}\s*=[^=]")
    for module in mentioning(types, name, first):
        if not stored.search(module.document.text):
            continue
        for block, scope in functions(module.blocks, types.module_scope(module)):
            if stored.search(block.document.text, block.start, block.end) and _is_middleware(types, scope):
                close = _close(scope, name)
                if close is not None:
                    return close, block
    return None


def _is_middleware(types: Types, function: Scope) -> bool:
    node, cls = function.function, function.parent
    if node is None or cls is None:
        return False
    if has_decorator(node, "middleware"):
        return True
    if function.name != "dispatch" or not cls.is_class:
        return False
    return any(isinstance(base, External) and base.last == "BaseHTTPMiddleware" for base in types.ancestry(cls))


def _close(function: Scope, name: str) -> cst.CSTNode | None:
    """What closes the session: a call of its `close()`, or the block in which it was opened."""
    node = function.function
    held = {put for part in walk_scope(node) for put in _put(part, name)} if node is not None else set()
    for part in walk(node.body) if node is not None else ():
        match part:
            case cst.Call(func=cst.Attribute(value=session, attr=cst.Name(value="close" | "aclose"))):
                if state_name(session, function) == name:
                    return part
                if isinstance(session, cst.Name) and session.value in held:
                    return part
            case cst.With(items=items):
                names = (i.asname.name.value for i in items if i.asname and isinstance(i.asname.name, cst.Name))
                if not held.isdisjoint(names):
                    return part
    return None


def _put(part: cst.CSTNode, name: str) -> set[str]:
    """The name of what is put on `request.state`."""
    match part:
        case cst.Assign(targets=targets, value=cst.Name(value=held)):
            if any(isinstance(t.target, cst.Attribute) and t.target.attr.value == name for t in targets):
                return {held}
    return set()
