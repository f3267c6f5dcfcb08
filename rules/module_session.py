"""LS304: one session, made at import, for everybody."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import CLOSES, Lines, call_of, inner_closes, only_closes, without
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.callers import functions
from lint_sessions.flow.sharing import single_instances, users, users_of_attribute
from lint_sessions.late import bound_in, is_read_late, names_given, returns_lazily
from lint_sessions.project.modules import Module
from lint_sessions.project.names import first_name, mentions, parameters, walk
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.scripts import is_main_part, is_test
from lint_sessions.project.types import External, Flavor, InstanceType, SessionType
from lint_sessions.rule import LateFix, Rule, TraceStep
from lint_sessions.source.document import Block
from lint_sessions.trial import Trial, gives_instances

_APPLICATIONS = frozenset(["FastAPI", "Starlette", "Litestar"])


class ModuleSession(Rule):
    """Session is made once, at import, and shared by everybody.

    ## What it does
    Finds a session that is made where a module or a class body runs, in the constructor of an object that a module
    keeps, or for `app.state`, and that functions which run again and again use: route handlers, tasks, and functions
    of modules that others import.

    ## Why is this bad?
    A session is for one unit of work, in one thread or task at a time. One that all requests share mixes their
    transactions: one commits what another has half done, two at once raise IllegalStateChangeError or
    InvalidRequestError, and after one failed commit every later request fails with PendingRollbackError until the
    process is started anew. It also keeps its connection, and what it has loaded, for ever.

    ## Example
    ```python
    db = SessionLocal()


    @app.get("/users/{user_id}")
    def read_user(user_id: int):
        return db.get(User, user_id)
    ```

    ## Use instead
    ```python
    @app.get("/users/{user_id}")
    def read_user(user_id: int):
        with SessionLocal() as db:
            return db.get(User, user_id)
    ```

    ## What it leaves alone
    Factories, and the registries of `scoped_session`, which give each thread its own; the `__main__` part of a script
    and functions that only it calls; modules that nothing imports and that handle no requests; test modules; sessions
    that the module itself closes, or that no function uses.

    ## Fix safety
    Unsafe: each function that uses the session opens its own, so that instances which one of them returns are detached,
    with nothing more to be loaded, and no two functions work in one transaction any more. It is offered where only
    functions of the same file use the session, none of them is seen to rely on what another has left in it, and none
    returns instances in a project that has relationships.
    """

    code = "LS304"
    message = "{session} is made once and shared by {users}: one failure fails all that follow"
    gates = (rb"\(",)
    fixable = Safety.UNSAFE

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._made(node, target.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._made(node, node.target, node.value)

    def _made(self, statement: cst.CSTNode, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        scope, block = self.context.scope, self.context.block
        if scope.function is not None and scope.name != "__init__" and not isinstance(target, cst.Attribute):
            return
        if not isinstance(value, cst.Call) or is_main_part(block) or not self._is_session(value):
            return
        if is_test(scope.module.path, self.context.types.project.root):
            return
        types = self.context.types
        match target:
            case cst.Name(value=name) if scope.is_module:
                if not _is_closed(scope, name):
                    fix = partial(_open_in_each, self.context, name, value)
                    self._report(value, name, list(users(types, name, statement, scope)), fix=fix)
            case cst.Name(value=name) if scope.is_class and scope.parent is not None and scope.parent.is_module:
                self._report(value, f"{scope.name}.{name}", list(users_of_attribute(types, name, scope)))
            case cst.Attribute(value=cst.Name(value=first), attr=attr) if first == scope.first_parameter:
                self._constructed(value, attr.value)
            case cst.Attribute(value=cst.Attribute(value=app, attr=cst.Name(value="state"))):
                kind = types.infer(app, scope)
                if isinstance(kind, InstanceType) and isinstance(kind.cls, External) and kind.cls.last in _APPLICATIONS:
                    self.report(value, session=f"`{self.context.short(target)}`", users="all requests")

    def _is_session(self, value: cst.BaseExpression) -> bool:
        match self.context.types.infer(value, self.context.scope):
            case SessionType(flavor=flavor):
                return not flavor.is_scoped and not flavor.on_connection
        return False

    def _constructed(self, value: cst.BaseExpression, name: str) -> None:
        """A session that an object opens for itself, which a module makes once and keeps."""
        types, cls = self.context.types, self.context.scope.parent
        if cls is None or self.context.scope.name != "__init__":
            return
        inside = any(method.name != "__init__" for method in users_of_attribute(types, name, cls))
        for instance, statement, top, block in single_instances(types, cls):
            found = [user for user in users(types, instance, statement, top) if inside or user.mentions(name)]
            if found and not is_test(top.module.path, types.project.root):
                step = TraceStep(statement, f"the one `{instance}` is made here, at import", block)
                self._report(value, f"{cls.name}.{name}", found, [step])
                return

    def _report(
        self,
        value: cst.BaseExpression,
        name: str,
        found: Sequence[Scope],
        trace: Sequence[TraceStep] = (),
        fix: LateFix | None = None,
    ) -> None:
        if not found:
            return
        first = next((user for user in found if user.module is self.context.scope.module), found[0])
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        uses = [TraceStep(first.function, "used here", first.block)] if first.function is not None else []
        made = TraceStep(value, "made here")
        words = {"session": f"`{name}`", "users": f"`{first.qualified_name}`{more}"}
        self.report(value, fix=fix, trace=[made, *trace, *uses], **words)


def _is_closed(module: Scope, name: str) -> bool:
    """Whether the module's own statements close the session: then it is done with when the import ends."""
    statements = (block for block in module.module.blocks if block.kind == "statement")
    return any(f"{name}.close(" in block.text for block in statements)


