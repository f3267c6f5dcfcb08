"""Which names still matter at a point: a backward data-flow analysis over the control-flow graph.

What a name holds is worth keeping as long as the name is read again, and what is learnt of its truth as long as
something asks for that; all else would only tell apart states that go the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from lint_sessions.flow.graph import Action, BasicBlock, Graph, Step
from lint_sessions.project.names import parameters, walk, walk_scope

Liveness = dict[int, frozenset[str]]
"""By the id of a block: the names that are read on some path from its beginning; `asked(name)` where it is tested."""

_Step = tuple[frozenset[str], frozenset[str]]
"""The names that a step reads, and those that it binds."""

_MUTATORS = frozenset(
    ["add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "put"]
    + ["put_nowait", "remove", "setdefault", "update"]
)


_MAY_CHANGE = frozenset([cst.Call, cst.AssignTarget, cst.Del, cst.While])
_MAY_ASK = frozenset([cst.IfExp, cst.BooleanOperation, cst.Comparison, cst.UnaryOperation, cst.Arg])


def asked(name: str) -> str:
    """Stands for the truth of a name in a set of live names."""
    return f"?{name}"


def liveness(graph: Graph, node: cst.FunctionDef, parts: Sequence[cst.CSTNode]) -> Liveness:
    """The live names of each block of the function `node`, whose own scope has these `parts`."""
    constants, changing = _constants(node, parts), _changing(parts)
    blocks = list(_blocks(graph.entry))
    steps = {id(block): [_step(step, constants, changing) for step in block.steps] for block in blocks}
    live: Liveness = {id(block): frozenset() for block in blocks}
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


def _before(block: BasicBlock, steps: list[_Step], live: Liveness) -> frozenset[str]:
    after = [live[id(b)] for b in (block.then, block.otherwise) if b is not None]
    failing = live[id(block.error)] if block.error is not None else frozenset()
    found = frozenset[str]().union(*after)
    for reads, binds in reversed(steps):
        found = (found - binds) | reads | failing
    return found | failing


def _step(step: Step, constants: frozenset[str], changing: frozenset[str]) -> _Step:
    """What a step reads and binds, as names and as truths of names."""
    node = step.node
    binds: frozenset[str] = frozenset()
    evaluated: list[cst.CSTNode] = []
    asks: frozenset[str] = frozenset()
    match step.action, node:
        case Action.TEST, _:
            evaluated, asks = [node], _names(node)
        case Action.NEXT, cst.For(target=target):
            binds = _names(target)
        case Action.ITERATE, cst.For(iter=iterated):
            evaluated = [iterated]
        case Action.ENTER, cst.WithItem(item=item, asname=asname):
            evaluated, binds = [item], _names(asname.name) if asname is not None else binds
        case Action.HANDLE, cst.ExceptHandler(type=kind, name=asname):
            evaluated, binds = [kind] if kind is not None else [], _names(asname.name) if asname is not None else binds
        case Action.MATCH, cst.MatchCase(pattern=pattern):
            evaluated = [pattern]
        case Action.RUN, cst.Assign(targets=targets, value=value):
            binds = frozenset(t.target.value for t in targets if isinstance(t.target, cst.Name))
            evaluated = [value, *(t.target for t in targets if not isinstance(t.target, cst.Name))]
            if isinstance(value, (cst.Name, cst.UnaryOperation, cst.Comparison)):
                asks = _names(value)
        case Action.RETURN, cst.Return(value=cst.Name(value=name)):
            evaluated, asks = [node], frozenset([name]) & constants
        case ((Action.RUN | Action.EVALUATE | Action.RETURN | Action.RAISE), _):
            evaluated = [node]
    read = frozenset[str]().union(*(_names(part) for part in evaluated))
    asks = asks.union(*(_asked(part, constants) for part in evaluated)) - changing
    return read | {asked(name) for name in asks}, binds | {asked(name) for name in binds}


def _asked(node: cst.CSTNode, constants: frozenset[str]) -> frozenset[str]:
    """The names whose truth evaluating an expression or simple statement asks for."""
    found: set[str] = set()
    for part in walk_scope(node):
        if type(part) not in _MAY_ASK:
            continue
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
    """The names inside a node, those of nested functions as well."""
    return frozenset(part.value for part in walk(node) if type(part) is cst.Name)


def _constants(node: cst.FunctionDef, parts: Sequence[cst.CSTNode]) -> frozenset[str]:
    """The names that hold a constant somewhere: of those it also matters what is passed on or returned."""
    assigned = (n for n in parts if isinstance(n, cst.Assign) and _is_truth(n.value))
    names = {t.target.value for n in assigned for t in n.targets if isinstance(t.target, cst.Name)}
    return frozenset(names.union(p.name.value for p in parameters(node) if p.default and _is_truth(p.default)))


def _changing(parts: Sequence[cst.CSTNode]) -> frozenset[str]:
    """Names whose truth changes though nothing binds them anew: containers that grow and shrink."""
    found: set[str] = set()
    for part in parts:
        if type(part) not in _MAY_CHANGE:
            continue
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
