"""LS105: a provider that commits after its yield, which FastAPI runs when the response is sent already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import last_name, leaves
from lint_sessions.project.wiring import Use
from lint_sessions.requirements import AFTER_RESPONSE, BEFORE_RESPONSE, FUNCTION_SCOPE
from lint_sessions.rule import Rule, TraceStep


class CommitAfterResponse(Rule):
    """Provider commits when the response has been sent already.

    ## What it does
    Finds generator functions that a `Depends` of FastAPI names and that commit after their `yield`: by a `commit()`, at
    the end of a `begin()` block, or in a helper or context manager of the project. FastAPI runs that after the response
    up to 0.105 and from 0.118 on.

    ## Why is this bad?
    The client is told 200 before the commit has run. When it fails, on a constraint say, the row is never there, and
    nobody but the log knows; even when it works, the client's next request may come too early to find it.

    ## Example
    ```python
    from fastapi import Depends, FastAPI

    app = FastAPI()


    def get_db():
        with SessionLocal() as db:
            yield db
            db.commit()


    @app.post("/users")
    def create_user(name: str, db: Session = Depends(get_db)):
        db.add(User(name=name))
    ```

    ## Use instead
    ```python
    from fastapi import Depends, FastAPI

    app = FastAPI()


    def get_db():
        with SessionLocal() as db:
            yield db
            db.commit()


    @app.post("/users")
    def create_user(name: str, db: Session = Depends(get_db, scope="function")):
        db.add(User(name=name))
    ```

    ## What it leaves alone
    `Depends(..., scope="function")`; projects that may run with one of FastAPI 0.106 to 0.117, by their lock file,
    their dependencies or `fastapi-version`; providers that no `Depends` names, or only a websocket's or a test's
    override; a commit before the `yield`, in a handler, or of another session.

    ## Fix safety
    Unsafe: what runs after the response, such as a streaming body or a background task, has no open session any more.
    Offered with FastAPI 0.121 and newer, where all of the provider's `Depends` stand in its own file, and no other
    provider depends on it, which would have to end with the route as well.
    """

    code = "LS105"
    message = "`{commit}` commits when the response is already sent ({fastapi}): it is 200 even if that fails"
    gates = (rb"\byield\b",)
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        fastapi, scope = self.context.fastapi, self.context.scope_of(node)
        if not fastapi.is_from("0", BEFORE_RESPONSE) and not fastapi.is_from(AFTER_RESPONSE):
            return
        provider = self.context.provider(scope)
        if provider is None or provider.is_manager:
            return
        late = [use for use in self.context.wiring.uses(scope) if _ends_late(use)]
        for place in provider.yields if late else ():
            for commit in provider.commits(place)[:1]:
                self._report(place, commit, late)

    def _report(self, place: cst.Yield, commit: cst.CSTNode, late: Sequence[Use]) -> None:
        fastapi = self.context.fastapi
        fix = partial(_in_function_scope, self.context, late) if fastapi.is_from(FUNCTION_SCOPE) else None
        self.report(
            commit,
            trace=[
                TraceStep(place, f"`{late[0].by}` gets its session, and its response is sent"),
                TraceStep(commit, "commits only then"),
            ],
            commit=self.context.short(commit.item if isinstance(commit, cst.WithItem) else commit),
            fastapi=fastapi.name,
            fix=fix,
        )


def _ends_late(use: Use) -> bool:
    """Whether it has a provider of FastAPI end with the request, and there is a response to be sent before."""
    return use.is_fastapi and use.is_marker and not use.is_function_scoped and not _is_websocket(use)


def _is_websocket(use: Use) -> bool:
    function = use.block.node if use.block.kind == "function" else None
    decorators = function.decorators if isinstance(function, cst.FunctionDef) else ()
    routes = (d.decorator.func for d in decorators if isinstance(d.decorator, cst.Call))
    return any(last_name(route) in ("websocket", "websocket_route") for route in routes)


def _in_function_scope(context: Context, late: Sequence[Use]) -> Fix | None:
    """Declare every `Depends` of the provider with the scope of the function."""
    edits = []
    for use in late:
        if use.block.document is not context.document or use.marker.endswith("Security"):
            return None
        if any(isinstance(part, cst.Yield) for part in walk(use.block.node)) or _is_shared_by_generator(context, use):
            return None
        start, end = use.arguments
        text = context.document.text[start:end].rstrip()
        if not text.strip() or "#" in text:
            return None
        place = start + len(text)
        added = ' scope="function",' if text.endswith(",") else ', scope="function"'
        edits.append(Edit(place, place, added))
    return Fix('Declare it with `scope="function"`', Safety.UNSAFE, tuple(edits))


def _is_shared_by_generator(context: Context, use: Use) -> bool:
    """Whether a provider may depend on it by its name, as in `SessionDep = Annotated[Session, Depends(get_db)]`."""
    name = re.match(r"\w+(?=\s*(?::|$))", use.by) if use.block.kind == "statement" else None
    if name is None:
        return False
    word = re.compile(rf"\b{name[0]}\b")
    for module in context.types.project.mentioning(name[0]):
        for block, _ in leaves(module.blocks, context.types.module_scope(module)):
            text = block.text
            if block.kind == "function" and "yield" in text and word.search(text):
                return True
    return False
