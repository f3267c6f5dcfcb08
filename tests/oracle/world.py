"""What a program runs in: real sessions on SQLite whose every use is watched, and calls that may fail.

One engine serves a whole process; each of its pooled connections is an in-memory database of its own, so that sessions
never wait for each other. What the linter assumes is assumed here: acquiring, `close()`, `rollback()` and log calls do
not fail; a session that an unknown callee keeps is its keeper's; nobody calls `flush()` with nothing to flush, nor
`commit()` on a session of somebody else that has nothing to commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from sqlalchemy import Connection, create_engine, event, select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, SessionTransaction, mapped_column, sessionmaker
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import await_only

from .choices import Choices

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
    errors: Sequence[type[Exception]] = ()
    """What a call may raise."""
    database: Sequence[type[Exception]] = ()
    """What a statement of the database may raise, as the DBAPI names it."""
    sessions: list[Watched] = field(default_factory=list)
    harms: set[Harm] = field(default_factory=set)
    spoiled: str = ""
    task: asyncio.Task[None] | None = None
    written: list[sqlite3.Connection] = field(default_factory=list)

    def spoil(self, why: str) -> Spoiled:
        self.spoiled = self.spoiled or why
        return Spoiled(why)

    def harm(self, code: str, row: int) -> None:
        if not self.spoiled:
            self.harms.add(Harm(code, row))


class _Stage:
    """Where the current run stands; None while the harness itself uses sessions."""

    run: Run | None = None


STAGE = _Stage()


def program_row(frame: FrameType | None) -> int | None:
    """The row of the innermost frame of a program."""
    while frame is not None:
        if frame.f_code.co_filename == PROGRAM:
            return frame.f_lineno
        frame = frame.f_back
    return None


# --- sessions ---------------------------------------------------------------------------------------------------------


class WatchedTransaction(SessionTransaction):
    """A `begin()` or `begin_nested()` block whose quiet end is looked at."""

    def __exit__(self, type_: Any, value: Any, traceback: Any) -> None:
        session = self.session
        if type_ is None and isinstance(session, Watched) and not session.is_active and STAGE.run is not None:
            session.lost_rows(self.nested)
        super().__exit__(type_, value, traceback)


class Watched(Session):
    """A session that knows who acquired it, whether it holds a connection, and whether it is poisoned."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        run = STAGE.run
        self.row = program_row(sys._getframe(1)) if run is not None else None
        """Where the program acquired it; None for a session that the program was given."""
        self.holding = 0
        self.kept = False
        self.lent = False
        self.over = False
        self.reopened = False
        self.unsaved = False
        self.swallowed: int | None = None
        """The handler that took the failure which made the transaction inactive."""
        self.depth = 0
        if run is not None:
            run.sessions.append(self)

    def guard(self, method: Callable[..., Any], args: Any, options: Any) -> Any:
        """Run one of the session's own methods, and note when the poisoned transaction stops it."""
        run = STAGE.run
        if run is None or self.depth:
            return method(*args, **options)
        if self.is_active:
            self.swallowed = None
        self.depth += 1
        try:
            return method(*args, **options)
        except InvalidRequestError as error:
            if self.is_active:
                raise run.spoil(str(error)) from error
            if self.swallowed is not None:
                run.harm("LS401", self.swallowed)
            raise
        finally:
            self.depth -= 1

    def lost_rows(self, nested: bool) -> None:
        run = STAGE.run
        if run is not None and self.swallowed is not None:
            run.harm("savepoint" if nested else "LS401", self.swallowed)

    def execute(self, *args: Any, **options: Any) -> Any:
        return self.guard(super().execute, args, options)

    def scalars(self, *args: Any, **options: Any) -> Any:
        return self.guard(super().scalars, args, options)

    def scalar(self, *args: Any, **options: Any) -> Any:
        return self.guard(super().scalar, args, options)

    def get(self, *args: Any, **options: Any) -> Any:
        return self.guard(super().get, args, options)

    def refresh(self, instance: object, *args: Any, **options: Any) -> None:
        """A refresh of some instance: a statement, with no flush before it."""
        self.guard(lambda: self.connection().execute(_ONE), (), {})

    def add(self, instance: object, *args: Any, **options: Any) -> None:
        """Whatever the program adds is a new row."""
        if STAGE.run is not None:
            self.unsaved = True
        super().add(Item())

    def flush(self, *args: Any, **options: Any) -> None:
        if not self.depth and STAGE.run is not None and not self.new:
            super().add(Item())
        self.guard(super().flush, args, options)

    def commit(self) -> None:
        if not self.depth and STAGE.run is not None and self.row is None and not self.new:
            super().add(Item())
        self.guard(super().commit, (), {})
        self.unsaved = False

    def begin(self, nested: bool = False) -> SessionTransaction:
        transaction: SessionTransaction = self.guard(super().begin, (nested,), {})
        transaction.__class__ = WatchedTransaction
        return transaction

    def begin_nested(self) -> SessionTransaction:
        transaction: SessionTransaction = self.guard(super().begin_nested, (), {})
        transaction.__class__ = WatchedTransaction
        return transaction

    def rollback(self) -> None:
        self.unsaved = False
        self.swallowed = None
        super().rollback()

    def close(self) -> None:
        run = STAGE.run
        if run is not None and self.unsaved and self.row is not None:
            run.harm("LS402", self.row)
        self.unsaved = False
        self.over = True
        self.swallowed = None
        super().close()


