"""What a program runs in: real sessions on SQLite whose every use is watched, and calls that may fail.

What the linter assumes is assumed here: acquiring, `close()`, `rollback()` and log calls do not fail; a session that an
unknown callee keeps is its keeper's; nobody calls `flush()` with nothing to flush, nor `commit()` with nothing to commit
on a session of somebody else, or one whose instances are at hand.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from greenlet import getcurrent
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, InvalidRequestError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, SessionTransaction, mapped_column

from .choices import Choices

if TYPE_CHECKING:
    from .awaiting import Made

PROGRAM = "<program>"
"""The file name of the code of programs."""


class Base(DeclarativeBase):
    """The mapping of the one table."""


class Item(Base):
    """A row."""

    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)


class Mishap(Exception):
    """What a call raises that no handler of the program names."""


REFUSED = "a broken session is asked for something"
"""What a run shows that goes on with a session after a failed flush, or lends it, whoever is to blame for it."""


class Spoiled(BaseException):
    """A run that does what the rules under test have no word on: its end is not looked at."""


@dataclass(frozen=True, order=True)
class Harm:
    """Something that goes wrong in a run: the rule that should say so, and the row where it should."""

    code: str
    row: int


@dataclass
class Run:
    """One run of a program: its choices, its sessions and what went wrong."""

    choices: Choices
    entry: str = ""
    caught: Mapping[int, Sequence[type[Exception]]] = field(default_factory=dict)
    """The classes that handlers around a row of the entry name; by 0 all that any handler names."""
    sessions: list[Watched] = field(default_factory=list)
    harms: set[Harm] = field(default_factory=set)
    spoiled: str = ""
    cleared: set[Harm] = field(default_factory=set)
    """Coroutines that this run has awaited, or handed on: a run that drops them does no harm."""
    excused: set[Harm] = field(default_factory=set)
    """What goes wrong, and what the rules need not speak of."""
    unstored: bool = False
    """Whether a session of the program ended with something that it has not stored, though nothing went wrong."""
    made: list[Made] = field(default_factory=list)
    reached: set[int] = field(default_factory=set)
    entries: WeakSet[Any] = field(default_factory=WeakSet)
    """The instances of its sessions, where the program has any; sessions do not keep them alive either."""
    has_entries: bool = False
    called: Callable[[], None] = lambda: None
    """What happens when somebody is called of whom nothing is known."""
    task: asyncio.Task[None] | None = None
    written: list[sqlite3.Connection] = field(default_factory=list)

    def errors(self) -> tuple[list[type[Exception]], int | None]:
        """What a call may raise where the program stands, so that each handler is both met and missed; and the row."""
        name, row = next(places(sys._getframe(1)), ("", 0))
        return [Mishap, *self.caught.get(row if name == self.entry else 0, ())], row

    def database(self) -> tuple[list[type[Exception]], int | None]:
        """What a statement of the database may raise, as the DBAPI names it."""
        kinds, row = self.errors()
        unique = IntegrityError in kinds
        return [sqlite3.OperationalError, *([sqlite3.IntegrityError] if unique else [])], row

    def spoil(self, why: str) -> Spoiled:
        self.spoiled = self.spoiled or why
        return Spoiled(why)

    def harm(self, code: str, row: int) -> None:
        if not self.spoiled:
            self.harms.add(Harm(code, row))


class _Stage:
    """Where the current run stands; None while the harness itself uses sessions."""

    run: Run | None = None
    broken: type[sqlite3.Error] | None = None
    """What every INSERT raises."""


STAGE = _Stage()


def places(frame: FrameType | None) -> Iterator[tuple[str, int]]:
    """The functions of the program that are running, and their rows, innermost first."""
    inside = False
    while True:
        while frame is not None:
            if frame.f_code.co_filename == PROGRAM:
                yield frame.f_code.co_name, frame.f_lineno
                inside = True
            elif inside and frame.f_code.co_name == "_perform":
                return
            frame = frame.f_back
        parent = getcurrent().parent
        if inside or parent is None:
            return
        frame = parent.gr_frame
        inside = True


def program_row() -> int | None:
    """The row of the program that is running."""
    return next((row for _, row in places(sys._getframe(1))), None)


# --- sessions ---------------------------------------------------------------------------------------------------------


class WatchedTransaction(SessionTransaction):
    """A `begin()` or `begin_nested()` block whose quiet end is looked at."""

    def __enter__(self) -> WatchedTransaction:
        if isinstance(self.session, Watched):
            self.session.blocks.append(self)
        return super().__enter__()

    def __exit__(self, type_: Any, value: Any, traceback: Any) -> None:
        session = self.session
        if isinstance(session, Watched):
            session.blocks.remove(self)
        if type_ is None and isinstance(session, Watched) and not session.is_active and STAGE.run is not None:
            session.lost_rows(self.nested)
        super().__exit__(type_, value, traceback)
        if isinstance(session, Watched) and not self.nested:
            session.unsaved = None


class Watched(Session):
    """A session that knows who acquired it, whether it holds a connection, and whether it is poisoned."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        run = STAGE.run
        self.owner: Any
        self.row: Any
        place: tuple[Any, Any] = (None, None)
        self.owner, self.row = next(places(sys._getframe(1)), place) if run is not None else place
        """The function and row of the program that acquired it; None for a session that the program was given."""
        self.holding = 0
        self.kept = False
        self.lent = False
        self.over = self.shut = False
        """It was closed; and has not begun again since."""
        self.given = False
        """An instance was added that may have been changed since."""
        self.reopened: int | None = None
        """The row that first used it after its close."""
        self.excused = False
        self.added: list[tuple[int | None, Item]] = []
        """What the program has added, by its row, and not stored yet."""
        self.unsaved: int | None = None
        """The row that first added something not committed since. `excused`: an error is the reason."""
        self.swallowed: int | None = None
        """The handler that took the failure which made the transaction inactive."""
        self.failure: BaseException | None = None
        """That failure, where a method of the session raised it."""
        self.blocks: list[WatchedTransaction] = []
        self.depth = 0
        if run is not None:
            run.sessions.append(self)

    def guard(self, method: Callable[..., Any], args: Any, options: Any) -> Any:
        """Run one of the session's own methods, and note when the poisoned transaction stops it."""
        run = STAGE.run
        if run is None or self.depth:
            return method(*args, **options)
        if not self.is_broken:
            self.forget()
        self.depth += 1
        try:
            return method(*args, **options)
        except BaseException as error:
            self.failure = self.failure or error
            if not isinstance(error, InvalidRequestError) or isinstance(error, MissingGreenlet):
                raise
            self.unsaved = None
            if self.is_active and not self.is_broken:
                raise run.spoil(str(error)) from error
            self.refused(run, "LS401")
            raise
        finally:
            self.unsaved = self.unsaved if self.is_active else None
            self.depth -= 1

    @property
    def is_broken(self) -> bool:
        """Whether the session takes nothing before a rollback: a flush failed, or a statement was cancelled."""
        transaction = self.get_transaction()
        connections = transaction._connections.values() if transaction is not None else ()
        return not self.is_active or any(connection.invalidated for connection, *_ in connections)

    def lost_rows(self, nested: bool) -> None:
        run = STAGE.run
        if run is not None:
            self.refused(run, "savepoint" if nested else "LS401")

    def refused(self, run: Run, code: str) -> None:
        """What was swallowed comes to light: the handler is to blame that went on without a rollback."""
        run.choices.note(REFUSED)
        if self.swallowed is not None:
            run.harm(code, self.swallowed)

    def forget(self) -> None:
        """Nothing is wrong with the transaction any more."""
        self.swallowed = self.failure = None

    def execute(self, statement: Any, *args: Any, **options: Any) -> Any:
        if statement is SELECT:
            return self.guard(self.select, (), {})
        return self.guard(super().execute, (statement, *args), options)

    def scalars(self, statement: Any, *args: Any, **options: Any) -> Any:
        return self.guard(self.select, (), {}).scalars()

    def select(self) -> Any:
        """What a program selects: flush what is new, then a statement; the ORM's own SELECT takes twice the time."""
        if self.new:
            super().flush()
        result = super().execute(_ONE)
        result.close()
        return result

    def get(self, *args: Any, **options: Any) -> Any:
        """A statement each time: whether the row happens to be in memory is nobody's to know."""
        return self.guard(super().get, args, {**options, "populate_existing": True})

    def refresh(self, instance: object, *args: Any, **options: Any) -> None:
        """A refresh of some instance: a statement, with no flush before it."""
        self.given = self.given or STAGE.run is not None
        self.unsaved = None
        self.guard(lambda: self.connection().execute(_ONE), (), {})

    def add(self, instance: object, *args: Any, **options: Any) -> None:
        """Whatever the program adds is a new row."""
        if STAGE.run is not None:
            self.given = True
            if self.unsaved is None:
                rows = dict(places(sys._getframe(1)))
                self.unsaved = rows.get(self.owner, next(reversed(rows.values()), None))
        row = Item()
        self.added.append((program_row(), row))
        self.guard(super().add, (row,), {})

    def flush(self, *args: Any, **options: Any) -> None:
        if not self.depth and STAGE.run is not None and not self.new and not self.shut:
            self.guard(super().add, (Item(),), {})
        self.guard(super().flush, args, options)

    def commit(self) -> None:
        if not self.depth and STAGE.run is not None and not self.new and self.may_have_changes():
            self.guard(super().add, (Item(),), {})
        self.alone()
        self.guard(super().commit, (), {})
        self.unsaved = None

    def may_have_changes(self) -> bool:
        return not self.shut and (self.row is None or self.given)

    def alone(self) -> None:
        """Ending the transaction of a `begin()` or `begin_nested()` block inside it is another rule's affair."""
        run = STAGE.run
        if run is not None and not self.depth and self.blocks:
            raise run.spoil("ends the transaction of a block inside it")

    def begin(self, nested: bool = False) -> SessionTransaction:
        transaction: SessionTransaction = self.guard(super().begin, (nested,), {})
        transaction.__class__ = WatchedTransaction
        return transaction

    def begin_nested(self) -> SessionTransaction:
        transaction: SessionTransaction = self.guard(super().begin_nested, (), {})
        transaction.__class__ = WatchedTransaction
        return transaction

    def rollback(self) -> None:
        self.unsaved = None
        self.added.clear()
        self.forget()
        if STAGE.run is not None and not self.depth:
            STAGE.run.choices.note(f"rolls back at row {program_row()}")
        super().rollback()

    def close(self) -> None:
        run = STAGE.run
        self.alone()
        fails = self.excused or sys.exc_info()[1] is not None
        if run is not None and self.row is not None and not fails:
            run.unstored |= bool(self.added)
            if self.unsaved is not None and not self.kept:
                run.harm("LS402", self.unsaved)
        self.excused = False
        self.unsaved = None
        self.added.clear()
        self.over, self.shut, self.reopened = True, True, None
        self.forget()
        super().close()


