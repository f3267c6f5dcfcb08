"""What names and expressions can hold, the typestate of one session, and the exceptions in flight.

The typestate of a session: *idle* (it holds no connection), *active* (in a transaction, a connection is checked out),
*ended* (committed or rolled back: no connection, its instances may be expired), *closed*. Beside it: whether this
function still owes the close, whether the session was lent to whoever drives the generator, and whether a flush or
commit failed with no rollback since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

import libcst as cst

from lint_sessions.project.types import Flavor, FunctionType, InstanceType, Type


class Phase(Enum):
    IDLE = "idle"
    ACTIVE = "active"
    ENDED = "ended"
    CLOSED = "closed"


@dataclass(frozen=True)
class Site:
    """Where a session comes from: the call that acquires it, or the parameter or outer name that lends it."""

    key: str
    turn: int = 0
    """1 for the session of an earlier turn of a loop through the same call."""
    node: cst.CSTNode | None = field(default=None, compare=False, repr=False)
    flavor: Flavor = field(default=Flavor(), compare=False)
    acquired: bool = field(default=True, compare=False)
    """False for a session that is somebody else's."""
    managed: bool = field(default=False, compare=False)
    """A context manager of this function makes it and ends it."""
    shared: bool = field(default=False, compare=False)
    """It was made at import, and lives on when the function ends."""
    from_step: bool = field(default=False, compare=False)
    """A provider's generator gave it and ended at once, as in `next(get_db())`."""


@dataclass(frozen=True)
class Failure:
    """A flush or commit that failed. Which one it was does not make two states different."""

    node: cst.CSTNode = field(compare=False, repr=False)
    before: bool = False
    """In a summary: it failed before the call."""
    cancelled: bool = False
    """The connection is lost with it, so that going back to a savepoint mends nothing."""


@dataclass(frozen=True)
class Write:
    """Something that is to be stored: the first of what was written since the last commit."""

    node: cst.CSTNode | None = field(repr=False)
    """None in a summary: it was written before the call."""


@dataclass(frozen=True)
class Place:
    """Where something happened to a transaction. Which place it was does not make two states different."""

    node: cst.CSTNode = field(compare=False, repr=False)
    before: bool = False
    """In a summary: it was before the call."""


@dataclass(frozen=True)
class Session:
    """The typestate of one session."""

    phase: Phase = Phase.IDLE
    owned: bool = True
    """This function owes the close."""
    lent: bool = False
    """It was yielded and may be in use by whoever drives the generator."""
    pending: bool = False
    """Something was added and not flushed."""
    unsaved: Write | None = None
    """What was added, deleted or changed with no commit since."""
    saved: bool = False
    """In a summary: what was written before the call has been committed."""
    lost: tuple[Write, ...] = ()
    """What was unsaved when the session was closed, with no error in sight."""
    loaded: bool = False
    """Some name has held an instance of it, which may have been changed since."""
    ran: bool = True
    """False in a savepoint inside which no statement has run: it is not emitted before that."""
    begun: Place | None = None
    """What has begun the transaction that stands, where one stands for certain."""
    in_begin: bool = False
    """A `begin()` block stands around, which ends the transaction itself."""
    over: Place | None = None
    """What has ended the transaction of that block before its end: nothing can be executed any more in it."""
    failed: Failure | None = None
    """The statement whose flush or commit failed, with no rollback since."""
    swallowed: cst.CSTNode | None = None
    """The handler that took that failure."""
    reopened: cst.CSTNode | None = None
    """What first used it after it was closed, so that it began again."""
    stored: bool = False
    """It was kept on `self` or given away; in a summary, an effect on the caller."""

    @property
    def is_at_work(self) -> bool:
        """Whether a rollback would undo or end something."""
        return self.phase is Phase.ACTIVE or self.pending or self.unsaved is not None


# --- what a name or an expression can hold ---------------------------------------------------------------------------


class Truth(Enum):
    """What is known of a plain value."""

    NONE = "None"
    FALSE = "false, and not None"
    TRUE = "true"
    SOME = "not None"
    FALSY = "false or None"


@dataclass(frozen=True)
class Held:
    """A session."""

    site: Site


class Form(Enum):
    """What something derived from a session is."""

    QUERY = "a query that has not run"
    RESULT = "a result, or a list of instances"
    INSTANCE = "an instance, or a plain value"


class Stage(Enum):
    """The typestate of an instance of a mapped class, or of the instances in a result."""

    ROWS = "in rows, whose first column it is"
    PENDING = "added, and not flushed"
    ADDED = "added; it may have been stored before"
    STORED = "stored, with its attributes in memory"
    EXPIRED = "stored; its attributes are loaded again when they are read"
    DETACHED = "the same, and its session was closed since"


@dataclass(frozen=True)
class Derived:
    """Something that works through a session."""

    site: Site
    form: Form
    stage: Stage | None = None
    """None where it may be a plain value, a row, or an instance of which nothing is known."""
    persistent: bool = False
    """An instance with a row for certain: it was got by its key, or refreshed."""
    nullable: bool = False
    """It may be None, so that reading an attribute of it may fail."""
    kept: frozenset[str] = frozenset()
    """Of an expired instance: the attributes that were set since, which are in memory."""


@dataclass(frozen=True)
class Holder:
    """A local object or container that keeps sessions."""

    sites: tuple[Site, ...]
    kind: Type | None = None
    attributes: tuple[tuple[str, Site], ...] = ()
    """The attributes that are known to be some of them."""


@dataclass(frozen=True)
class Bound:
    """A method of a session, of something derived from it or of a holder, not called."""

    base: Held | Derived | Holder | Manager | Stack
    name: str


