"""LS402: what is written to a session is never committed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines, leaves, siblings
from lint_sessions.finding import Fix, Safety
from lint_sessions.flow.lifecycle import Lost
from lint_sessions.flow.units import lost_writes
from lint_sessions.flow.values import Site
from lint_sessions.project.names import bindings, children, dotted, first_name, parameters, path_to, walk, walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.rule import Rule, TraceStep

_ON_PURPOSE = re.compile(r"dry[_-]?run|simulat", re.IGNORECASE)
"""Who says this means not to store."""
_STORES = re.compile(r"commit|save|persist|store", re.IGNORECASE)
"""What a parameter is called that says whether to commit."""
_AUTOCOMMIT = re.compile(r"isolation_level[\"']?\s*[:=]\s*[\"']AUTOCOMMIT")


class WriteWithoutCommit(Rule):
    """Session is closed with something written and not committed.

    ## What it does
    Finds something that a function adds to, deletes from or changes through a session of its own (`add`, `delete`,
    `merge`, a query's `update`, an `insert()` that is executed), where the session is then closed with no `commit()` on
    that path, and no error either. Also a repository's write in the block of a unit of work that rolls back at its end
    what is not committed.

    ## Why is this bad?
    Closing a session rolls back what is not committed. The request is answered with 200, the instance even has its id
    after a flush, and the row is never stored. Nothing raises.

    ## Example
    ```python
    @app.post("/users")
    def create_user(name: str):
        with SessionLocal() as db:
            db.add(User(name=name))
            return {"name": name}
    ```

    ## Use instead
    ```python
    @app.post("/users")
    def create_user(name: str):
        with SessionLocal() as db:
            db.add(User(name=name))
            db.commit()
            return {"name": name}
    ```

    ## What it leaves alone
    A commit by a callee, or by the context manager that makes the session; `begin()`; sessions that somebody else owns,
    whose owner may commit; an explicit `rollback()`; a flag, counter or list that is changed beside the write and
    decides on the commit; paths on which an exception was caught or is in flight; sessions on a connection whose
    transaction somebody else commits; AUTOCOMMIT; dry runs; tests.

    ## Fix safety
    Unsafe: it stores what was not stored so far, which is its purpose. The commit becomes the last statement of the
    block that closes the session, or the last one before its `return`. Where no block closes it, or the block commits
    on some path already, can be left before its end, goes on after an error or stands in a `finally`, there is no fix.
    """

    code = "LS402"
    message = "`{write}` is lost: the session is closed with no commit"
    gates = (rb"\(",)
    deferred_to = frozenset(["LS101", "LS301"])
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        if node.name.value.startswith("test") or self.context.types.is_fixture(scope):
            return
        runs = self.context.lifecycle(scope)
        found = {(lost.site.key, lost.write): lost for lost in reversed(runs.lost)}
        for lost in found.values():
            if not self.context.owns(lost.write) or lost.site.node is None:
                continue
            if _is_counted(node, lost.write) or _is_asked_for(node) or _is_noted(node, lost.write):
                continue
            if not self._is_meant(lost.site, scope):
                self._report(lost)
        for write in lost_writes(self.context.types, scope):
            if not _ON_PURPOSE.search(self.context.source(node)):
                trace = [TraceStep(write.block, "entered here"), TraceStep(write.call, "written here")]
                self.report(write.call, trace=trace, write=self.context.short(write.call))

    def _is_meant(self, site: Site, scope: Scope) -> bool:
        """Whether nothing is to be stored, or nothing needs a commit."""
        block = scope.block
        own = block.text if block is not None else ""
        if site.flavor.on_connection or _ON_PURPOSE.search(own):
            return True
        return self.context.types.project.mentions(_AUTOCOMMIT)

    def _report(self, lost: Lost) -> None:
        steps = lost.trail.steps(lost.site) if lost.trail is not None else []
        closes = [place for place, event in steps if event == "closed" and self.context.owns(place)]
        made = lost.site.node if lost.site.node is not None else lost.write
        trace = [TraceStep(made, "acquired here"), TraceStep(lost.write, "written here")]
        trace += [TraceStep(place, "closed here, which rolls it back") for place in closes[-1:]]
        fix = partial(_commit_last, self.context, lost, closes)
        self.report(lost.write, trace=trace, write=self.context.short(lost.write), fix=fix)


def _is_counted(function: cst.FunctionDef, write: cst.CSTNode) -> bool:
    """Whether the commit stands in a loop like `while tries < 3`, which is not known to take a turn, but does."""
    return any(
        isinstance(loop, cst.While)
        and isinstance(loop.test, cst.Comparison)
        and _commits(loop.body)
        and all(part is not write for part in walk(loop.body))
        for loop in walk_scope(function)
    )


def _is_noted(function: cst.FunctionDef, write: cst.CSTNode) -> bool:
    """Whether what is done beside the write (a flag that is set, a counter, a list that grows) decides on a commit."""
    found = siblings(function, write)
    session = (
        dotted(write.func.value) if isinstance(write, cst.Call) and isinstance(write.func, cst.Attribute) else None
    )
    changed = {name for statement in found[0] for name in _changed(statement)} if found is not None else set()
    changed.discard(session)  # `if db:` asks whether there is one
    return any(
        isinstance(part, cst.If)
        and (_commits(part) or leaves(part.body.body[-1]))
        and any(isinstance(n, cst.Name) and n.value in changed for n in walk(part.test))
        for part in walk_scope(function)
    )


def _changed(statement: cst.CSTNode) -> Iterator[str]:
    """The names whose value a statement of one row gives or changes."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return
    for part in statement.body:
        match part:
            case cst.Assign(value=value) | cst.AnnAssign(value=value) if value is None or _is_nothing(value):
                roots = []
            case cst.Assign(targets=targets):
                roots = [first_name(target.target) for target in targets]
            case cst.AugAssign(target=target) | cst.AnnAssign(target=target):
                roots = [first_name(target)]
            case cst.Expr(value=cst.Call(func=cst.Attribute(value=receiver))):
                roots = [first_name(receiver)]
            case _:
                roots = []
        yield from (name for name in roots if name is not None)


def _is_nothing(value: cst.BaseExpression) -> bool:
    """Whether a value is one with which a flag, a counter or a collection begins."""
    match value:
        case cst.Name(value="False" | "None") | cst.Integer(value="0") | cst.List(elements=[]) | cst.Dict(elements=[]):
            return True
        case cst.Call(args=[]):
            return isinstance(value.func, cst.Name)
    return False


def _commits(node: cst.CSTNode) -> bool:
    return any(isinstance(part, cst.Attribute) and part.attr.value == "commit" for part in walk(node))


def _is_asked_for(function: cst.FunctionDef) -> bool:
    """Whether a parameter decides on the commit: then its caller knows why."""
    names = {p.name.value for p in parameters(function) if _STORES.search(p.name.value)}
    tests = (part.test for part in walk_scope(function) if isinstance(part, cst.If))
    return any(isinstance(n, cst.Name) and n.value in names for test in tests for n in walk(test))


def _commit_last(context: Context, lost: Lost, closes: Sequence[cst.CSTNode]) -> Fix | None:
    """Commit at the end of the `with` block that closes the session, where each run that goes well comes by."""
    for block in walk(context.block.node):
        if not isinstance(block, cst.With) or not isinstance(block.body, cst.IndentedBlock):
            continue
        item = next((i for i in block.items if any(part is lost.site.node for part in walk(i))), None)
        if item is None or item.asname is None or not any(part is lost.write for part in walk(block.body)):
            continue
        name = dotted(item.asname.name)
        if name is None or any(place is not item for place in closes) or _ends_otherwise(block.body, name):
            return None
        if any(isinstance(around, cst.Finally) for around in path_to(context.block.node, block)):
            return None  # runs that fail come by as well
        lines, last = Lines(context.block), block.body.body[-1]
        call = f"await {name}.commit()" if lost.site.flavor.is_async else f"{name}.commit()"
        rows = lines.rows([last])
        row = rows.stop
        if isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Return):
            if len(last.body) > 1 or any(part is lost.write for part in walk(last)):
                return None
            row = rows.start
        return Fix("Commit", Safety.UNSAFE, (lines.insert(row, [lines.indent(rows.start) + call]),))
    return None


