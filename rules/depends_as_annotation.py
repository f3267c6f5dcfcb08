"""LS203: `db: Depends(get_db)`."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.imports import marker_name, session_name
from lint_sessions.project.known import SESSION_CLASSES
from lint_sessions.project.names import dotted, parameters, walk
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.types import (
    External,
    FactoryType,
    FunctionType,
    GeneratorType,
    SessionType,
    Type,
    argument,
)
from lint_sessions.rule import Rule


class DependsAsAnnotation(Rule):
    """Provider stands where FastAPI does not look for it.

    ## What it does
    Finds parameters of routes and dependencies in which the type, the provider and `Depends` have changed places:
    `Depends(...)` as the annotation, a provider or factory as the default without `Depends`, a provider as the
    annotation with no `Depends()` beside it, and `Annotated[Session, get_db]`.

    ## Why is this bad?
    FastAPI takes an annotation for a type and a default for a value. A `Depends` object or a `Session` is no type that
    a request could be read into, so the import fails: with an AttributeError, or with "Invalid args for response
    field". Where the annotation is a function, or missing, the application starts, and every request gets the
    provider, the class or None instead of a session, and is answered 500.

    ## Example
    ```python
    @app.get("/users")
    def users(db: Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## Use instead
    ```python
    @app.get("/users")
    def users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## What it leaves alone
    `session: get_db = Depends()`, which FastAPI resolves by the annotation; `Annotated[Session, Depends(get_db)]`, with
    a default or without; a default that the function calls itself; and functions
    that FastAPI does not call.

    ## Fix safety
    Safe: no request can have succeeded before. None is offered where the provider is not known, where `Depends` is not
    imported or has more arguments, or where a parameter without a default follows.
    """

    code = "LS203"
    message = "`{parameter}` has {what}, so {harm}"
    gates = (
        # In the brackets of a def: a marker, Annotated, a name as a default, or one in lower case as an annotation.
        (
            rb"\bdef\s+\w+\s*\((?:[^()]|\([^()]*\))*?(?:\b(?:Depends|Security|Annotated)\b"
            rb"|=\s*(?!(?:None|True|False)\b)[A-Za-z_][\w.]*\s*[,)#]"
            rb"|:\s*(?:\w+\.)*(?!(?:int|str|bool|float|bytes|dict|list|set|tuple|object)\b)[a-z_]\w*\s*[,=)#])"
        ),
    )
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope
        params = [param for param in parameters(node) if not param.star]
        found = [(param, wrong) for param in params if (wrong := self._wrong(node, param, scope)) is not None]
        if not found or not self.context.wiring.is_injected(self.context.scope_of(node)):
            return
        for param, (what, harm, provider) in found:
            self.report(
                param,
                parameter=_text(self.context, param),
                what=what,
                harm=harm,
                fix=partial(_put_right, self.context, scope, node, param, provider) if provider is not None else None,
            )

    def _wrong(
        self, function: cst.FunctionDef, param: cst.Param, scope: Scope
    ) -> tuple[str, str, cst.BaseExpression | None] | None:
        """What stands in the wrong place, what comes of it, and the provider where there is one."""
        types, wiring, default = self.context.types, self.context.wiring, param.default
        annotation = param.annotation.annotation if param.annotation is not None else None
        if default is not None and wiring.marker(default, scope) is not None:
            return None
        if annotation is None:
            provides = dotted(default) is not None and self._provides(types.infer(default, scope)) if default else False
            if not provides or _is_called(function, param.name.value):
                return None
            return "the provider as its default", "requests get no session", default
        marked, metadata = _in_annotated(annotation)
        if wiring.marker(marked, scope) is not None:
            assert isinstance(marked, cst.Call)
            provider = argument(marked, 0, "dependency") if len(marked.args) == 1 and len(metadata) < 2 else None
            return "a marker for a type", "the import fails", provider
        if any(wiring.marker(part, scope) is not None for part in metadata):
            return None
        if isinstance(types.annotation(marked, scope), SessionType):
            unmarked = [part for part in metadata if self._provides(types.infer(part, scope))]
            if unmarked:
                provider = unmarked[0] if len(metadata) == 1 else None
                return "a provider without `Depends`", "the import fails", provider
            kind = types.infer(default, scope) if default is not None else None
            if self._provides(kind):
                return "the provider as its default", "the import fails", default
            if isinstance(kind, FactoryType) or _is_session_class(kind):
                return "the factory as its default", "the import fails", None
        if (last_name(annotation) or "")[:1].islower() and self._provides(types.infer(annotation, scope)):
            return "the provider for a type", "requests get no session", annotation
        return None

    def _provides(self, kind: Type | None) -> bool:
        """Whether something is a function that yields or returns a session."""
        if not isinstance(kind, (FunctionType, External)):
            return False
        if isinstance(kind, External):
            return self.context.types.is_provider_name(kind)
        made = self.context.types.result(kind)
        return isinstance(made, SessionType) or (
            isinstance(made, GeneratorType) and isinstance(made.yields, SessionType)
        )


def _in_annotated(annotation: cst.BaseExpression) -> tuple[cst.BaseExpression, list[cst.BaseExpression]]:
    """The type and the metadata of `Annotated[...]`; of another annotation, itself."""
    if isinstance(annotation, cst.Subscript) and last_name(annotation) == "Annotated":
        items = [e.slice.value for e in annotation.slice if isinstance(e.slice, cst.Index)]
        return items[0], items[1:]
    return annotation, []


def _is_called(function: cst.FunctionDef, name: str) -> bool:
    """Whether a function calls what its parameter holds, and so asks for a callable."""
    calls = (part.func for part in walk(function.body) if isinstance(part, cst.Call))
    return any(isinstance(func, cst.Name) and func.value == name for func in calls)


def _is_session_class(kind: Type | None) -> bool:
    return isinstance(kind, External) and kind.name in SESSION_CLASSES


def _extent(context: Context, param: cst.Param) -> tuple[int, int]:
    """From the name of a parameter to the end of its default, or of its annotation."""
    last = param.default or (param.annotation.annotation if param.annotation is not None else param)
    first, end = context.block.span(param)[0], context.block.span(last)[1]
    return context.document.offset(first), context.document.offset(end)


def _text(context: Context, param: cst.Param) -> str:
    start, end = _extent(context, param)
    text = " ".join(context.document.text[start:end].split())
    return text if len(text) <= 40 else text[:39] + "…"


def _put_right(
    context: Context, scope: Scope, function: cst.FunctionDef, param: cst.Param, provider: cst.BaseExpression
) -> Fix | None:
    """`name: Session = Depends(provider)`."""
    params = function.params.params
    after = params[params.index(param) + 1 :] if param in params else ()
    depends = marker_name(context.types, scope)
    if depends is None or any(other.default is None for other in after):
        return None
    given = context.types.provision(context.types.infer(provider, scope))
    is_async = given.flavor.is_async if isinstance(given, SessionType) else False
    known = session_name(context.types, scope, is_async=is_async) if isinstance(given, SessionType) else None
    annotation = param.annotation.annotation if param.annotation is not None else None
    declared = _in_annotated(annotation)[0] if annotation is not None else None
    if declared is not None and isinstance(context.types.annotation(declared, scope), SessionType):
        known = context.source(declared)
    start, end = _extent(context, param)
    kind = f": {known} = " if known is not None else "="
    text = f"{param.name.value}{kind}{depends}({context.source(provider)})"
    return Fix(f"Depend on `{context.short(provider)}`", Safety.SAFE, (Edit(start, end, text),))