# --- the fix ------------------------------------------------------------------------------------------------------


def _open_in_each(context: Context, name: str, value: cst.Call) -> Fix | None:
    """Take the session out of the module, and open one in each function that uses it."""
    module, kind = context.scope.module, context.types.infer(value, context.scope)
    match context.block.node:
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name())], value=made) | cst.AnnAssign(value=made)]
        ) if (
            made is value
            and isinstance(kind, SessionType)
            and context.enters(kind.flavor)
            and not mentions(value, name)
        ):
            pass
        case _:
            return None
    if last_name(value.func) in ("next", "anext") or _is_known_elsewhere(module, name):
        return None
    if any(_is_used_by(block, name) for block in _outside_functions(module) if block is not context.block):
        return None
    users = [_User(block, scope, name, value, kind.flavor) for block, scope in functions(module.blocks, context.scope)]
    users = [user for user in users if user.is_one]
    names = {user.scope.name for user in users}
    edits = [_taken_out(Lines(context.block))]
    for user in users:
        opened = user.opened(context, names) if user.may_open else None
        if opened is None:
            return None
        edits += opened
    trial = Trial(context, edits)
    if not users or not all(trial.is_sound(user.scope, reopened=0) for user in users):
        return None
    return Fix("Open a session in each call", Safety.UNSAFE, tuple(edits))


def _is_known_elsewhere(module: Module, name: str) -> bool:
    """Whether another module seems to get at what this one calls `name`."""
    stem, project = re.escape(module.path.stem), module.project
    imported = rf"\bfrom\s+[.\w]*\b{stem}\s+import\b\s*(?:\([^)]*|[^\n(]*?)(?:\b{name}\b|\*)"
    named = rf"(?<!/)\b{stem}\.{name}\b"  # but not in `sqlite:///app.db`
    return stem == "__init__" or project.mentions(re.compile(rf"{imported}|{named}|\b{stem}\s+as\s+\w"))


def _outside_functions(module: Module) -> Iterator[Block]:
    """The statements of a module and of its classes that are no functions; a class that is not cut counts as one."""
    stack = list(module.blocks)
    while stack:
        block = stack.pop()
        if block.kind == "class" and block.children:
            stack += block.children
        elif block.kind != "function":
            yield block


