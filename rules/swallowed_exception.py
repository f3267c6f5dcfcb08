"""LS103: a provider that catches the exception of its user, and goes on as if there had been none."""

from __future__ import annotations

from functools import partial
from itertools import product

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.providers import ANY_ERROR, HTTP_ERRORS, Provider
from lint_sessions.project.names import parameters, path_to, walk, walk_scope
from lint_sessions.requirements import MUST_RAISE
from lint_sessions.rule import Rule, TraceStep


class SwallowedException(Rule):
    """Provider catches the error of the request and does not raise it again.

    ## What it does
    Finds generator functions that yield a session, catch what is thrown in at the `yield`, and then end normally:
    a handler without `raise`, a `return` in `finally`, `contextlib.suppress`.

    ## Why is this bad?
    From FastAPI 0.110 on a dependency has to raise again what it catches. If it does not, FastAPI has no response and
    fails with an error of its own: every HTTPException of the route, a 404 too, arrives as 500, and the real error is
    in no log. Older versions answer as the route does, but the providers around this one go on as if nothing had
    failed, and a commit below the `yield` that fails is told to nobody. A context manager that swallows lets the code
    below the `with` block go on as if the work were stored.

    ## Example
    ```python
    def get_db():
        db = SessionLocal()
        try:
            yield db
        except Exception:
            db.rollback()
        finally:
            db.close()
    ```

    ## Use instead
    ```python
    def get_db():
        db = SessionLocal()
        try:
            yield db
        except Exception:
            db.rollback()
            raise
        finally:
            db.close()
    ```

    ## What it leaves alone
    Handlers that raise something else; handlers that stand around other statements than the `yield`, or that take only
    GeneratorExit or a cancellation; a parameter that decides whether to raise; modules that work with Litestar, and
    projects that depend on it and not on FastAPI, for it raises the error itself; pytest fixtures.

    ## Fix safety
    Safe for a dependency, from FastAPI 0.110 on: the run that changes is one that failed with FastAPI's own error.
    Unsafe where the project may run with an older version, which answers the request then, and for a context manager,
    whose callers then get the error. The handler gets a `raise` as its last statement.
    """

    code = "LS103"
    message = "{what} swallows what arrives at the `yield` of `{provider}`: {then}"
    gates = (rb"\byield\b", rb"\b(except|return|suppress|with)\b")
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        provider = self.context.provider(self.context.scope_of(node))
        if provider is None or "litestar" in self.context.document.text or not self.context.fastapi.used:
            return
        found: dict[cst.CSTNode, cst.Yield] = {}
        for place, raised in product(provider.yields, ANY_ERROR):
            runs = provider.after(place, raised)
            # Where it comes to another yield, that is the misuse (LS110).
            again = {_swallower(node, provider.trail(place, pause.state)) for pause in runs.paused}
            for state, _ in runs.returned:
                end = _swallower(node, provider.trail(place, state))
                if end not in again and self.context.owns(end or place) and not _is_asked_for(node, end or place):
                    found.setdefault(end or place, place)
        for end, place in found.items():
            self._report(provider, place, end)

    def _report(self, provider: Provider, place: cst.Yield, end: cst.CSTNode) -> None:
        trace = [TraceStep(place, "an exception arrives here")]
        if end is not place:
            trace.append(TraceStep(end, "ends here, and the provider goes on as if there were none"))
        self.report(
            end,
            trace=trace,
            what=_what(self.context, end),
            provider=provider.scope.name,
            then=self._consequence(provider, place, end),
            fix=partial(_raise_again, self.context, provider, end),
        )

    def _consequence(self, provider: Provider, place: cst.Yield, end: cst.CSTNode) -> str:
        if provider.is_manager:
            return "the code after the `with` block goes on"
        fastapi, function = self.context.fastapi, provider.scope.function
        if not fastapi.is_from(MUST_RAISE) and function is not None:
            trails = (provider.trail(place, state) for state, _ in provider.after_writing(place))
            if any(_swallower(function, trail) is end for trail in trails):
                return f"a commit that fails there goes unnoticed ({fastapi.name})"
            return f"from FastAPI 0.110 on a route's 404 becomes 500 (here: {fastapi.name})"
        if all(provider.after(place, raised).returned for raised in HTTP_ERRORS):
            return f"the route's 404 becomes 500 ({fastapi.name})"
        return f"an error of FastAPI's own hides it ({fastapi.name})"


