"""LS202: `Depends(SessionLocal)`."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.imports import reach
from lint_sessions.project.known import SESSION_CLASSES
from lint_sessions.project.names import dotted
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import (
    ClassType,
    External,
    FactoryType,
    FunctionType,
    InstanceType,
    SessionType,
    Type,
    argument,
)
from lint_sessions.rule import Rule


class DependsOnSessionmaker(Rule):
    """Session factory or class is passed where a provider has to be.

    ## What it does
    Finds FastAPI's `Depends(...)` and `Security(...)` on a sessionmaker, a scoped session or a session class, and
    `Depends()` on a parameter that is annotated with a session class.

    ## Why is this bad?
    FastAPI takes the parameters of what it calls for parameters of the request. Those of a sessionmaker are
    `**local_kw`, so every request is answered 422, for want of a query parameter `local_kw`; those of `AsyncSession`
    and of a scoped session are `**kw`. `Session` is made without an engine, since no request can give one: its first
    statement fails with an UnboundExecutionError, and so does `/openapi.json`. And nothing would close such a session.

    ## Example
    ```python
    @app.get("/users")
    def users(db: Session = Depends(SessionLocal)):
        return db.scalars(select(User)).all()
    ```

    ## Use instead
    ```python
    def get_db():
        with SessionLocal() as db:
            yield db


    @app.get("/users")
    def users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## What it leaves alone
    A provider that merely has such a name; a function that returns the factory; a session class of the project that
    takes its own parameters; anything that `dependency_overrides` puts something else in the place of.

    ## Fix safety
    Safe where the project has exactly one provider that opens its session with this factory, and closes it whatever
    happens: no request can have succeeded before. Unsafe where it is a class, or a factory made on the spot, and the
    file, or else the project, has exactly one such provider: its sessions may be bound to something else. Otherwise
    there is no fix.
    """

    code = "LS202"
    message = "`{call}` {outcome}"
    gates = (rb"\b(Depends|Security)\s*\(",)
    fixable = Safety.SAFE

    def visit_Param(self, node: cst.Param) -> None:
        annotation = node.annotation.annotation if node.annotation is not None else None
        if node.default is not None and annotation is not None:
            self._implied(node.default, annotation)

    def visit_Subscript(self, node: cst.Subscript) -> None:
        match node.slice:
            case [cst.SubscriptElement(slice=cst.Index(value=annotation)), *rest]:
                for element in rest:
                    if isinstance(element.slice, cst.Index):
                        self._implied(element.slice.value, annotation)

    def _implied(self, call: cst.BaseExpression, annotation: cst.BaseExpression) -> None:
        """`Depends()` calls what the parameter is annotated with."""
        if isinstance(call, cst.Call) and argument(call, 0, "dependency") is None:
            self._check(call, annotation)

    def visit_Call(self, node: cst.Call) -> None:
        provider = argument(node, 0, "dependency")
        if provider is not None:
            self._check(node, provider)

    def _check(self, call: cst.Call, provider: cst.BaseExpression) -> None:
        wiring, scope = self.context.wiring, self.context.scope
        marker = wiring.marker(call, scope)
        if marker is None or not wiring.is_fastapi(marker):
            return
        kind = self.context.types.infer(provider, scope)
        if isinstance(provider, cst.Call) and isinstance(self.context.types.infer(provider.func, scope), SessionType):
            return  # a session of the registry, which is no callable: depends-called
        outcome = self._outcome(kind)
        if kind is None or outcome is None or wiring.is_overridden(provider, scope):
            return
        self.report(
            call,
            call=self.context.short(call),
            outcome=outcome,
            fix=partial(_depend_on_provider, self.context, scope, call, provider, kind),
        )

    def _outcome(self, kind: Type | None) -> str | None:
        """What comes of it, where it is known to come to nothing good."""
        types = self.context.types
        match kind:
            case SessionType(flavor=flavor) if flavor.is_scoped:
                return _ASKS.format("kw")
            case FactoryType():
                return _ASKS.format("local_kw")
            case External() if types.is_factory_name(kind) and kind.last[:1].isupper():
                return _ASKS.format("local_kw")
            case External(name=name) if name in SESSION_CLASSES:
                return _ASKS.format("kw") if SESSION_CLASSES[name].is_async else _UNBOUND
            case ClassType() if types.method(kind, "__init__") is None and (own := types.session_class(kind)):
                return _ASKS.format("kw") if own.is_async else _UNBOUND
        return None


_ASKS = "asks every request for a parameter `{}`, else answers 422"
_UNBOUND = "makes a session that has no engine, so requests fail"


def _depend_on_provider(
    context: Context, scope: Scope, call: cst.Call, provider: cst.BaseExpression, kind: Type
) -> Fix | None:
    found, safety = _sound_provider(context, scope, provider, kind)
    reached = reach(context.types, found, context.block, scope) if found is not None else None
    if reached is None:
        return None
    name, edits = reached
    span = context.block.span(provider)
    start, end = (context.document.offset(place) for place in span)
    if argument(call, 0, "dependency") is None:
        start = end = context.document.offset(context.block.span(call)[1]) - 1
        if call.args:
            return None
    return Fix(f"Depend on `{name}`", safety, (*edits, Edit(start, end, name)))


def _sound_provider(
    context: Context, scope: Scope, provider: cst.BaseExpression, kind: Type
) -> tuple[FunctionType | None, Safety]:
    """The one provider that can stand there, and how safe it is to put it there."""
    if isinstance(kind, FactoryType) and dotted(provider):
        sound = [p for p in context.wiring.providers_of(provider, scope) if context.is_sound(p)]
        return (sound[0] if len(sound) == 1 else None), Safety.SAFE
    made = kind if isinstance(kind, SessionType) else context.types.result(kind)
    if not isinstance(made, SessionType) or isinstance(kind, InstanceType):
        return None, Safety.UNSAFE
    sound = [p for p in context.wiring.providers(is_async=made.flavor.is_async) if context.is_sound(p)]
    near = [p for p in sound if p.scope.module is scope.module] or sound
    return (near[0] if len(near) == 1 else None), Safety.UNSAFE
