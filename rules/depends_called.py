"""LS201: `Depends(get_db())`."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.project.types import AwaitableType, GeneratorType, SessionType, Type, argument
from lint_sessions.rule import Rule


class DependsCalled(Rule):
    """Provider is called where it has to be passed.

    ## What it does
    Finds a yield provider or a session factory that is called inside `Depends(...)`, `Security(...)` or Litestar's
    `Provide(...)`, wherever those stand: a default, `Annotated[...]`, or `dependencies=[...]`.

    ## Why is this bad?
    The framework calls the provider itself, once a request. Given the generator or session that the call made, it
    refuses to start: the import fails with a TypeError ("is not a callable object"), and in `dependencies=[...]` with
    an AssertionError.

    ## Example
    ```python
    @app.get("/users")
    def users(db: Session = Depends(get_db())):
        return db.scalars(select(User)).all()
    ```

    ## Use instead
    ```python
    @app.get("/users")
    def users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## What it leaves alone
    A call that returns something callable: a closure, a `partial`, an instance with `__call__`, or anything whose
    result is not known.

    ## Fix safety
    Safe: code that has the misuse cannot be imported, so there is no correct run to change. No fix is offered where
    the call has arguments.
    """

    code = "LS201"
    message = "`{provider}` is called, so {marker} gets {given} and the import fails"
    gates = (rb"\b(\w*Depends|Security|Provide)\s*\(", rb"\)\s*[,)]")
    fixable = Safety.SAFE

    def visit_Call(self, node: cst.Call) -> None:
        types, scope = self.context.types, self.context.scope
        provider = argument(node, 0, "dependency")
        if not isinstance(provider, cst.Call) or not types.is_marker(types.infer(node.func, scope)):
            return
        callee = types.infer(provider.func, scope)
        of_registry = isinstance(callee, SessionType) and callee.flavor.is_scoped
        given = "a session" if of_registry else _not_callable(types.call(callee, provider, scope))
        if given is None and types.is_provider_name(callee) and not provider.args:
            given = "a generator"
        if given is None:
            return
        short = self.context.short
        self.report(
            node,
            provider=short(provider),
            marker=f"`{short(node.func)}`",
            given=given,
            fix=partial(_pass_it, self.context, provider) if given == "a generator" else None,
        )


def _not_callable(kind: Type | None) -> str | None:
    """What a call gives, in words, where that is known not to be callable."""
    match kind:
        case GeneratorType():
            return "a generator"
        case SessionType(flavor=flavor) if not flavor.is_scoped:
            return "a session"
        case AwaitableType(result=SessionType()):
            return "a coroutine"
    return None


def _pass_it(context: Context, provider: cst.Call) -> Fix | None:
    """Drop the call."""
    if provider.args:
        return None
    end = context.document.offset(context.block.span(provider.func)[1])
    last = context.document.offset(context.block.span(provider)[1])
    return Fix(f"Pass `{context.short(provider.func)}` itself", Safety.SAFE, (Edit(end, last, ""),))