_ONE = text("select 1")


def session_of(value: object) -> Watched | None:
    inner = value.sync_session if isinstance(value, AsyncSession) else value
    return inner if isinstance(inner, Watched) else None


def sessions_in(value: object) -> Iterable[Watched]:
    """The sessions that a value is or holds."""
    for part in value if isinstance(value, (tuple, list)) else (value,):
        session = session_of(part)
        if session is not None:
            yield session


# --- the engine -------------------------------------------------------------------------------------------------------


def _engine() -> Any:
    engine = create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=40, pool_timeout=0, connect_args={"check_same_thread": False}
    )
    event.listen(engine, "connect", lambda connection, _: connection.execute("create table item (id integer primary key)"))
    event.listen(engine, "do_execute", _do_execute)
    event.listen(engine.pool, "checkin", _checkin)
    engine.dialect.do_commit = _do_commit
    return engine


def _do_execute(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
    if not statement.startswith("ROLLBACK"):
        may_fail(statement.split(None, 1)[0].lower())


def _do_commit(connection: Any) -> None:
    may_fail("commit")
    connection.commit()
    if STAGE.run is not None:
        STAGE.run.written.append(connection.driver_connection)


def may_fail(what: str) -> None:
    """A statement of the database: it may fail, and under asyncio be cancelled."""
    run = STAGE.run
    if run is None or run.spoiled:
        return
    kinds = len(run.database)
    index = run.choices.fail(kinds + (run.task is not None), f"{what} at row {program_row(sys._getframe(1))}")
    if index > kinds:
        assert run.task is not None
        run.task.cancel()
        await_only(asyncio.sleep(0))
    elif index:
        raise run.database[index - 1](f"{what} fails")


def _after_begin(session: Session, transaction: object, connection: Connection) -> None:
    if isinstance(session, Watched):
        connection.connection.record_info["holder"] = session  # type: ignore[index]
        session.holding += 1
        if session.over:
            session.reopened = True


def _checkin(connection: object, record: Any) -> None:
    session = record.record_info.pop("holder", None)
    if session is not None:
        session.holding -= 1


ENGINE = _engine()
ASYNC_ENGINE = _engine()
ASYNC_ENGINE.dialect.is_async = True
event.listen(Watched, "after_begin", _after_begin)

SessionLocal = sessionmaker(ENGINE, class_=Watched)
AsyncLocal = async_sessionmaker(AsyncEngine(ASYNC_ENGINE), sync_session_class=Watched)


def settle(run: Run) -> None:
    """Give everything back, so that the next run starts clean."""
    STAGE.run = None
    for session in run.sessions:
        if session.holding or session.in_transaction():
            session.expunge_all()
            session.close()
    for connection in {id(c): c for c in run.written}.values():
        connection.execute("delete from item")
        connection.commit()


select_items = select(Item)
