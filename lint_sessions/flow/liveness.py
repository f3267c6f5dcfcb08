"""Which names' truth still matters at a point: a backward data-flow analysis over the control-flow graph.

What is learnt of a name in a condition is worth keeping only as long as something asks for it again; all else would
only tell apart states that go the same way.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from lint_sessions.flow.graph import Action, BasicBlock, Graph, Step
from lint_sessions.project.names import parameters, walk_scope

_Step = tuple[frozenset[str], frozenset[str]]
"""The names that a step asks for, and those that it binds."""


_MUTATORS = frozenset(
    ["add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "put"]
    + ["put_nowait", "remove", "setdefault", "update"]
)

LiveTruths = dict[int, frozenset[str]]
"""By the id of a block: the names whose truth is asked for on some path from its beginning."""


def live_truths(graph: Graph, node: cst.FunctionDef) -> LiveTruths:
    """The live truths of each block of the function `node`."""
    constants, changing = _constants(node), _changing(node)
    blocks = list(_blocks(graph.entry))
    steps = {id(block): [_step(step, constants, changing) for step in block.steps] for block in blocks}
    live: LiveTruths = {id(block): frozenset() for block in blocks}
    changed = True
    while changed:
        changed = False
        for block in reversed(blocks):
            found = _before(block, steps[id(block)], live)
            if found != live[id(block)]:
                live[id(block)] = found
                changed = True
    return live


def asked_names(node: cst.FunctionDef) -> frozenset[str]:
    """The names whose truth a function asks for anywhere."""
    found = set(_asked(node.body, frozenset()))
    for part in walk_scope(node.body):
        if isinstance(part, (cst.If, cst.While, cst.Assert)):
            found |= _names(part.test)
    return frozenset(found)


def _blocks(entry: BasicBlock) -> Iterator[BasicBlock]:
    seen: set[int] = set()
    waiting = [entry]
    while waiting:
        block = waiting.pop()
        if id(block) in seen:
            continue
        seen.add(id(block))
        yield block
        waiting += [b for b in (block.error, block.otherwise, block.then) if b is not None]


def _before(block: BasicBlock, steps: list[_Step], live: LiveTruths) -> frozenset[str]:
    after = [live[id(b)] for b in (block.then, block.otherwise) if b is not None]
    failing = live[id(block.error)] if block.error is not None else frozenset()
    found = frozenset[str]().union(*after)
    for asks, binds in reversed(steps):
        found = (found - binds) | asks | failing
    return found | failing


def _step(step: Step, constants: frozenset[str], changing: frozenset[str]) -> _Step:
    asks, binds = _asks_and_binds(step, constants)
    return asks - changing, binds


def _asks_and_binds(step: Step, constants: frozenset[str]) -> _Step:
    node = step.node
    match step.action, node:
        case Action.TEST, _:
            return _names(node) | _asked(node, constants), frozenset()
        case Action.NEXT, cst.For(target=target):
            return frozenset(), _names(target)
        case Action.ITERATE, cst.For(iter=iterated):
            return _asked(iterated, constants), frozenset()
        case Action.ENTER, cst.WithItem(item=item, asname=asname):
            return _asked(item, constants), _names(asname.name) if asname is not None else frozenset()
        case Action.HANDLE, cst.ExceptHandler(name=cst.AsName(name=name)):
            return frozenset(), _names(name)
        case Action.RUN, cst.Assign(targets=targets, value=value):
            bound = frozenset(t.target.value for t in targets if isinstance(t.target, cst.Name))
            copied = _names(value) if isinstance(value, (cst.Name, cst.UnaryOperation, cst.Comparison)) else frozenset()
            return copied | _asked(value, constants), bound
        case ((Action.RUN | Action.EVALUATE | Action.RETURN | Action.RAISE), _):
            returned = node.value if isinstance(node, cst.Return) else None
            given = _names(returned) & constants if isinstance(returned, cst.Name) else frozenset()
            return given | _asked(node, constants), frozenset()
    return frozenset(), frozenset()


def _asked(node: cst.CSTNode, constants: frozenset[str]) -> frozenset[str]:
    """The names whose truth evaluating an expression or simple statement asks for."""
    found: set[str] = set()
    for part in walk_scope(node):
        match part:
            case cst.IfExp(test=test):
                found |= _names(test)
            case cst.BooleanOperation(left=left):
                found |= _names(left)
            case cst.Comparison() | cst.UnaryOperation(operator=cst.Not()):
                found |= _names(part)
            case cst.Arg(value=cst.Name(value=name)) if name in constants:
                found.add(name)
    return frozenset(found)


def _names(node: cst.CSTNode) -> frozenset[str]:
    if isinstance(node, cst.Name):
        return frozenset([node.value])
    return frozenset(part.value for part in walk_scope(node) if isinstance(part, cst.Name))


def _constants(node: cst.FunctionDef) -> frozenset[str]:
    """The names that hold a constant somewhere: of those it also matters what is passed on or returned."""
    assigned = (n for n in walk_scope(node) if isinstance(n, cst.Assign) and _is_truth(n.value))
    names = {t.target.value for n in assigned for t in n.targets if isinstance(t.target, cst.Name)}
    return frozenset(names.union(p.name.value for p in parameters(node) if p.default and _is_truth(p.default)))


def _changing(node: cst.FunctionDef) -> frozenset[str]:
    """Names whose truth changes though nothing binds them anew: containers that grow and shrink."""
    found: set[str] = set()
    for part in walk_scope(node):
        match part:
            case cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value=method))):
                if method in _MUTATORS:
                    found.add(name)
            case cst.AssignTarget(target=cst.Subscript(value=cst.Name(value=name))):
                found.add(name)
            case cst.Del(target=cst.Subscript(value=cst.Name(value=name))):
                found.add(name)
            case cst.While(test=cst.Name(value=name)):
                found.add(name)
    return frozenset(found)


def _is_truth(node: cst.BaseExpression) -> bool:
    match node:
        case cst.Name(value="None" | "True" | "False") | cst.Comparison() | cst.UnaryOperation(operator=cst.Not()):
            return True
    return False
