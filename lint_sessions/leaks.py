"""How a leak is told and mended: what leaves the session open, the path to there, and what opened it."""

from __future__ import annotations

from lint_sessions.context import Context
from lint_sessions.edits import Acquisition
from lint_sessions.flow.lifecycle import Exit, Leak, Lifecycle
from lint_sessions.flow.values import Phase
from lint_sessions.project.scopes import Scope
from lint_sessions.rule import TraceStep


def how(context: Context, leak: Leak) -> str:
    """What happens to the session, as the end of a sentence."""
    at = f"`{context.short(leak.node)}`" if leak.node is not None else ""
    match leak.exit:
        case Exit.END:
            return "is never closed"
        case Exit.OVERWRITTEN:
            return "is dropped while its connection is checked out"
        case Exit.RETURN:
            return f"is left open by {at}"
        case Exit.RAISE:
            return f"is left open when {at} leaves"
        case Exit.CANCEL:
            return f"is left open when the task is cancelled at {at}"
    return f"is left open when {at} fails"


def path(leak: Leak) -> list[TraceStep]:
    """The steps from the call that opens the session to what loses it."""
    steps = leak.trail.steps(leak.site) if leak.trail is not None else []
    if leak.exit is Exit.OVERWRITTEN and steps and steps[-1] == (leak.site.node, "acquired"):
        steps = steps[:-1]
    starts = [i for i, step in enumerate(steps) if step == (leak.site.node, "acquired")]
    steps = [s for s in steps[starts[-1] if starts else 0 :] if s[1] != "acquired" or s[0] is leak.site.node]
    if leak.node is not None and leak.exit is not Exit.RETURN:
        steps = [s for s in steps if s[0] is not leak.node or s[1] == "acquired"] + [(leak.node, leak.exit.name)]
    return [TraceStep(node, WORDS[event]) for node, event in steps if event in WORDS]


def opened_alone(context: Context, scope: Scope, leak: Leak, runs: Lifecycle) -> Acquisition | None:
    """The statement that opens the session, where its uses can go into a block of their own."""
    site = leak.site
    made = Acquisition.of(context.block, site.node) if site.node is not None else None
    if made is None or made.rebinds() or made.is_half_closed(is_async=site.flavor.is_async) or made.is_used_outside():
        return None
    function = scope.function
    if scope.is_generator or (site.flavor.is_async and (function is None or function.asynchronous is None)):
        return None
    return None if _is_handed_on(leak, runs) else made


def _is_handed_on(leak: Leak, runs: Lifecycle) -> bool:
    """Whether some run hands the session to somebody else."""
    ends = (state.session(leak.site) for state, _ in runs.returned)
    return any(s is not None and not s.owned and s.phase is not Phase.CLOSED for s in ends)


WORDS = {
    "acquired": "acquired here",
    "used": "takes a connection here",
    "caught": "the failure is caught here",
    "returned": "returns here, with the session open",
    Exit.RETURN.name: "returns here, with the session open",
    Exit.END.name: "ends here, with the session open",
    Exit.RAISE.name: "leaves here, with the session open",
    Exit.DATABASE.name: "fails here, with the session open",
    Exit.ERROR.name: "fails here, with the session open",
    Exit.LOOKUP.name: "fails here, with the session open",
    Exit.CANCEL.name: "cancelled here, with the session open",
    Exit.OVERWRITTEN.name: "nothing leads to the session any more",
}
