"""What a call of a project function does, seen from outside: one ending for each way it can end.

A summary holds for one context: how the sessions stand that the function is given, and which constants it is passed.
So nothing is joined that the caller can tell apart, and a helper that rolls back only when its flag is set does so only
for the caller that sets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import libcst as cst

from lint_sessions.flow.state import (
    Cause,
    Derived,
    Failure,
    Held,
    Items,
    Phase,
    Raised,
    Session,
    Site,
    State,
    Truth,
    Value,
    sites_in,
)
from lint_sessions.project.types import Flavor

MAX_ENDINGS = 16
"""Endings told apart for one call; with more of them nothing is known of it."""
MAX_NAMES = 6
"""Exception classes told apart for one call."""

SWALLOWED_BEFORE = cst.Pass()
"""Stands in a summary for the handler of the caller that has taken a failure."""


@dataclass(frozen=True)
class Given:
    """What a function is given under a name: a parameter, or a path such as `self.session`."""

    name: str
    value: Session | Truth
    flavor: Flavor = field(default=Flavor(expires=None), compare=False)


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

    @property
    def may_give_session(self) -> bool:
        return any(ending.made for ending in self.endings)


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


def entry(session: Session) -> Session:
    """A session of the caller as the function finds it: what only the caller can tell apart is left out."""
    return Session(
        phase=Phase.IDLE if session.phase is Phase.ENDED else session.phase,
        owned=False,
        pending=session.pending,
        ran=session.ran,
        failed=Failure(session.failed.node, before=True) if session.failed is not None else None,
        swallowed=SWALLOWED_BEFORE if session.swallowed is not None else None,
    )


def endings(
    returned: Iterable[tuple[State, Value]], raised: Iterable[State], own: str | None
) -> tuple[Ending, ...] | None:
    """The endings of a function's runs; None with too many of them. `own` is the name of a method's object."""
    values: dict[Ending, list[Value]] = {}
    for state, value in returned:
        made = tuple((site, _left(session)) for site, session in state.sessions if _is_made(site, session, value))
        known = _outside(value, {site for site, _ in made})
        lead = known if any(True for _ in sites_in(known)) else None
        values.setdefault(Ending(_given(state, own), lead, made), []).append(known)
    found = [replace(ending, value=_joined(group)) for ending, group in values.items()]
    failures = dict.fromkeys(
        Ending(_given(state, own), raised=Raised(state.raised.cause, state.raised.name))
        for state in raised
        if state.raised is not None
    )
    if len({f.raised for f in failures}) > MAX_NAMES:
        failures = dict.fromkeys(replace(f, raised=Raised(f.raised.cause)) for f in failures if f.raised is not None)
    found += failures
    return tuple(found) if len(found) <= MAX_ENDINGS else None


def _given(state: State, own: str | None) -> tuple[tuple[str, Session], ...]:
    return tuple(
        (site.key.removeprefix("param:"), _left(session))
        for site, session in state.sessions
        if site.key.startswith("param:") or (own is not None and site.key.startswith(f"{own}."))
    )


def _left(session: Session) -> Session:
    return replace(session, owned=False, lent=False, reopened=None)


def _is_made(site: Site, session: Session, value: Value) -> bool:
    """Whether a value leads to a session that its function acquired, and that the caller has to close."""
    parts = value.items if isinstance(value, Items) else (value,)
    if Held(site) not in parts or not site.acquired or site.flavor.on_connection:
        return False
    return session.phase is not Phase.CLOSED and not session.stored


def _outside(value: Value, made: set[Site]) -> Value:
    """What the caller knows of a returned value."""
    match value:
        case Held(site=site) if site in made or site.key.startswith("param:"):
            return value
        case Derived(site=site) if site.key.startswith("param:"):
            return value
        case Items(items=items):
            return Items(tuple(_outside(item, made) for item in items))
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