class AsyncWatched(AsyncSession):
    """The same under asyncio."""

    sync_session: Watched
    sync_session_class = Watched

    async def close(self) -> None:
        self.sync_session.excused |= sys.exc_info()[1] is not None  # which greenlets and tasks do not see
        await super().close()

    async def __aexit__(self, type_: Any, value: Any, traceback: Any) -> None:
        self.sync_session.excused |= type_ is not None or sys.exc_info()[1] is not None
        await super().__aexit__(type_, value, traceback)


_ONE = text("select 1")
SELECT = object()
"""The statement that programs execute."""


def session_of(value: object) -> Watched | None:
    inner = value.sync_session if isinstance(value, AsyncSession) else value
    return inner if isinstance(inner, Watched) else None


def sessions_in(value: object) -> Iterable[Watched]:
    """The sessions that a value is or holds."""
    for part in value if isinstance(value, (tuple, list)) else (value,):
        session = session_of(part)
        if session is not None:
            yield session


def described(value: object) -> str:
    """What somebody outside of the program sees of a value."""
    if isinstance(value, (tuple, list)):
        return f"({', '.join(described(part) for part in value)})"
    session = session_of(value)
    if session is None:
        return repr(value) if value is None or isinstance(value, bool) else type(value).__name__
    whose = f"a session of row {session.row}" if session.row is not None else "the session it was given"
    return f"{whose}, closed" if session.shut else whose
