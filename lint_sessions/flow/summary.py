"""What a call of a project function does, seen from outside: one ending for each way it can end.

A summary holds for one context: how the sessions stand that the function is given, and which constants it is passed.
So nothing is joined that the caller can tell apart, and a helper that rolls back only when its flag is set does so only
for the caller that sets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.state import State
from lint_sessions.flow.values import (
    Cause,
    Derived,
    Failure,
    Given,
    Held,
    Items,
    Phase,
    Raised,
    Session,
    Site,
    Truth,
    Value,
    Write,
    sites_in,
)

if TYPE_CHECKING:
    from lint_sessions.flow.lifecycle import Pause

MAX_ENDINGS = 16
"""Endings told apart for one call; with more of them nothing is known of it."""
MAX_ENTRANCES = 8
"""Ways to a yield told apart for one context manager; with more of them nothing is known of it."""
MAX_NAMES = 6
"""Exception classes told apart for one call."""

SWALLOWED_BEFORE = cst.Pass()
"""Stands in a summary for the handler of the caller that has taken a failure."""


@dataclass(frozen=True)
class Ending:
    """One way in which a call ends."""

    sessions: tuple[tuple[str, Session], ...] = ()
    """How the sessions stand that the function was given, or found on its object, by name."""
    value: Value = None
    """What it returns; the sites are `param:name` and those of `made`."""
    made: tuple[tuple[Site, Session], ...] = ()
    """The sessions it acquired that the value leads to: the caller owes their close."""
    raised: Raised | None = None


@dataclass(frozen=True)
class Summary:
    """A call seen from outside, in one context."""

    endings: tuple[Ending, ...]
    refused: tuple[str, ...] = ()
    """The sessions, by name, that were poisoned at the call and are used in it."""


@dataclass(frozen=True)
class Entrances:
    """How a generator-based context manager of the project can be entered."""

    ways: tuple[Ending, ...]
    """Each ends at a yield; `made` are the sessions of the generator that the block gets."""
    pauses: tuple[tuple[Pause, ...], ...]
    """Where the generator stands, by way."""
    failures: tuple[Ending, ...]
    """The ways in which it never comes to a yield."""


def entrances(paused: Iterable[Pause], raised: Iterable[State], own: str | None) -> Entrances | None:
    """The ways to the yields of a generator; None with too many of them, or where it yields what is not known."""
    ways: dict[Ending, list[Pause]] = {}
    for pause in paused:
        lent = {site for site in sites_in(pause.value) if not site.key.startswith("param:")}
        made = tuple((site, left(s)) for site, s in pause.state.sessions if site in lent and not _is_own(site, own))
        ways.setdefault(Ending(given_of(pause.state, own), _lent(pause.value), made), []).append(pause)
    failures = endings((), raised, own)
    if not ways or len(ways) > MAX_ENTRANCES or failures is None:
        return None
    return Entrances(tuple(ways), tuple(tuple(pauses) for pauses in ways.values()), failures)


def _lent(value: Value) -> Value:
    """What a block gets of what is yielded."""
    match value:
        case Held():
            return value
        case Items(items=items):
            return Items(tuple(_lent(item) for item in items))
    return None


def nothing_known(given: Iterable[Given] = (), *, is_async: bool = False) -> Summary:
    """Of a call into which nobody looks: it may fail, and may keep the sessions it is given."""
    kept = tuple((g.name, replace(g.value, stored=True)) for g in given if isinstance(g.value, Session))
    return Summary(_may_fail(kept, is_async))


def only_uses(given: Iterable[Given], *, is_async: bool) -> Summary:
    """Of a call that is being looked into already: it uses what it is given."""
    used = tuple((g.name, replace(g.value, phase=Phase.ACTIVE)) for g in given if isinstance(g.value, Session))
    return Summary(_may_fail(used, is_async))


def _may_fail(sessions: tuple[tuple[str, Session], ...], is_async: bool) -> tuple[Ending, ...]:
    causes = [Cause.ERROR, *([Cause.EXIT] if is_async else [])]
    return (Ending(sessions), *(Ending(sessions, raised=Raised(cause)) for cause in causes))


def entry(site: Site, session: Session) -> Session:
    """A session of the caller as the function finds it: what only the caller can tell apart is left out.

    Of a session that is not the caller's own either, instances may have been changed anywhere.
    """
    return Session(
        phase=Phase.IDLE if session.phase is Phase.ENDED else session.phase,
        owned=False,
        pending=session.pending,
        unsaved=Write(None) if session.unsaved is not None else None,
        loaded=session.loaded or not (site.acquired or site.managed),
        ran=session.ran,
        failed=Failure(session.failed.node, before=True) if session.failed is not None else None,
        swallowed=SWALLOWED_BEFORE if session.swallowed is not None else None,
    )


def endings(
    returned: Iterable[tuple[State, Value]],
    raised: Iterable[State],
    own: str | None,
    made: frozenset[str] = frozenset(),
) -> tuple[Ending, ...] | None:
    """The endings of a function's runs; None with too many of them.

    `own` is the name of a method's object, `made` are the keys of sessions that are known outside already.
    """
    values: dict[Ending, list[Value]] = {}
    for state, value in returned:
        new = tuple((site, left(session)) for site, session in state.sessions if _is_made(site, session, value))
        known = outside(value, {site for site, _ in new})
        lead = known if any(True for _ in sites_in(known)) else None
        values.setdefault(Ending(given_of(state, own, made), lead, new), []).append(known)
    found = [replace(ending, value=_joined(group)) for ending, group in values.items()]
    failures = dict.fromkeys(
        Ending(given_of(state, own, made), raised=Raised(state.raised.cause, state.raised.name))
        for state in raised
        if state.raised is not None
    )
    if len({f.raised for f in failures}) > MAX_NAMES:
        failures = dict.fromkeys(replace(f, raised=Raised(f.raised.cause)) for f in failures if f.raised is not None)
    found += failures
    return tuple(found) if len(found) <= MAX_ENDINGS else None


def given_of(state: State, own: str | None, made: frozenset[str] = frozenset()) -> tuple[tuple[str, Session], ...]:
    """The sessions that are known outside, by name."""
    return tuple(
        (site.key.removeprefix("param:"), left(session))
        for site, session in state.sessions
        if site.key.startswith("param:") or site.key in made or _is_own(site, own)
    )


def _is_own(site: Site, own: str | None) -> bool:
    """Whether a session is kept by the object whose method the function is."""
    return own is not None and site.key.startswith(f"{own}.")


def left(session: Session) -> Session:
    """A session as the caller finds it afterwards."""
    return replace(session, owned=False, lent=False, reopened=None)


def _is_made(site: Site, session: Session, value: Value) -> bool:
    """Whether a value leads to a session that its function acquired, and that the caller has to close."""
    parts = value.items if isinstance(value, Items) else (value,)
    if Held(site) not in parts or not site.acquired or site.flavor.on_connection:
        return False
    return session.phase is not Phase.CLOSED and not session.stored


def outside(value: Value, made: set[Site]) -> Value:
    """What the caller knows of a returned value."""
    match value:
        case Held(site=site) if site in made or site.key.startswith("param:"):
            return value
        case Derived(site=site) if site.key.startswith("param:"):
            return value
        case Items(items=items):
            return Items(tuple(outside(item, made) for item in items))
        case Truth():
            return value
    return None


def _joined(values: list[Value]) -> Value:
    """What several returned values have in common."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) == 1:
        return distinct[0]
    derived = [value for value in distinct if isinstance(value, Derived)]
    nothing = [value for value in distinct if value is Truth.NONE]
    if derived and len(derived) + len(nothing) == len(distinct):
        first = derived[0]
        if all(d.site == first.site and d.form is first.form for d in derived):
            return replace(first, persistent=False, nullable=bool(nothing) or any(d.nullable for d in derived))
    return None