def _is_used_by(block: Block, name: str) -> bool:
    if name not in block.text:
        return False
    strings = (part.evaluated_value for part in walk(block.node) if isinstance(part, cst.SimpleString))
    return mentions(block.node, name) or name in bound_in([block.node]) or name in strings


def _taken_out(lines: Lines) -> Edit:
    """The statement deleted, with a comment of its own, and the blank rows that would stand twice."""
    own = lines.rows([lines.block.node])
    rows, end = own, own.stop
    while lines.text(end) and not lines.text(end).strip():
        end += 1
    if end > own.stop:
        rows = lines.with_comments(own, 0)
    is_apart = rows.start == 1 or not lines.text(rows.start - 1).strip()
    return lines.delete(range(rows.start, end if is_apart else own.stop))


_BEYOND = frozenset(
    ["add_task", "create_task", "ensure_future", "gather", "submit", "run_in_executor", "to_thread", "Thread", "delay"]
    + ["run_in_threadpool", "call_soon", "call_later", "map"]
)
"""What is called by these may run when the caller is done, or beside it."""

_RELATED = re.compile(r"\b[Rr]elationship\s*\(")
_GOING_ON = frozenset(
    ["commit", "flush", "rollback", "refresh", "expire", "expunge", "close", "new", "dirty", "deleted"]
)
"""A session that is used for these first has been used by somebody before."""


