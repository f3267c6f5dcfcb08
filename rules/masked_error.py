"""LS109: a provider that turns every error of its user into one HTTP error of its own."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import CLOSES, Lines
from lint_sessions.finding import Fix, Safety
from lint_sessions.flow.providers import HTTP_ERRORS, Provider
from lint_sessions.project.names import path_to, walk_scope
from lint_sessions.project.scopes import last_name
from lint_sessions.project.types import ClassType, External, argument
from lint_sessions.rule import Rule, TraceStep


class MaskedError(Rule):
    """Provider turns every error of the route into one of its own.

    ## What it does
    Finds generator functions that yield a session, catch everything that is thrown in at the `yield`, and raise an
    HTTPException of their own instead.

    ## Why is this bad?
    The errors by which a route answers come out of that `yield` too. A 404 for a missing row, a 401, a 409: the client
    gets the provider's 503 or 500 for all of them.

    ## Example
    ```python
    def get_db():
        with SessionLocal() as db:
            try:
                yield db
            except Exception as error:
                db.rollback()
                raise HTTPException(503, "Database unavailable") from error
    ```

    ## Use instead
    ```python
    def get_db():
        with SessionLocal() as db:
            try:
                yield db
            except HTTPException:
                raise
            except Exception as error:
                db.rollback()
                raise HTTPException(503, "Database unavailable") from error
    ```

    ## What it leaves alone
    `except SQLAlchemyError` and other handlers that take no HTTPException; a handler for HTTPException before the
    blanket one; a handler that asks what it has caught; a plain `raise`; an exception that is no HTTP error.

    ## Fix safety
    Unsafe: the route's own errors reach the client as they are, which some client may not expect. A handler
    `except HTTPException: raise` is put before the blanket one. No fix is offered where the blanket one closes the
    session.
    """

    code = "LS109"
    message = "`{caught}` in `{provider}` also takes the route's 404, which becomes {status}"
    gates = (rb"\byield\b", rb"\bexcept\b", rb"\braise\b")
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        provider = self.context.provider(self.context.scope_of(node))
        if provider is None:
            return
        for place in provider.yields:
            found = [_masking(provider, place, number) for number in range(len(HTTP_ERRORS))]
            for masking, raised in found[0].items():
                if all(masking in others for others in found) and self.context.owns(raised):
                    self._report(provider, place, masking, raised)

    def _report(self, provider: Provider, place: cst.Yield, masking: cst.ExceptHandler, raised: cst.Raise) -> None:
        caught = "except" if masking.type is None else f"except {self.context.short(masking.type, 25)}"
        error = f"`{self.context.short(raised.exc)}`" if raised.exc is not None else "another"
        self.report(
            masking,
            trace=[
                TraceStep(place, "an HTTPException of the route arrives here"),
                TraceStep(raised, "leaves as this one"),
            ],
            caught=caught,
            provider=provider.scope.name,
            status=_status(raised) or error,
            fix=partial(_let_through, self.context, masking, raised),
        )


def _masking(provider: Provider, place: cst.Yield, number: int) -> dict[cst.ExceptHandler, cst.Raise]:
    """The handlers that take an HTTPException and raise another, each with the statement that does."""
    function = provider.scope.function
    found: dict[cst.ExceptHandler, cst.Raise] = {}
    for state in provider.after(place, HTTP_ERRORS[number]).raised:
        node = state.raised.node if state.raised is not None else None
        if function is None or not isinstance(node, cst.Raise) or node.exc is None:
            continue
        if not _is_http(provider, node.exc):
            continue
        for around, handler in pairwise(path_to(function, node)):
            if isinstance(around, cst.Try) and isinstance(handler, cst.ExceptHandler):
                if not _asks(handler) and not _raises_caught(handler, node) and not _spares(provider, around, handler):
                    found.setdefault(handler, node)
                break
    return found


def _spares(provider: Provider, around: cst.Try, blanket: cst.ExceptHandler) -> bool:
    """Whether an earlier handler takes HTTP errors, by whatever name they go here."""
    for handler in around.handlers:
        if handler is blanket:
            break
        kinds = [e.value for e in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
        if any(kind is not None and _is_http(provider, kind) for kind in kinds):
            return True
    return False


def _is_http(provider: Provider, error: cst.BaseExpression) -> bool:
    """Whether an expression names or makes an HTTP error: HTTPException, or a class of the project made from it."""
    types, made = provider.summaries.types, error.func if isinstance(error, cst.Call) else error
    kind = types.infer(made, provider.scope)
    bases = types.ancestry(kind.scope) if isinstance(kind, ClassType) else []
    return _names_http(last_name(made)) or any(isinstance(b, External) and _names_http(b.last) for b in (kind, *bases))


def _names_http(name: str | None) -> bool:
    return name is not None and name.endswith("HTTPException")


def _asks(handler: cst.ExceptHandler) -> bool:
    """Whether a handler looks at what it has caught, and may go by that."""
    calls = (part for part in walk_scope(handler.body) if isinstance(part, cst.Call))
    tests = (part for part in walk_scope(handler.body) if isinstance(part, (cst.Match, cst.IfExp)))
    return any(last_name(call.func) in ("isinstance", "type", "getattr", "hasattr") for call in calls) or any(tests)


def _raises_caught(handler: cst.ExceptHandler, node: cst.Raise) -> bool:
    match handler.name, node.exc:
        case cst.AsName(name=cst.Name(value=caught)), cst.Name(value=name):
            return caught == name
    return False


def _status(node: cst.Raise) -> str | None:
    """The status of the error that is raised, where it can be read."""
    given = argument(node.exc, 0, "status_code") if isinstance(node.exc, cst.Call) else None
    text = given.value if isinstance(given, cst.Integer) else (last_name(given) or "" if given is not None else "")
    found = re.search(r"(?<!\d)[1-5]\d\d(?!\d)", text)
    return found.group() if found else None


def _let_through(context: Context, masking: cst.ExceptHandler, raised: cst.Raise) -> Fix | None:
    """Put a handler for the error's own class, as it is called here, before the blanket one."""
    error = raised.exc.func if isinstance(raised.exc, cst.Call) else raised.exc
    if error is None or not _names_http(last_name(error)):
        return None
    if any(isinstance(part, cst.Attribute) and part.attr.value in CLOSES for part in walk_scope(masking)):
        return None  # the other way out would leave the session open
    lines = Lines(context.block)
    row = lines.rows([masking]).start
    indent = lines.indent(row)
    added = [f"{indent}except {context.source(error)}:", f"{indent}{lines.step}raise"]
    return Fix("Let the route's own errors through", Safety.UNSAFE, (lines.insert(row, added),))
