"""Which calls run a function of the project, and what they leave to its defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from lint_sessions.project.names import children, parameters
from lint_sessions.project.scopes import Scope, leaves
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, External, FunctionType, InstanceType, Type
from lint_sessions.source.document import Block, SyntaxProblem


@dataclass(frozen=True, eq=False)
class Call:
    """A call, with the scope and block it stands in."""

    node: cst.Call
    scope: Scope
    block: Block


def run_by(types: Types, callee: Type | None) -> list[Scope]:
    """What a call runs: a function; of a class, the class and its `__init__`; of an instance, its `__call__`."""
    match callee:
        case FunctionType(scope=scope):
            return [scope]
        case ClassType():
            made = types.method(callee, "__init__")
            return [callee.scope, made.scope] if made is not None else [callee.scope]
        case InstanceType(cls=ClassType() as cls):
            call = types.method(cls, "__call__")
            return [call.scope] if call is not None else []
    return []


def calls_of(types: Types, function: Scope) -> Iterator[Call]:
    """The calls of a function in the project, by its own name; of `__init__`, those of its class."""
    name = function.parent.name if function.name == "__init__" and function.parent is not None else function.name
    word = re.compile(rf"\b{re.escape(name)}\s*\(")
    for module in types.project.mentioning(name):
        if not word.search(module.document.text):
            continue
        for block, scope in leaves(module.blocks, types.module_scope(module)):
            if word.search(module.document.text, block.start, block.end):
                for call in calls_in(block, scope):
                    if function in run_by(types, types.infer(call.node.func, call.scope)):
                        yield call


def calls_in(block: Block, scope: Scope) -> Iterator[Call]:
    """Every call in a block, each with the scope it stands in."""
    try:
        pending: list[tuple[cst.CSTNode, Scope]] = [(block.node, scope)]
    except SyntaxProblem:
        return
    while pending:
        node, around = pending.pop()
        if isinstance(node, cst.Call):
            yield Call(node, around, block)
        if isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
            around = around.child(node, block)
        pending += [(part, around) for part in reversed(children(node))]


@dataclass(frozen=True, eq=False)
class Mention:
    """A place that means a function, or may mean it, with the scope it stands in, and what it stands in directly."""

    node: cst.CSTNode
    around: tuple[cst.CSTNode, ...]
    scope: Scope


def mentions_of(types: Types, function: Scope) -> Iterator[Mention]:
    """The places of the project that mean a function or may mean it, imports apart that give it no other name."""
    word = re.compile(rf"\b{re.escape(function.name)}\b")
    for module in types.project.mentioning(function.name):
        for block, scope in leaves(module.blocks, types.module_scope(module)):
            if word.search(module.document.text, block.start, block.end):
                for mention in _named(function.name, block, scope):
                    if _may_mean(types, mention, function):
                        yield mention


def _named(name: str, block: Block, scope: Scope) -> Iterator[Mention]:
    try:
        pending: list[tuple[tuple[cst.CSTNode, ...], Scope]] = [((block.node,), scope)]
    except SyntaxProblem:
        return
    while pending:
        path, around = pending.pop()
        node = path[-1]
        match node:
            case cst.Name(value=word) | cst.Attribute(attr=cst.Name(value=word)) if word == name:
                yield Mention(node, path[:-1], around)
            case cst.ImportFrom(names=[*aliases]) if any(a.asname and a.evaluated_name == name for a in aliases):
                yield Mention(node, path[:-1], around)
        inner = around.child(node, block) if isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Lambda)) else around
        pending += [((*path, part), inner) for part in reversed(children(node))]


def _may_mean(types: Types, mention: Mention, function: Scope) -> bool:
    node = mention.node
    if not isinstance(node, cst.Name | cst.Attribute):
        return True
    kind = types.infer(node, mention.scope)
    if kind is not None:
        return function in run_by(types, kind) or (isinstance(kind, External) and not kind.resolved)
    found = mention.scope.lookup(node.value) if isinstance(node, cst.Name) else None
    return isinstance(node, cst.Attribute) or (found is not None and found[0].is_module)


def passed(args: Sequence[cst.Arg], callee: Type | None, function: Scope) -> Iterator[tuple[str, cst.BaseExpression]]:
    """What a call of a function gives to which parameter; from `*args` on nothing is known."""
    node = function.function
    if node is None:
        return
    names = [p.name.value for p in (*node.params.posonly_params, *node.params.params)]
    is_bound = isinstance(callee, ClassType | InstanceType) or (
        isinstance(callee, FunctionType) and isinstance(callee.owner, InstanceType)
    )
    by_position = iter(names[1:] if is_bound or function.first_parameter == "cls" else names)
    for arg in args:
        if arg.star:
            return
        name = arg.keyword.value if arg.keyword is not None else next(by_position, None)
        if name is not None:
            yield name, arg.value


def omits(call: cst.Call, callee: Type | None, function: Scope, parameter: str) -> bool:
    """Whether a call leaves a parameter to its default; not where `*args` or `**kwargs` may give it."""
    node = function.function
    if node is None or any(arg.star for arg in call.args):
        return False
    if any(arg.keyword is not None and arg.keyword.value == parameter for arg in call.args):
        return False
    by_position = [p.name.value for p in (*node.params.posonly_params, *node.params.params)]
    is_bound = isinstance(callee, ClassType | InstanceType) or (
        isinstance(callee, FunctionType) and isinstance(callee.owner, InstanceType)
    )
    if is_bound or function.first_parameter == "cls":
        by_position = by_position[1:]
    given = sum(arg.keyword is None for arg in call.args)
    return parameter not in by_position[:given] and parameter in {p.name.value for p in parameters(node)}
