"""The abstract state of one point of one run: what names hold, how each session stands, and how it came to that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import libcst as cst

from lint_sessions.flow.values import (
    WAITING,
    Derived,
    Phase,
    Place,
    Raised,
    Session,
    Site,
    Stack,
    Stage,
    Suspended,
    Value,
    Write,
    moved,
    sites_in,
)


@dataclass(frozen=True, eq=False)
class Trail:
    """How a state was reached: its last notable step, and the trail before."""

    node: cst.CSTNode
    event: str
    before: Trail | None = None
    site: Site | None = None
    """The session it happens to; None where it concerns the run as a whole."""

    def steps(self, site: Site) -> list[tuple[cst.CSTNode, str]]:
        """The steps in the order of the run, without those of other sessions."""
        found: list[tuple[cst.CSTNode, str]] = []
        trail: Trail | None = self
        while trail is not None:
            if trail.site is None or trail.site.key == site.key:
                found.append((trail.node, trail.event))
            trail = trail.before
        return found[::-1]


@dataclass(frozen=True)
class State:
    """One state; equality and hash leave the trail out, so that equal states are explored once."""

    names: tuple[tuple[str, Value], ...] = ()
    sessions: tuple[tuple[Site, Session], ...] = ()
    raised: Raised | None = None
    waiting: tuple[tuple[int, object], ...] = ()
    """By node: exceptions that wait in a finally or handler, and managers that wait to be left."""
    trail: Trail | None = field(default=None, compare=False)

    # Each method gives a new state.

    def value(self, name: str) -> Value:
        return next((v for n, v in self.names if n == name), None)

    def knows(self, name: str) -> bool:
        return any(n == name for n, _ in self.names)

    def bind(self, name: str, value: Value) -> State:
        kept = tuple(pair for pair in self.names if pair[0] != name)
        if value is None:
            return self if len(kept) == len(self.names) else replace(self, names=kept)
        return replace(self, names=tuple(sorted([*kept, (name, value)], key=lambda pair: pair[0])))

    def session(self, site: Site) -> Session | None:
        return next((s for k, s in self.sessions if k == site), None)

    def put(self, site: Site, session: Session) -> State:
        kept = [pair for pair in self.sessions if pair[0] != site]
        return replace(self, sessions=tuple(sorted([*kept, (site, session)], key=lambda p: (p[0].key, p[0].turn))))

    def update(self, site: Site, **changes: object) -> State:
        session = self.session(site)
        return self if session is None else self.put(site, replace(session, **changes))  # type: ignore[arg-type]

    def drop(self, site: Site) -> State:
        return replace(self, sessions=tuple(pair for pair in self.sessions if pair[0] != site))

    def unbind(self, prefix: str) -> State:
        """Without what is known of the attributes of an object, whose path is `prefix`."""
        names = tuple(pair for pair in self.names if not ("." in pair[0] and pair[0].startswith(prefix)))
        return self if len(names) == len(self.names) else replace(self, names=names)

    def forget(self, prefix: str) -> State:
        """The same, and without the borrowed sessions there: the path leads to another object now."""
        state = self.unbind(prefix)
        sessions = tuple(pair for pair in self.sessions if not pair[0].key.startswith(prefix))
        return state if len(sessions) == len(self.sessions) else replace(state, sessions=sessions)

    def rename(self, old: Site, new: Site) -> State:
        session = self.session(old)
        if session is None:
            return self
        names = tuple((n, moved(v, old, new)) for n, v in self.names)
        waiting = tuple((k, moved(v, old, new) if isinstance(v, WAITING) else v) for k, v in self.waiting)
        return replace(self.drop(old).drop(new).put(new, session), names=names, waiting=waiting)

    def restage(self, site: Site, stages: Mapping[Stage, Stage | None]) -> State:
        """The instances of a session enter other stages."""

        def now(value: Value) -> Value:
            if not isinstance(value, Derived) or value.site != site or value.stage is None or value.stage not in stages:
                return value
            stage = stages[value.stage]
            return replace(value, stage=stage, kept=value.kept if stage is Stage.DETACHED else frozenset())

        names = tuple((name, now(value)) for name, value in self.names)
        return self if names == self.names else replace(self, names=names)

    def raise_(self, raised: Raised) -> State:
        return replace(self, raised=raised)

    def restack(self, stack: Stack) -> State:
        """A stack has changed: whatever holds it holds it as it is now."""

        def now(value: object) -> bool:
            return isinstance(value, Stack) and value.key == stack.key

        names = tuple((n, stack if now(v) else v) for n, v in self.names)
        return replace(self, names=names, waiting=tuple((k, stack if now(v) else v) for k, v in self.waiting))

    def settle(self) -> State:
        return replace(self, raised=None)

    def wait(self, node: cst.CSTNode, what: object) -> State:
        kept = [pair for pair in self.waiting if pair[0] != id(node)]
        return replace(self, waiting=tuple(sorted([*kept, (id(node), what)], key=lambda pair: pair[0])))

    def waits(self, node: cst.CSTNode) -> object | None:
        return next((what for key, what in self.waiting if key == id(node)), None)

    def suspended(self) -> Raised | None:
        """An exception that waits for a `finally` body to end."""
        return next((what.raised for _, what in self.waiting if isinstance(what, Suspended)), None)

    def unwait(self, node: cst.CSTNode) -> State:
        return replace(self, waiting=tuple(pair for pair in self.waiting if pair[0] != id(node)))

    def note(self, node: cst.CSTNode, event: str, site: Site | None = None) -> State:
        return replace(self, trail=Trail(node, event, self.trail, site))

    def referenced(self) -> frozenset[Site]:
        """The sessions that some name or waiting manager still leads to."""
        found: set[Site] = set()
        for _, value in self.names:
            found.update(sites_in(value))
        for _, what in self.waiting:
            if isinstance(what, WAITING):
                found.update(sites_in(what))
        return frozenset(found)


def joined(outcomes: Sequence[tuple[State, list[Value]]]) -> list[tuple[State, list[Value]]]:
    """The outcomes of several expressions, without what they tell apart that no session depends on."""
    groups: dict[object, list[tuple[State, list[Value]]]] = {}
    for state, values in outcomes:
        leading = tuple(pair for pair in state.names if any(True for _ in sites_in(pair[1])))
        held = tuple(value if any(True for _ in sites_in(value)) else None for value in values)
        groups.setdefault((state.sessions, state.waiting, state.raised, leading, held), []).append((state, values))
    found: list[tuple[State, list[Value]]] = []
    for group in groups.values():
        first, values = group[0]
        names = set(first.names).intersection(*(state.names for state, _ in group))
        alike = [v if all(other[i] == v for _, other in group) else None for i, v in enumerate(values)]
        found.append((replace(first, names=tuple(pair for pair in first.names if pair in names)), alike))
    return found


def escape(state: State, sites: Iterable[Site]) -> State:
    """Hand sessions to somebody this function knows nothing of: it owes them nothing any more."""
    for site in sites:
        state = state.update(site, owned=False, stored=True, begun=None)
    return state


_CLOSED: dict[Stage, Stage | None] = {
    Stage.PENDING: None,
    Stage.ADDED: None,
    Stage.STORED: None,
    Stage.EXPIRED: Stage.DETACHED,
}


def closed(state: State, site: Site, node: cst.CSTNode) -> State:
    """The session is closed at `node`: its connection is given back, and nothing is owed any more."""
    session = state.session(site)
    if session is None:
        return state
    lost = session.lost
    if session.unsaved is not None and session.unsaved not in lost and not (session.stored or is_failing(state)):
        lost = (*lost, session.unsaved)
    session = replace(session, phase=Phase.CLOSED, owned=False, pending=False, unsaved=None, lost=lost, begun=None)
    ended = replace(session, failed=None, swallowed=None, reopened=None)
    # The session knows its instances no longer: nothing expires them any more, and what is expired stays so.
    state = state.restage(site, _CLOSED)
    return state.put(site, ended).note(node, "closed", site)


def written(state: State, site: Site, node: cst.CSTNode) -> State:
    """Something is added, deleted or changed that a commit has to store."""
    session = state.session(site)
    if session is None or session.unsaved is not None or session.failed is not None:
        return state
    return state.update(site, unsaved=Write(node))


def committed(state: State, site: Site, node: cst.CSTNode) -> State:
    """What was written is stored; the instances of the session expire, where that is what its commit does."""
    session = state.session(site)
    if session is None:
        return state
    stage = Stage.EXPIRED if site.flavor.expires else Stage.STORED if site.flavor.expires is False else None
    stages: dict[Stage, Stage | None] = dict.fromkeys((Stage.PENDING, Stage.ADDED, Stage.STORED), stage)
    if stage is Stage.EXPIRED:
        stages[Stage.EXPIRED] = stage  # also what was set since
    state = state.restage(site, stages)
    saved = session.saved or (session.unsaved is not None and session.unsaved.node is None)
    return state.put(site, replace(session, unsaved=None, saved=saved)).note(node, "committed", site)


def rolled_back(state: State, site: Site, *, to_savepoint: bool = False) -> State:
    """The transaction ends, or what was done since a savepoint; the session is sound again, if it has a connection."""
    session = state.session(site)
    if session is None:
        return state
    phase = session.phase if session.phase is Phase.CLOSED or to_savepoint else Phase.ENDED
    # What was added is no longer the session's and keeps its attributes; the rest expires, if anything has begun.
    has_begun = session.phase is Phase.ACTIVE or session.pending
    stored = Stage.STORED if not has_begun else None if to_savepoint else Stage.EXPIRED
    state = state.restage(site, {Stage.PENDING: None, Stage.ADDED: None, Stage.STORED: stored})
    undone = replace(session, phase=phase, pending=False, unsaved=None)
    is_lost = to_savepoint and session.failed is not None and session.failed.cancelled
    return state.put(site, undone if is_lost else replace(undone, failed=None, swallowed=None))


def is_failing(state: State) -> bool:
    """Whether an exception is in flight, or being handled: what is not stored then is not stored on purpose."""
    return state.raised is not None or any(isinstance(what, (Raised, Suspended)) for _, what in state.waiting)


def reopen(state: State, site: Site, node: cst.CSTNode) -> State:
    """A closed session that is used begins again, and this function owes the close once more."""
    session = state.session(site)
    if session is None or session.stored or not (site.acquired or site.managed) or site.flavor.is_scoped:
        return state
    if session.phase is Phase.CLOSED:
        return state.update(site, owned=not site.flavor.on_connection, reopened=node)
    return state


def swallow(state: State, handler: cst.CSTNode) -> State:
    """The exception in flight is taken by `handler`."""
    for site, session in state.sessions:
        if session.failed is not None and session.swallowed is None:
            state = state.update(site, swallowed=handler)
        if session.unsaved is not None:
            state = state.update(site, unsaved=None)
    return state.settle()


def unswallow(state: State, handler: cst.CSTNode) -> State:
    """An exception leaves `handler`, so what it took is not over."""
    for site, session in state.sessions:
        if session.swallowed is handler:
            state = state.update(site, swallowed=None)
    return state


@dataclass(frozen=True)
class LateCommit:
    """A commit while an exception waits in a `finally` for the work to be stored."""

    site: Site
    node: cst.CSTNode
    raised: Raised
    state: State
    """Right before the commit."""


@dataclass(frozen=True)
class Unloaded:
    """An attribute of an expired instance is read where it can't be loaded."""

    site: Site
    use: cst.CSTNode
    detached: bool
    """The session is closed; else it is an AsyncSession, which can't load outside `await`."""
    state: State


