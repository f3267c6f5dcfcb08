"""Runs a program through every sequence of choices, and says which harms some run shows."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import gc
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from inspect import isasyncgen, iscoroutine, isgenerator
from types import CodeType
from typing import Any

from sqlalchemy import exc, select

from . import calls
from .choices import Search
from .instrument import entries, exceptions, instrument
from .world import (
    PROGRAM,
    STAGE,
    AsyncLocal,
    AsyncWatched,
    Harm,
    Item,
    Mishap,
    Run,
    SessionLocal,
    Spoiled,
    Watched,
    sessions_in,
    settle,
)

MAX_RUNS = 400
"""Runs of one entry of a program before the search is cut short."""


@dataclass
class Observed:
    """What the runs of a program show."""

    harms: dict[Harm, list[str]] = field(default_factory=dict)
    """Each harm with the choices of the first run that shows it."""
    runs: int = 0
    exhausted: bool = True
    spoiled: bool = False
    """Some run does what the rules under test have no word on."""


def observe(text: str, limit: int = MAX_RUNS) -> Observed:
    """Run each function of a program that can be entered from outside through all its choices."""
    tree = ast.parse(text)
    errors, database = _exceptions(exceptions(tree))
    starts = entries(tree)
    code = compile(instrument(tree), PROGRAM, "exec")
    observed = Observed()
    for entry in starts:
        search = Search(limit)
        for choices in search:
            run = Run(choices, errors, database)
            _perform(run, code, entry)
            observed.spoiled |= bool(run.spoiled)
            for harm in run.harms:
                observed.harms.setdefault(harm, [*choices.told(), f"in {entry.name}"])
        observed.runs += search.runs
        observed.exhausted &= search.exhausted
    return observed


def _exceptions(names: Iterable[str]) -> tuple[list[type[Exception]], list[type[Exception]]]:
    """What calls and statements may raise, so that each handler of the program is both met and missed."""
    errors: list[type[Exception]] = [Mishap]
    database: list[type[Exception]] = [sqlite3.OperationalError]
    for name in names:
        kind = CLASSES.get(name)
        if kind is exc.IntegrityError:
            database.append(sqlite3.IntegrityError)
        if kind is not None:
            errors.append(kind)
    return errors, database


CLASSES: dict[str, type[Exception]] = {
    "ValueError": ValueError,
    "KeyError": KeyError,
    "LookupError": IndexError,
    "RuntimeError": RuntimeError,
    "SQLAlchemyError": exc.SQLAlchemyError,
    "IntegrityError": exc.IntegrityError,
    "OperationalError": exc.OperationalError,
}
"""What stands in for a class that a handler names."""


def _perform(run: Run, code: CodeType, entry: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    STAGE.run = None
    names = _names(run)
    exec(code, names)
    arguments = [_argument(run, arg, names) for arg in entry.args.args]
    function = names[entry.name]
    STAGE.run = run
    if isinstance(entry, ast.AsyncFunctionDef):
        LOOP.run_until_complete(_drive_async(run, function, arguments))
    else:
        _drive(run, function, arguments)
    del function, arguments, names
    if not run.spoiled:
        for session in run.sessions:
            if session.row is not None and session.holding and not session.kept:
                run.harm("LS302" if session.reopened else "LS101" if session.lent else "LS301", session.row)
    settle(run)


def _argument(run: Run, arg: ast.arg, names: dict[str, Any]) -> Any:
    """What a parameter is given: by its annotation a session, or something the run chooses."""
    kind = ast.unparse(arg.annotation) if arg.annotation is not None else ""
    if kind.startswith(("Session", "AsyncSession")):
        if "None" in kind and run.choices.pick(2, f"{arg.arg} is None"):
            return None
        return AsyncLocal() if kind.startswith("Async") else SessionLocal()
    if arg.arg == "items":
        return calls.Turns(run, "items")
    return calls.Unknown(run, arg.arg)


def _drive(run: Run, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    try:
        result = function(*arguments)
        if isgenerator(result):
            calls.serve(run, result)
        else:
            _hand_on(result)
    except Spoiled:
        pass
    except Exception:
        return


async def _drive_async(run: Run, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    run.task = asyncio.current_task()
    try:
        result = function(*arguments)
        if iscoroutine(result):
            _hand_on(await result)
        elif isasyncgen(result):
            await calls.serve_async(run, result)
    except (Spoiled, asyncio.CancelledError):
        pass
    except Exception:
        return


def _hand_on(result: object) -> None:
    for session in sessions_in(result):
        session.kept = True


def _names(run: Run) -> dict[str, Any]:
    """The names that the prelude of a program binds, and those that instrumented code uses."""
    return {
        **CLASSES,
        "LookupError": LookupError,
        "Session": Watched,
        "AsyncSession": AsyncWatched,
        "SessionLocal": SessionLocal,
        "AsyncLocal": AsyncLocal,
        "Item": Item,
        "select": select,
        "asyncio": asyncio,
        "closing": contextlib.closing,
        "aclosing": contextlib.aclosing,
        "contextmanager": contextlib.contextmanager,
        "asynccontextmanager": contextlib.asynccontextmanager,
        "ExitStack": contextlib.ExitStack,
        "AsyncExitStack": contextlib.AsyncExitStack,
        "suppress": calls.Suppress,
        "flag": calls.Flags(run),
        "print": lambda *_: None,
        **calls.unknown(run),
        **calls.hooks(run),
    }


LOOP = asyncio.new_event_loop()
gc.disable()
