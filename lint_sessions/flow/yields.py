"""What a yield does: the session goes to whoever drives the generator, and an exception may come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.state import State
from lint_sessions.flow.values import Cause, Failure, Phase, Site, sites_in

if TYPE_CHECKING:
    from lint_sessions.flow.evaluate import Evaluator, Outcome


def yield_(run: Evaluator, node: cst.Yield, state: State) -> list[Outcome]:
    if isinstance(node.value, cst.From):
        return [(after, None) for after, _ in run.eval(node.value.item, state)]
    values = run.eval(node.value, state) if node.value is not None else [(state, None)]
    ends: list[Outcome] = []
    for after, value in values:
        sites = list(sites_in(value))
        lent = [site for site in sites if _lends(after, site)]
        ways = [after]
        if lent:
            # A session that is closed already begins again where its user runs something, which it need not do.
            ways = ways if any(_is_closed(after, site) for site in lent) else []
            for site in lent:
                after = after.update(site, lent=True, owned=True, phase=Phase.ACTIVE)
            ways.insert(0, after.note(node, "yielded"))
        else:
            # Whoever gets a session that a manager here owns runs something in it as well; in a closed one it need not.
            used = after
            for site in sites:
                used = used.update(site, phase=Phase.ACTIVE) if site.acquired or site.managed else used
            ways = [used, *(ways if any(_is_closed(after, site) for site in sites) else [])]
        if sites or run.in_manager:
            for way in ways:
                _interrupt(run, node, way, sites)
        ends += [(way, None) for way in ways]
    return ends


def _interrupt(run: Evaluator, node: cst.Yield, state: State, sites: Sequence[Site]) -> None:
    """What may come out of a yield: an error of whoever drives the generator, a failed flush of its, or the end."""
    if run.is_fixture:
        return
    run.fail(state, node, Cause.ERROR)
    run.fail(state, node, Cause.EXIT)
    for site, session in state.sessions:
        if session.phase is not Phase.CLOSED and (site in sites or not site.acquired):
            poisoned = state.update(site, phase=Phase.ACTIVE, failed=Failure(node), swallowed=None, pending=False)
            run.fail(poisoned, node, Cause.DATABASE)


def _is_closed(state: State, site: Site) -> bool:
    session = state.session(site)
    return session is not None and session.phase is Phase.CLOSED


def _lends(state: State, site: Site) -> bool:
    """Whether this function would still owe the close of a session that it yields; a closed one begins again."""
    session = state.session(site)
    if session is None or session.owned:
        return session is not None
    return (site.acquired or site.managed) and session.phase is Phase.CLOSED and not session.stored