def _what(context: Context, end: cst.CSTNode) -> str:
    match end:
        case cst.Return():
            return "`return` in `finally`"
        case cst.ExceptHandler(type=cst.BaseExpression() as kind):
            return f"`except {context.short(kind, 30)}`"
        case cst.ExceptHandler():
            return "`except:`"
    return "a context manager"


def _swallower(function: cst.FunctionDef, steps: list[tuple[cst.CSTNode, str]]) -> cst.CSTNode | None:
    """The handler that ends the exception on a path, or the return statement in a `finally`."""
    for node, event in steps:
        if event == "returned" and any(isinstance(part, cst.Finally) for part in path_to(function, node)):
            return node
    caught = [node for node, event in steps if event == "caught"]
    outermost = [n for n in caught if not any(other is not n and _holds(other, n) for other in caught)]
    return outermost[-1] if outermost else None


def _holds(around: cst.CSTNode, node: cst.CSTNode) -> bool:
    return any(part is node for part in walk(around))


def _is_asked_for(function: cst.FunctionDef, end: cst.CSTNode) -> bool:
    """Whether a parameter decides if the handler raises: then its caller wants what it does."""
    names = {param.name.value for param in parameters(function)}
    for part in walk_scope(end):
        if isinstance(part, cst.If) and any(isinstance(inner, cst.Raise) for inner in walk_scope(part)):
            return any(isinstance(name, cst.Name) and name.value in names for name in walk(part.test))
    return False


def _raise_again(context: Context, provider: Provider, end: cst.CSTNode) -> Fix | None:
    """Make `raise` the last statement of the handler, or take a bare `return` out of the `finally`."""
    is_safe = not provider.is_manager and context.fastapi.is_from(MUST_RAISE)
    safety = Safety.SAFE if is_safe else Safety.UNSAFE
    if isinstance(end, cst.Return):
        edit = _without_return(context, end)
        return Fix("Let the exception go on", safety, (edit,)) if edit is not None else None
    if not isinstance(end, cst.ExceptHandler) or not isinstance(end.body, cst.IndentedBlock):
        return None
    last = end.body.body[-1]
    returns = [part for part in walk_scope(end) if isinstance(part, cst.Return)]
    match last:
        case cst.SimpleStatementLine(body=[cst.Pass() | cst.Return(value=None) as only]) if returns in ([], [only]):
            start, stop = (context.document.offset(place) for place in context.block.span(only))
            return Fix("Raise again", safety, (Edit(start, stop, "raise"),))
    if returns or any(isinstance(part, (cst.Break, cst.Continue, cst.Yield)) for part in walk_scope(end)):
        return None
    lines = Lines(context.block)
    indent = lines.indent(lines.rows([end.body.body[0]]).start)
    return Fix("Raise again", safety, (lines.insert(lines.rows([last]).stop, [f"{indent}raise"]),))


def _without_return(context: Context, end: cst.Return) -> Edit | None:
    suite = next((part for part in reversed(path_to(context.block.node, end)) if isinstance(part, cst.Finally)), None)
    statement = suite.body.body[-1] if suite is not None else None
    match statement:
        case cst.SimpleStatementLine(body=[cst.Return(value=None) as only]) if only is end and suite is not None:
            lines = Lines(context.block)
            return lines.delete(lines.rows([statement])) if len(suite.body.body) > 1 else None
    return None