@dataclass(frozen=True)
class Unseen:
    """A query runs while another session of the same engine has written something that it has not committed."""

    site: Site
    node: cst.CSTNode
    other: Site
    write: cst.CSTNode


@dataclass(frozen=True)
class Waited:
    """Something is awaited while a session is in a transaction."""

    site: Site
    node: cst.BaseExpression
    state: State


@dataclass(frozen=True)
class EarlyRefresh:
    """An instance is refreshed that was added and never flushed."""

    site: Site
    node: cst.CSTNode
    state: State


@dataclass(frozen=True)
class Overrun:
    """A session is used in a `begin()` block whose transaction something in the block has ended."""

    site: Site
    end: cst.CSTNode
    use: cst.CSTNode
    before: bool
    """In a summary: it was ended before the call."""
    state: State


@dataclass(frozen=True)
class BegunTwice:
    """A transaction is begun where one stands already."""

    site: Site
    first: Place
    begin: cst.CSTNode
    """The call of `begin`, also where it stands in a function that is called."""
    node: cst.CSTNode
    """The same, or the call of that function."""
    state: State


@dataclass(frozen=True)
class Poisoned:
    """A session that is used after a failed flush or commit which somebody caught without rolling back."""

    site: Site
    handler: cst.CSTNode
    failed: cst.CSTNode
    use: cst.CSTNode | None
    """None where the session is shared, and the next to use it is somebody else."""
    state: State
