"""What the runs of one function do to the sessions in it: the result of an exploration."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import libcst as cst

from lint_sessions.flow.graph import BasicBlock
from lint_sessions.flow.state import (
    BegunTwice,
    EarlyRefresh,
    LateCommit,
    Overrun,
    Poisoned,
    State,
    Trail,
    Unloaded,
    Unseen,
    Waited,
)
from lint_sessions.flow.values import (
    Site,
    Value,
    Write,
)


class Exit(Enum):
    """How a session is lost."""

    END = "the function ends"
    RETURN = "a return statement leaves"
    RAISE = "a raise statement leaves"
    DATABASE = "a statement of the database fails"
    ERROR = "a call fails"
    LOOKUP = "an attribute is read on None, or a key is missing"
    CANCEL = "the task is cancelled"
    OVERWRITTEN = "nothing leads to the session any more"

    @property
    def rank(self) -> int:
        """How readily a reader believes the path; lowest first."""
        order = [
            Exit.END,
            Exit.OVERWRITTEN,
            Exit.RETURN,
            Exit.RAISE,
            Exit.DATABASE,
            Exit.ERROR,
            Exit.LOOKUP,
            Exit.CANCEL,
        ]
        return order.index(self)


@dataclass(frozen=True)
class Leak:
    """A session with an open transaction that a path leaves neither closed nor handed to an owner."""

    site: Site
    exit: Exit
    node: cst.CSTNode | None
    """What fails or leaves."""
    lent: bool
    """The path goes through a yield of the session."""
    reopened: cst.CSTNode | None
    """What used the session after it was closed; None where it was never closed."""
    trail: Trail | None


@dataclass(frozen=True)
class Pause:
    """A generator stands at a yield."""

    state: State
    value: Value
    node: cst.CSTNode
    rest: BasicBlock
    """Where it goes on."""


@dataclass(frozen=True)
class Spared:
    """A session that is sound where a handler begins."""

    site: Site
    is_at_work: bool
    """Whether this function has begun its work."""
    is_of_database: bool
    """Whether the handler takes an error of the database."""
    unsaved: Write | None
    """What has been written and not committed by then."""


@dataclass(frozen=True)
class Lost:
    """Something written that is never stored: the session is closed with no commit since."""

    site: Site
    write: cst.CSTNode
    trail: Trail | None


@dataclass
class Lifecycle:
    """What the runs of one function do."""

    leaks: list[Leak] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    poisoned: list[Poisoned] = field(default_factory=list)
    returned: list[tuple[State, Value]] = field(default_factory=list)
    """The states at the normal exit, each with the value that is returned."""
    raised: list[State] = field(default_factory=list)
    kept: dict[str, Site] = field(default_factory=dict)
    """By path (`self.session`): the sessions that are closed when the method returns, and still kept there."""
    late: list[LateCommit] = field(default_factory=list)
    unloaded: list[Unloaded] = field(default_factory=list)
    early: list[EarlyRefresh] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    waited: dict[cst.CSTNode, Waited] = field(default_factory=dict)
    """By what is awaited: the first time that a transaction waits for it."""
    overrun: list[Overrun] = field(default_factory=list)
    begun_twice: list[BegunTwice] = field(default_factory=list)
    paused: list[Pause] = field(default_factory=list)
    """Of a generator that is followed to its yields: where it stands."""
    spared: dict[cst.CSTNode, set[Spared]] = field(default_factory=dict)
    """By handler: the sessions that are sound on some path to it."""
    gave_up: bool = False

    def leak_of(self, site: Site, *, lent: bool) -> Leak | None:
        """The most telling leak of a session that was not closed before."""
        found = [k for k in self.leaks if k.site.key == site.key and k.lent is lent and k.reopened is None]
        return min(found, key=lambda leak: leak.exit.rank, default=None)
