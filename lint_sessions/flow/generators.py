"""Generator-based context managers of the project: followed to their yield, and later on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.project_calls import ends_well, refused, settled, throw
from lint_sessions.flow.state import State
from lint_sessions.flow.summary import Summary, entry
from lint_sessions.flow.values import (
    Entered,
    Generated,
    Session,
    Site,
    Value,
    moved,
)

if TYPE_CHECKING:
    from lint_sessions.flow.evaluate import Evaluator

Entering = tuple[State, Value, Entered]


def enter_generated(run: Evaluator, node: cst.CSTNode, manager: Generated, state: State) -> list[Entering] | None:
    """The ways in which a context manager is entered, each with what the block gets; None where that can't be told."""
    known = run.summaries.entrances(manager.function, manager.given)
    if known is None:
        return None
    sessions = dict(manager.sites)
    ends: list[Entering] = []
    for number, way in enumerate(known.ways):
        after, value, sites = (
            settled(node, way, state, sessions, receiver=manager.receiver),
            way.value,
            list(manager.sites),
        )
        for count, (inner, session) in enumerate(way.made):
            site = Site(f"{id(node)}.{count}", node=node, flavor=inner.flavor, acquired=False, managed=True)
            after = after.put(site, session)
            value = moved(value, inner, site)
            sites.append((inner.key, site))
        for name, site in manager.sites:
            value = moved(moved(value, Site(f"param:{name}"), site), Site(name), site)
        ends.append((after, value, Entered(manager, number, tuple(sites))))
    ends_well(run, node, [(f, settled(node, f, state, sessions, receiver=manager.receiver)) for f in known.failures])
    return ends


def leave_generated(run: Evaluator, node: cst.CSTNode, manager: Entered, state: State) -> list[State]:
    """The block ends well, and the generator goes on."""
    summary = _resumed(run, node, manager, state)
    if summary is None:
        return [state]
    sessions, receiver = dict(manager.sites), manager.made_by.receiver
    after = [(ending, settled(node, ending, state, sessions, receiver=receiver)) for ending in summary.endings]
    return [left for _, left in ends_well(run, node, after)]


def fail_generated(
    run: Evaluator, node: cst.CSTNode, manager: Entered, state: State
) -> tuple[list[State], list[State]]:
    """The exception in flight is thrown in at the yield: the states in which it is suppressed, and the others."""
    raised = state.raised
    summary = _resumed(run, node, manager, state)
    if summary is None or raised is None:
        return [], [state]
    suppressed: list[State] = []
    going: list[State] = []
    for ending in summary.endings:
        after = settled(node, ending, state, dict(_reached(manager, state)), receiver=manager.made_by.receiver)
        if ending.raised is None:
            suppressed.append(after.settle())
        elif (ending.raised.cause, ending.raised.name) == (raised.cause, raised.name):
            going.append(after)
        else:
            throw(run, node, ending.raised, after)
    return suppressed, going


def _resumed(run: Evaluator, node: cst.CSTNode, manager: Entered, state: State) -> Summary | None:
    sessions: list[tuple[str, Session]] = []
    for name, site in _reached(manager, state):
        session = state.session(site)
        if session is not None:
            sessions.append((name, entry(site, session)))
    summary = run.summaries.leavings(manager.made_by, manager.number, tuple(sessions), state.raised)
    if summary is not None:
        refused(run, node, summary, state, dict(manager.sites))
    return summary


def _reached(manager: Entered, state: State) -> list[tuple[str, Site]]:
    """The sessions of the caller that the generator knows, and those whose failure it may swallow unawares."""
    known = [site for _, site in manager.sites]
    failed = [site for site, s in state.sessions if s.failed is not None and s.swallowed is None and site not in known]
    return [*manager.sites, *((f"#{number}", site) for number, site in enumerate(failed))]
