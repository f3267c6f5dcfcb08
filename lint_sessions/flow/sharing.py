"""What is made once, at import, and which functions of the project share it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from lint_sessions.flow.callers import functions, mentioning
from lint_sessions.project.annotations import definition
from lint_sessions.project.modules import Module
from lint_sessions.project.names import children
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.scripts import is_main_part, is_test, runs_once
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, InstanceType
from lint_sessions.source.document import Block, SyntaxProblem

HANDLERS = frozenset(
    ["get", "post", "put", "patch", "delete", "route", "api_route", "websocket", "middleware", "exception_handler"]
    + ["task", "shared_task", "message", "message_handler", "callback_query", "callback_query_handler", "event"]
    + ["before_request", "after_request", "errorhandler", "actor", "periodic_task"]
)
"""Decorators that hand a function to something that calls it again and again."""


def users(types: Types, name: str, statement: cst.CSTNode, home: Scope) -> Iterator[Scope]:
    """The functions that run again and again and use what `statement` binds to `name` at the top of a module; none
    where a function binds the name anew."""
    if any(name in scope.outer_names for _, scope in functions(home.module.blocks, home) if scope.mentions(name)):
        return
    for scope in _served(types, home.module, name):
        for node, place in _scoped(scope):
            if isinstance(node, (cst.Name, cst.Attribute)) and last_name(node) == name:
                found = definition(types, node, place)
                if found is not None and found[0].node is statement:
                    yield scope
                    break


def users_of_attribute(types: Types, name: str, cls: Scope) -> Iterator[Scope]:
    """The methods that use an attribute which stands in the body of their class."""
    for method in cls.methods():
        first = method.first_parameter
        if method.mentions(name) and _is_served(types, method) and first is not None:
            own = (node for node, _ in _scoped(method) if isinstance(node, cst.Attribute) and node.attr.value == name)
            if any(isinstance(node.value, cst.Name) and node.value.value in (first, cls.name) for node in own):
                yield method


def single_instances(types: Types, cls: Scope) -> Iterator[tuple[str, cst.CSTNode, Scope, Block]]:
    """The names at the top of modules that hold an instance of a class, with the statement, its scope and block."""
    call = re.compile(rf"\b{re.escape(cls.name)}\s*\(")
    for module in mentioning(types, cls.name, cls.module):
        if not call.search(module.document.text):
            continue
        top = types.module_scope(module)
        for block in module.blocks:
            text = block.text
            if block.kind != "statement" or is_main_part(block) or not call.search(text):
                continue
            try:
                nodes = [node for node, _ in _scoped_node(block.node, top)]
            except SyntaxProblem:
                continue
            for node in nodes:
                match node:
                    case (
                        cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value)
                        | cst.AnnAssign(target=cst.Name(value=name), value=cst.Call() as value)
                    ):
                        kind = types.infer(value, top)
                        if isinstance(kind, InstanceType) and kind.cls == ClassType(cls):
                            yield name, node, top, block


def _served(types: Types, home: Module, name: str) -> Iterator[Scope]:
    """The functions in whose text `name` stands and that run again and again."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for module in mentioning(types, name, home):
        if is_test(module.path, types.project.root):
            continue
        for block, scope in functions(module.blocks, types.module_scope(module)):
            if word.search(block.document.text, block.start, block.end) and _is_served(types, scope):
                yield scope


def _is_served(types: Types, scope: Scope) -> bool:
    """Whether a function seems to be called again and again: it handles requests or tasks, or stands in a module that
    others import."""
    node = scope.function
    if node is None or is_test(scope.module.path, types.project.root) or runs_once(scope):
        return False
    if any(last_name(d.decorator) in HANDLERS for d in node.decorators):
        return True
    return _is_imported(types, scope.module)


def _is_imported(types: Types, module: Module) -> bool:
    """Whether another module of the project, not a test, imports this one."""
    stem = module.path.parent.name if module.path.name == "__init__.py" else module.path.stem
    word = re.escape(stem)
    line = re.compile(rf"^[ \t]*(from[ \t][^\n]*\b{word}\b|import[ \t][^\n]*\b{word}\b)", re.MULTILINE)
    others = (m for m in types.project.mentioning(stem) if m is not module and not is_test(m.path, types.project.root))
    return any(_imports(other, line, module) for other in others)


def _imports(other: Module, line: re.Pattern[str], module: Module) -> bool:
    for found in line.finditer(other.document.text):
        words = re.findall(r"[.\w]+", found.group())
        named = [words[1]] if words[0] == "import" else [words[1], *_joined(words[1], words[3:])]
        if any(other.imported(name) is module for name in named):
            return True
    return False


def _joined(source: str, names: list[str]) -> list[str]:
    return [f"{source}{name}" if source.endswith(".") else f"{source}.{name}" for name in names]


def _scoped(scope: Scope) -> Iterator[tuple[cst.CSTNode, Scope]]:
    """Everything in a function, each with the scope around it."""
    node = scope.function
    if node is not None:
        yield from _scoped_node(node.body, scope)


def _scoped_node(node: cst.CSTNode, scope: Scope) -> Iterator[tuple[cst.CSTNode, Scope]]:
    stack = [(node, scope)]
    while stack:
        current, around = stack.pop()
        yield current, around
        inner = around.child(current) if isinstance(current, (cst.FunctionDef, cst.ClassDef, cst.Lambda)) else around
        stack.extend((part, inner) for part in children(current))
