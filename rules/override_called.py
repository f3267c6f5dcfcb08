"""LS207: `app.dependency_overrides[get_db] = override()`."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.project.types import FactoryType, GeneratorType, SessionType, Type
from lint_sessions.rule import Rule


class OverrideCalled(Rule):
    """Override of a dependency is called, or is a sessionmaker.

    ## What it does
    Finds `dependency_overrides[provider] = override()` where the call gives a generator or a session, and overrides
    that are a sessionmaker or a scoped session, in `dependency_overrides.update({...})` and a new dictionary as well.

    ## Why is this bad?
    FastAPI calls the override itself, once a request. A generator or a session can't be called: each request is
    answered 500, with a TypeError. The parameters of a sessionmaker, `**local_kw`, are taken for those of the request,
    which is answered 422 for want of them.

    ## Example
    ```python
    def get_test_db():
        with SessionLocal(bind=test_engine) as db:
            yield db


    app.dependency_overrides[get_db] = get_test_db()
    ```

    ## Use instead
    ```python
    def get_test_db():
        with SessionLocal(bind=test_engine) as db:
            yield db


    app.dependency_overrides[get_db] = get_test_db
    ```

    ## What it leaves alone
    Functions and lambdas that return or yield a session, and calls that give something callable.

    ## Fix safety
    Safe: no request can have succeeded before. Only the call is dropped, and only where it has no arguments; a
    sessionmaker is not replaced.
    """

    code = "LS207"
    message = "`{override}` is {given}: every request that depends on `{provider}` {outcome}"
    gates = (rb"\bdependency_overrides\b",)
    fixable = Safety.SAFE

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            match target.target:
                case cst.Subscript(value=value, slice=[cst.SubscriptElement(slice=cst.Index(value=provider))]):
                    if _is_overrides(value):
                        self._check(provider, node.value)
                case value if _is_overrides(value):
                    self._check_all(node.value)

    def visit_Call(self, node: cst.Call) -> None:
        match node:
            case cst.Call(
                func=cst.Attribute(value=owner, attr=cst.Name(value="update")), args=[cst.Arg(value=value)]
            ) if _is_overrides(owner):
                self._check_all(value)

    def _check_all(self, overrides: cst.BaseExpression) -> None:
        for element in overrides.elements if isinstance(overrides, cst.Dict) else ():
            if isinstance(element, cst.DictElement):
                self._check(element.key, element.value)

    def _check(self, provider: cst.BaseExpression, override: cst.BaseExpression) -> None:
        types, scope = self.context.types, self.context.scope
        kind = types.infer(override, scope)
        known = _outcome(kind)
        if known is None and isinstance(override, cst.Call) and not override.args:
            known = _CALLED if types.is_provider_name(types.infer(override.func, scope)) else None
        if known is None:
            return
        given, outcome = known
        is_call = isinstance(kind, GeneratorType) or known is _CALLED
        self.report(
            override,
            override=self.context.short(override),
            given=given,
            provider=self.context.short(provider),
            outcome=outcome,
            fix=partial(_drop_call, self.context, override) if is_call else None,
        )


_CALLED = ("a generator", "answers 500")


def _is_overrides(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Attribute) and node.attr.value == "dependency_overrides"


def _outcome(kind: Type | None) -> tuple[str, str] | None:
    """What an override is and what comes of it, where it is no provider."""
    match kind:
        case GeneratorType():
            return _CALLED
        case SessionType(flavor=flavor):
            return ("a registry", "answers 422") if flavor.is_scoped else ("a session", "answers 500")
        case FactoryType():
            return "a factory", "answers 422"
    return None


def _drop_call(context: Context, override: cst.BaseExpression) -> Fix | None:
    if not isinstance(override, cst.Call) or override.args:
        return None
    start = context.document.offset(context.block.span(override.func)[1])
    end = context.document.offset(context.block.span(override)[1])
    return Fix(f"Pass `{context.short(override.func)}` itself", Safety.SAFE, (Edit(start, end, ""),))
