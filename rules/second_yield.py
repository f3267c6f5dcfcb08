"""LS110: a provider that can come to a second yield."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.flow.providers import ANY_ERROR, Provider
from lint_sessions.project.names import path_to, walk
from lint_sessions.project.scopes import last_name
from lint_sessions.rule import Rule, TraceStep


class SecondYield(Rule):
    """Provider can yield a second time, which is a RuntimeError.

    ## What it does
    Finds generator functions that yield a session and, once they are resumed, come to a `yield` again: in a handler or
    `finally` around the first one, by the next turn of a retry loop, or right below.

    ## Why is this bad?
    Whoever resumes a provider expects it to end. If it yields again, FastAPI and `contextlib` raise RuntimeError
    ("generator didn't stop") in place of the error that there was, so a 404 becomes a 500. What stands below the second
    `yield` does not run, a `close()` for instance. A provider can't repeat the request, so a retry around its `yield`
    never works.

    ## Example
    ```python
    def get_db():
        for attempt in range(3):
            try:
                with SessionLocal() as db:
                    yield db
                return
            except OperationalError:
                time.sleep(attempt)
    ```

    ## Use instead
    ```python
    def get_db():
        with SessionLocal() as db:
            yield db
    ```

    ## What it leaves alone
    Several yields of which each path meets one; a loop over something that may have just one item, such as another
    provider; generators of which nothing shows that a framework or a `with` drives them; pytest fixtures.

    ## Fix safety
    No fix is offered: only you know what the second `yield` was for.
    """

    code = "LS110"
    message = "`{provider}` yields a second time {when}: RuntimeError, and what follows never runs"
    gates = (rb"\byield\b",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        provider = self.context.provider(self.context.scope_of(node))
        if provider is None:
            return
        found: set[cst.Yield] = set()
        for place in provider.yields:
            normally = _paused(provider.after(place, None))
            thrown = [again for raised in ANY_ERROR for again in _paused(provider.after(place, raised))]
            for again in dict.fromkeys([*thrown, *normally]):
                if again in found or not self._may_follow(provider, place, again, again in normally):
                    continue
                found.add(again)
                failing = again in thrown
                arrival = "an exception of its user arrives here" if failing else "its user is done here"
                user = "block" if provider.is_manager else "request"
                self.report(
                    again,
                    trace=[TraceStep(place, arrival), TraceStep(again, "yields again here")],
                    provider=node.name.value,
                    when=f"when the {user} fails" if failing else f"after the {user}",
                )

    def _may_follow(self, provider: Provider, place: cst.Yield, again: cst.Yield, normally: bool) -> bool:
        """Whether a second yield is known to follow, in a generator that something resumes only once."""
        function = provider.scope.function
        if function is None or _cleans_up(function, place, again):
            return function is not None
        if any(not _turns_again(loop) for loop in _loops(function, place) if loop in _loops(function, again)):
            return False
        return not normally or provider.is_manager or bool(self.context.wiring.uses(provider.scope))


def _loops(function: cst.FunctionDef, node: cst.Yield) -> list[cst.For]:
    return [part for part in path_to(function, node) if isinstance(part, cst.For)]


def _turns_again(loop: cst.For) -> bool:
    """Whether a loop is known to have more than one turn; another provider, for one, has just one to give."""
    match loop.iter:
        case cst.List() | cst.Tuple():
            return len(loop.iter.elements) > 1
        case cst.Call(func=function):
            return last_name(function) in ("range", "count", "enumerate")
    return False


def _paused(runs: Lifecycle) -> list[cst.Yield]:
    return [part for pause in runs.paused for part in walk(pause.node) if isinstance(part, cst.Yield)]


def _cleans_up(function: cst.FunctionDef, place: cst.Yield, again: cst.Yield) -> bool:
    """Whether the second yield stands in a handler or `finally` of a `try` around the first."""
    around = [part for part in path_to(function, place) if isinstance(part, cst.Try)]
    beside = path_to(function, again)
    return any(part in beside and part.body not in beside and part.orelse not in beside for part in around)