def _ends_otherwise(body: cst.IndentedBlock, name: str) -> bool:
    """Whether a block commits somewhere already, can be left before its end with no error, goes on after an error, or
    gives the name up: a commit at its end would not be on the path of the loss, or on others too."""
    last = body.body[-1]
    inner = body.body[:-1] if isinstance(last, cst.SimpleStatementLine) else body.body
    return any(_goes_elsewhere(statement, name, in_loop=False) for statement in inner) or any(
        binding.name == name for statement in body.body for binding in bindings(statement)
    )


def _goes_elsewhere(node: cst.CSTNode, name: str, *, in_loop: bool) -> bool:
    match node:
        case cst.Return() | cst.Del():
            return True
        case cst.Break() | cst.Continue():
            return not in_loop
        case cst.Attribute(attr=cst.Name("commit")) if dotted(node.value) == name:
            return True
        case cst.ExceptHandler(body=suite) | cst.ExceptStarHandler(body=suite) if not _raises(suite.body[-1]):
            return True
        case cst.FunctionDef() | cst.ClassDef() | cst.Lambda():
            return False
    in_loop = in_loop or isinstance(node, (cst.For, cst.While))
    return any(_goes_elsewhere(part, name, in_loop=in_loop) for part in children(node))


def _raises(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[-1], cst.Raise)
