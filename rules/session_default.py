"""LS204: `def f(db: Session = SessionLocal())`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import CLOSES, Lines
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.imports import marker_name, reach
from lint_sessions.project.calls import Call, calls_of, omits
from lint_sessions.project.names import dotted, parameters, walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.scripts import runs_once
from lint_sessions.project.types import AwaitableType, FunctionType, GeneratorType, SessionType, Type
from lint_sessions.rule import Rule, TraceStep


class SessionDefault(Rule):
    """Default of a parameter makes a session, once for all calls.

    ## What it does
    Finds parameters whose default calls a session factory or a provider, in routes and dependencies of FastAPI, and in
    functions that some call leaves the argument out of.

    ## Why is this bad?
    A default is made once, when the function is defined. A route that declares its type can't be imported then; one
    that does not answers 500, because FastAPI copies defaults and a session can't be copied. Of any other function all
    calls share that one session: it keeps its connection for ever, what one call leaves unfinished is committed by
    another, and after one failed flush every later call fails.

    ## Example
    ```python
    @app.get("/users")
    def users(db: Session = SessionLocal()):
        return db.scalars(select(User)).all()
    ```

    ## Use instead
    ```python
    @app.get("/users")
    def users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## What it leaves alone
    A default that no call is seen to use; a function that closes its session in each call; the registry of a scoped
    session; scripts.

    ## Fix safety
    Unsafe: what used to be shared is not any more. In a route or dependency the default becomes `Depends(provider)`; in
    another function it becomes None, and a call that leaves it out opens a session of its own for as long as it lasts.
    """

    code = "LS204"
    message = "`{parameter}` makes one {given}, at import: {harm}"
    gates = ((rb"\bdef\s+\w+\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*?=\s*(?:await\s+)?[\w.]+\s*\("),)
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        types, outside = self.context.types, self.context.scope
        for param in parameters(node):
            default = param.default
            if not isinstance(default, cst.Call) or self.context.wiring.marker(default, outside) is not None:
                continue
            given = _made(types.infer(default, outside))
            if given is None and not default.args and types.is_provider_name(types.infer(default.func, outside)):
                given = "generator"
            if given is not None:
                self._check(node, param, default, given)

    def _check(self, node: cst.FunctionDef, param: cst.Param, default: cst.Call, given: str) -> None:
        scope = self.context.scope_of(node)
        used: Call | None = None
        if self.context.wiring.is_injected(scope):
            harm = "the import fails" if param.annotation is not None else "every request answers 500"
            fix = partial(_depend, self.context, self.context.scope, default)
        else:
            used = next(self._uses(scope, node, param.name.value), None)
            if used is None:
                return
            harm = "all calls share it"
            fix = partial(_open_inside, self.context, node, param, default)
        self.report(
            default,
            trace=[TraceStep(used.node, f"this call leaves `{param.name.value}` out", used.block)] if used else [],
            parameter=f"{param.name.value}={self.context.short(default)}",
            given=given,
            harm=harm,
            fix=fix,
        )

    def _uses(self, scope: Scope, node: cst.FunctionDef, name: str) -> Iterator[Call]:
        """The calls that leave a parameter to its default, in what runs more than once."""
        if _closes(node, name):
            return
        for call in calls_of(self.context.types, scope):
            callee = self.context.types.infer(call.node.func, call.scope)
            is_script = "__main__" in call.block.document.text if call.scope.is_module else runs_once(call.scope)
            if omits(call.node, callee, scope, name) and not is_script:
                yield call


def _made(kind: Type | None) -> str | None:
    """What a default is, where it is a session or leads to one."""
    match kind:
        case SessionType(flavor=flavor) if not flavor.is_scoped:
            return "session"
        case GeneratorType(yields=SessionType()):
            return "generator"
        case AwaitableType(result=SessionType()):
            return "coroutine"
    return None


def _closes(node: cst.FunctionDef, name: str) -> bool:
    """Whether a function closes what its parameter holds, be it on some path."""
    for part in walk(node.body):
        match part:
            case cst.Attribute(value=cst.Name(value=owner), attr=cst.Name(value=method)):
                if owner == name and method in CLOSES:
                    return True
            case cst.WithItem(item=cst.Name(value=entered)) if entered == name:
                return True
    return False


def _depend(context: Context, scope: Scope, default: cst.Call) -> Fix | None:
    """`Depends(provider)` in place of the call."""
    depends = marker_name(context.types, scope)
    provider = context.types.infer(default.func, scope)
    name: str | None = None
    edits: tuple[Edit, ...] = ()
    if isinstance(provider, FunctionType) and isinstance(context.types.result(provider), GeneratorType):
        name = context.source(default.func) if not default.args else None
    elif dotted(default.func):
        sound = [p for p in context.wiring.providers_of(default.func, scope) if context.is_sound(p)]
        reached = reach(context.types, sound[0], context.block, scope) if len(sound) == 1 else None
        name, edits = reached if reached is not None else (None, ())
    if depends is None or name is None:
        return None
    start, end = (context.document.offset(place) for place in context.block.span(default))
    return Fix(f"Depend on `{name}`", Safety.UNSAFE, (*edits, Edit(start, end, f"{depends}({name})")))


def _open_inside(context: Context, node: cst.FunctionDef, param: cst.Param, default: cst.Call) -> Fix | None:
    """None for the default, and a call of its own with a session that is opened for it."""
    scope = context.scope_of(node)
    made = context.types.infer(default, context.scope)
    if not isinstance(made, SessionType) or not context.enters(made.flavor):
        return None
    if scope.is_generator or not isinstance(node.body, cst.IndentedBlock):
        return None
    if not context.scope.is_module or node.decorators or (made.flavor.is_async and node.asynchronous is None):
        return None
    lines, name, body = Lines(context.block), param.name.value, node.body.body
    has_docstring = node.get_docstring() is not None
    if len(body) == has_docstring:
        return None
    rows = lines.rows([body[has_docstring]])
    row = lines.with_comments(rows, lines.rows([body[0] if has_docstring else param]).stop - 1).start
    indent, step = lines.indent(row), lines.step
    is_async = "async " if made.flavor.is_async else ""
    again = "await " if node.asynchronous is not None else ""
    start, end = (context.document.offset(place) for place in context.block.span(default))
    edits = [
        Edit(start, end, "None"),
        lines.insert(
            row,
            [
                f"{indent}if {name} is None:",
                f"{indent}{step}{is_async}with {context.source(default)} as {name}:",
                f"{indent}{step}{step}return {again}{node.name.value}({_passed_on(node)})",
            ],
        ),
    ]
    if param.annotation is not None:
        declared = context.document.offset(context.block.span(param.annotation.annotation)[1])
        edits.append(Edit(declared, declared, " | None"))
    return Fix("Open a session in the call", Safety.UNSAFE, tuple(edits))


def _passed_on(node: cst.FunctionDef) -> str:
    """The arguments that give a function all its parameters again."""
    params = node.params
    words = [p.name.value for p in (*params.posonly_params, *params.params)]
    if isinstance(params.star_arg, cst.Param):
        words.append(f"*{params.star_arg.name.value}")
    words += [f"{p.name.value}={p.name.value}" for p in params.kwonly_params]
    if params.star_kwarg is not None:
        words.append(f"**{params.star_kwarg.name.value}")
    return ", ".join(words)
