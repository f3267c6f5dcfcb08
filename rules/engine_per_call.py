"""LS306: an engine, with its pool, that is built for every request."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.requests import Step, function_around, is_handler, path_to
from lint_sessions.project.engines import builds_engine, gives_engine
from lint_sessions.project.keeping import is_kept
from lint_sessions.project.names import parameters, walk
from lint_sessions.project.names import path_to as nodes_to
from lint_sessions.project.scopes import Scope
from lint_sessions.rule import Rule, TraceStep


class EnginePerCall(Rule):
    """Engine is built for every request.

    ## What it does
    Finds an engine that a route, a dependency, a task or what they call builds each time, itself or through a helper or
    a constructor, and that nothing disposes.

    ## Why is this bad?
    An engine is a pool. One that is built for a request opens a connection for that request and keeps it when the
    request is over, since giving a connection back only puts it into the pool. Connections add up until the database
    refuses more, or the garbage collector happens to come by; and none is ever used twice.

    ## Example
    ```python
    from sqlalchemy import create_engine

    def get_db():
        engine = create_engine(settings.database_url)
        with Session(engine) as db:
            yield db

    @router.get("/users")
    def read_users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## Use instead
    ```python
    from sqlalchemy import create_engine

    engine = create_engine(settings.database_url)

    def get_db():
        with Session(engine) as db:
            yield db

    @router.get("/users")
    def read_users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## What it leaves alone
    Cached functions and classes with one object; an engine that is kept in a global, on an object or in a table; one
    that is disposed, or built only where the caller gives none; `NullPool`, `StaticPool` and options that cannot be
    read; SQLite in memory; a `sessionmaker` that is built again on one engine; what runs at start, in scripts,
    migrations and tests; functions that no request is seen to reach.

    ## Fix safety
    There is no fix: where the engine belongs is for the author to say.
    """

    code = "LS306"
    message = "`{engine}` opens a new pool in each run of `{first}`, and nothing disposes it"
    gates = (rb"\(",)

    def visit_Call(self, node: cst.Call) -> None:
        types, wiring = self.context.types, self.context.wiring
        function = function_around(self.context.scope)
        if function is None or not builds_engine(types, node, self.context.scope):
            return
        if is_kept(node, function) or _is_fallback(node, function):
            return
        # Whoever asks for the engine answers for it; of a dependency, that is the framework.
        if gives_engine(types, function) and not is_handler(wiring, function):
            return
        path = path_to(wiring, function, _disposes)
        if path is not None:
            built = TraceStep(node, "the engine is built here, each time")
            first = path[0].caller if path else function
            trace = [*(_shown(step) for step in path), built]
            self.report(node, trace=trace, engine=self.context.short(node), first=first.name)


def _shown(step: Step) -> TraceStep:
    return TraceStep(step.call, f"called here, by `{step.caller.qualified_name}`", step.block)


def _disposes(function: Scope) -> bool:
    """Whether a function, or the class that it constructs, disposes engines."""
    cls = function.parent if function.name == "__init__" else None
    return (cls or function).mentions(".dispose")


def _is_fallback(call: cst.Call, function: Scope) -> bool:
    """Whether an engine is built only where the caller has given none."""
    node = function.function
    if node is None:
        return False
    optional = {param.name.value for param in parameters(node) if param.default is not None}
    tests: list[cst.CSTNode] = []
    for around in nodes_to(node, call):
        match around:
            case cst.If(test=test) | cst.IfExp(test=test) | cst.BooleanOperation(left=test):
                tests.append(test)
    return any(isinstance(part, cst.Name) and part.value in optional for test in tests for part in walk(test))