@dataclass(frozen=True)
class Pending:
    """The coroutine of an AsyncSession's method: it takes effect when awaited."""

    site: Site
    name: str
    result: Value
    node: cst.CSTNode = field(compare=False, repr=False)


@dataclass(frozen=True)
class Manager:
    """A context manager over a session: what entering gives and what leaving does."""

    site: Site
    entered: Value
    closes: bool
    commits: bool = False
    begin: cst.CSTNode | None = field(default=None, compare=False, repr=False)
    """The call that begins the transaction of its block, where no other may stand then."""
    savepoint: bool = False
    ran: bool = True
    """Of a savepoint: whether a statement had run in the one around it."""
    in_begin: bool = False
    """Of a savepoint: whether a `begin()` block stands around it."""
    is_known: bool = True
    """False where nothing but the type tells that leaving it closes: it may commit as well."""


@dataclass(frozen=True)
class Object:
    """An object of the project that is a context manager: its `__exit__` says what leaving it does."""

    kind: InstanceType
    holder: Holder | None
    receiver: str | None
    """The path of the object; None where it keeps sessions that are known by `holder`."""


@dataclass(frozen=True)
class Stack:
    """An ExitStack or AsyncExitStack, with what it will leave."""

    key: int
    exits: tuple[Manager | Holder | Object | Entered, ...] = ()


@dataclass(frozen=True)
class Given:
    """What a function is given under a name: a parameter, or a path such as `self.session`."""

    name: str
    value: Session | Truth
    flavor: Flavor = field(default=Flavor(expires=None), compare=False)


@dataclass(frozen=True)
class Generated:
    """A context manager that a generator function of the project makes, not entered yet."""

    function: FunctionType
    given: tuple[Given, ...]
    sites: tuple[tuple[str, Site], ...]
    """The sessions of the caller, by the names that they have inside."""
    receiver: str | None = None
    """The path of the object whose method the function is."""


@dataclass(frozen=True)
class Entered:
    """The same, suspended at its yield."""

    made_by: Generated
    number: int
    """Which of its ways to a yield it has taken."""
    sites: tuple[tuple[str, Site], ...]
    """With the sessions that it has made."""


@dataclass(frozen=True)
class Items:
    """A tuple, each item on its own."""

    items: tuple[Value, ...]


Value = (
    Held | Derived | Holder | Bound | Pending | Manager | Object | Generated | Entered | Stack | Items | Truth | None
)
"""None: nothing is known."""
WAITING = (Manager, Holder, Object, Entered, Stack)
"""What waits to be left."""


def sites_in(value: Value) -> Iterator[Site]:
    """The sessions that a value gives access to, so that whoever gets the value can close them."""
    match value:
        case Held(site=site) | Pending(site=site) | Manager(site=site):
            yield site
        case Bound(base=Held(site=site) | Manager(site=site)):
            yield site
        case Holder(sites=sites) | Bound(base=Holder(sites=sites)):
            yield from sites
        case Object(holder=Holder(sites=sites)):
            yield from sites
        case Generated(sites=named) | Entered(sites=named):
            for _, site in named:
                yield site
        case Items(items=parts) | Stack(exits=parts):
            for part in parts:
                yield from sites_in(part)


def moved(value: Value, old: Site, new: Site) -> Value:
    """The value with one site renamed."""
    match value:
        case Held() | Derived() | Pending() | Manager() if value.site == old:
            if isinstance(value, Manager):
                return replace(value, site=new, entered=moved(value.entered, old, new))
            return replace(value, site=new)
        case Bound(base=base):
            inner = moved(base, old, new)
            return Bound(inner, value.name) if isinstance(inner, (Held, Derived, Holder, Manager, Stack)) else None
        case Holder(sites=sites) if old in sites:
            attributes = tuple((name, new if s == old else s) for name, s in value.attributes)
            return replace(value, sites=tuple(new if s == old else s for s in sites), attributes=attributes)
        case Items(items=items):
            return Items(tuple(moved(item, old, new) for item in items))
        case Stack(exits=exits):
            found = (moved(leaving, old, new) for leaving in exits)
            return replace(value, exits=tuple(v for v in found if isinstance(v, (Manager, Holder, Object, Entered))))
        case Object(holder=Holder() as holder):
            renamed = moved(holder, old, new)
            return replace(value, holder=renamed if isinstance(renamed, Holder) else None)
        case Generated(sites=named) | Entered(sites=named):
            return replace(value, sites=tuple((name, new if site == old else site) for name, site in named))
    return value


# --- exceptions in flight ---------------------------------------------------------------------------------------------


class Cause(Enum):
    """What kind of exception is in flight."""

    DATABASE = "database"
    """A SQLAlchemyError."""
    ERROR = "error"
    """Some Exception of a call."""
    LOOKUP = "lookup"
    """An attribute read on None, a missing key: an Exception that the reader of the code may not expect."""
    EXIT = "exit"
    """Cancellation, GeneratorExit, KeyboardInterrupt: no Exception."""


@dataclass(frozen=True)
class Raised:
    cause: Cause
    name: str | None = None
    """The exception class, dotted, where a raise statement tells."""
    node: cst.CSTNode | None = field(default=None, compare=False, repr=False)
    """What raises."""
    refused: frozenset[str] = frozenset()
    """Classes whose handlers it has passed, so that it is none of them."""
    taken: frozenset[str | None] = frozenset()
    """The classes of the handler that took it, so that it is one of them."""


@dataclass(frozen=True)
class Suspended:
    """An exception that waits while a finally body runs."""

    raised: Raised | None