@dataclass(frozen=True, eq=False)
class _User:
    """A function of the file, and how it may use the session."""

    block: Block
    scope: Scope
    name: str
    value: cst.Call
    flavor: Flavor

    @property
    def function(self) -> cst.FunctionDef:
        function = self.scope.function
        assert function is not None
        return function

    @property
    def is_one(self) -> bool:
        """Whether it mentions the session, and has nothing of its own by that name."""
        if self.name not in self.block.text:
            return False
        declared = [*self.function.decorators, self.function.params]
        if any(mentions(part, self.name) for part in declared) or self.name in self.scope.outer_names:
            return True
        return mentions(self.function.body, self.name) and not self.scope.bound(self.name)

    @property
    def may_open(self) -> bool:
        """Whether it can open a session of its own, by the same call."""
        function, name = self.function, self.name
        if any(mentions(part, name) for part in (*function.decorators, function.params)):
            return False
        if (
            name in self.scope.outer_names
            or self.scope.is_generator
            or not isinstance(function.body, cst.IndentedBlock)
        ):
            return False
        if self.flavor.is_async and function.asynchronous is None:
            return False
        return not any(isinstance(part, cst.Name) and self.scope.bound(part.value) for part in walk(self.value))

    def opened(self, context: Context, users: Collection[str]) -> list[Edit] | None:
        """The edits that open a session around the statements which use it, or what they read; None where they may
        rely on what others have left in it."""
        body, call = list(self.function.body.body), context.source(self.value)
        if self._calls(users) or self._is_kept() or self._goes_on():
            return None
        entered = [p.item for s in body for p in walk(s) if isinstance(p, cst.WithItem) and p.asname is not None]
        reads = [p for s in body for p in walk(s) if isinstance(p, cst.Name) and p.value == self.name]
        if all(any(read is item for item in entered) for read in reads):
            places = [[self.block.document.offset(place) for place in self.block.span(read)] for read in reads]
            return [Edit(start, end, call) for start, end in places]
        if any(isinstance(p, cst.WithItem) and any(p.item is read for read in reads) for s in body for p in walk(s)):
            return None
        first, last, closes = self._run(body)
        if returns_lazily(body[first : last + 1], self.name) or (not closes and self._is_loaded_late(context)):
            return None
        if self.flavor.expires is not False and is_read_late(
            body[: last + 1], [] if closes else body[last + 1 :], self.name
        ):
            return None
        return self._enclosed(body, first, last, f"{'async ' * self.flavor.is_async}with {call} as {self.name}:")

    def _is_loaded_late(self, context: Context) -> bool:
        """Whether what the function returns may have relationships, which nothing can load when its block is over."""
        related = context.types.project.mentions(_RELATED)
        return related and gives_instances(context.lifecycle(self.scope))

    def _run(self, body: Sequence[cst.CSTNode]) -> tuple[int, int, bool]:
        """The first statement that uses the session; the last that uses it, or what is read from it; and whether that
        is a close, after which nothing can be loaded in any case."""
        uses = [i for i, statement in enumerate(body) if mentions(statement, self.name)]
        first, last = uses[0], uses[-1]
        closes = call_of(body[last], self.name, CLOSES) or only_closes(body[last], self.name) is not None
        end = -1
        while not closes and end != last:
            end, read = last, bound_in(body[first : last + 1])
            last = max(i for i, s in enumerate(body) if i <= last or any(mentions(s, name) for name in read))
        return first, last, closes

    def _enclosed(self, body: Sequence[cst.CSTNode], first: int, last: int, header: str) -> list[Edit]:
        """A block around some statements, in place of what closes there."""
        lines, inside = Lines(self.block), body[first : last + 1]
        rows = lines.rows(inside)
        gone = [lines.rows([close]) for close in inner_closes([self.function.body], self.name)]
        tried = [part for s in inside for part in walk(s) if isinstance(part, cst.Try)]
        clauses = {part: only_closes(part, self.name) for part in tried}
        whole = next((part for part in tried if inside == [part] and not part.handlers and clauses[part]), None)
        for part, clause in clauses.items():
            if clause is not None and (part.handlers or part is whole):
                gone.append(lines.with_blank(range(lines.rows([clause]).start, lines.rows([part]).stop)))
        if whole is not None:
            start = lines.document.offset(self.block.span(whole)[0])
            return without([Edit(start, start + len("try"), header.removesuffix(":"))], gone, lines)
        if first:
            rows = lines.with_comments(rows, lines.rows([body[first - 1]]).stop - 1)
        opening = lines.insert(rows.start, [lines.indent(lines.rows(inside).start) + header])
        return without([opening, *lines.deeper(rows, lines.step)], gone, lines)

    def _calls(self, users: Collection[str]) -> bool:
        """Whether it seems to call another function that uses the session."""
        for part in walk(self.function.body):
            if isinstance(part, cst.Call) and last_name(part.func) in users:
                root = first_name(part.func)
                if root != self.name and (root == self.scope.first_parameter or not self.scope.bound(root or "")):
                    return True
        return False

    def _is_kept(self) -> bool:
        """Whether the session gets to something that may use it when the function is done."""
        for part in walk(self.function.body):
            match part:
                case cst.FunctionDef() | cst.ClassDef() | cst.Lambda() if mentions(part, self.name):
                    return True
                case cst.Call(func=func) if last_name(func) in _BEYOND and mentions(part, self.name):
                    return True
                case cst.Assign(targets=targets, value=value):
                    inner = [t for t in targets if isinstance(t.target, (cst.Attribute, cst.Subscript))]
                    if inner and self.name in names_given(value):
                        return True
        return False

    def _goes_on(self) -> bool:
        """Whether the function seems to end or to store what another has begun."""
        used = [p for p in walk(self.function.body) if isinstance(p, cst.Attribute)]
        methods = [p.attr.value for p in used if isinstance(p.value, cst.Name) and p.value.value == self.name]
        if methods and methods[0] in _GOING_ON:
            return True
        given = {param.name.value for param in parameters(self.function)}
        return any(
            first_name(target.target) in given and not self._is_added(first_name(target.target))
            for part in walk(self.function.body)
            if isinstance(part, cst.Assign)
            for target in part.targets
            if isinstance(target.target, cst.Attribute) and not self._is_own(target.target)
        )

    def _is_own(self, target: cst.Attribute) -> bool:
        """Whether an assignment sets an attribute of the method's own object."""
        return isinstance(target.value, cst.Name) and target.value.value == self.scope.first_parameter

    def _is_added(self, name: str | None) -> bool:
        """Whether the function gives the session what a name holds."""
        calls = (part for part in walk(self.function.body) if isinstance(part, cst.Call))
        adding = (call for call in calls if last_name(call.func) in ("add", "add_all", "merge"))
        return name is not None and any(mentions(call, name) for call in adding)
