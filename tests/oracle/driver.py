"""Runs a program through every sequence of choices, and says which harms some run shows."""

from __future__ import annotations

import ast
import asyncio
import atexit
import contextlib
import gc
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import isasyncgen, iscoroutine, isgenerator
from types import CodeType
from typing import Any

from sqlalchemy import exc

from . import awaiting, calls, real
from .awaiting import Places
from .choices import Choices, Search
from .engine import ASYNC, ENGINE, AsyncLocal, SessionLocal, settle
from .instrument import AnyFunction, entries, handled, instrument, reachable
from .modes import INSTANCES, SESSIONS, UNAWAITED, Mode, mode_of
from .world import PROGRAM, SELECT, STAGE, AsyncWatched, Harm, Item, Run, Spoiled, Watched, described, sessions_in

MAX_RUNS = 150
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
    cleared: set[Harm] = field(default_factory=set)
    """Calls that some run awaits, or hands on: that others do not is their choice."""
    excused: set[Harm] = field(default_factory=set)
    """What goes wrong, and what the rules need not speak of."""
    reached: set[int] = field(default_factory=set)
    """The rows that some run comes to."""

    def add(self, other: Observed) -> None:
        for harm, run in other.harms.items():
            self.harms.setdefault(harm, run)
        self.runs += other.runs
        self.exhausted &= other.exhausted
        self.spoiled |= other.spoiled
        self.cleared |= other.cleared
        self.excused |= other.excused
        self.reached |= other.reached


def observe(text: str, limit: int = MAX_RUNS, failures: int | None = None) -> Observed:
    """Run each function of a program that can be entered from outside through all its choices."""
    tree = ast.parse(text)
    starts = [(entry, reachable(tree, entry)) for entry in entries(tree)]
    mode = mode_of(text)
    failures = mode.failures if failures is None else failures
    places = awaiting.places_of(tree)
    keeps = "expire_on_commit" in text
    keys = [
        (mode, keeps, limit, failures, *(ast.unparse(function) for function in functions)) for _, functions in starts
    ]
    observed = Observed()
    with quiet():
        code = compile(instrument(tree, rows=mode is UNAWAITED), PROGRAM, "exec")
        for (entry, functions), key in zip(starts, keys, strict=True):
            if key not in _KNOWN:
                if len(_KNOWN) > 1_000:
                    _KNOWN.clear()
                _KNOWN[key] = _moved(
                    _search(entry, functions, code, mode, keeps, places, Search(limit, failures)), functions, -1
                )
            observed.add(_moved(_KNOWN[key], functions, 1))
    return observed


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and no garbage collector that closes what a program has left open."""
    collects = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collects:
            gc.enable()


_KNOWN: dict[tuple[object, ...], Observed] = {}
"""What was observed of an entry, by the text of all that it calls: rows counted from the function they stand in."""


def _moved(observed: Observed, functions: Sequence[AnyFunction], way: int) -> Observed:
    """Rows of the module made rows of its functions (-1), or back (1); a function's number stands above the row."""

    def there(row: int) -> int:
        if way > 0:
            return functions[row // 1_000].lineno + row % 1_000
        number, inside = next((i, f) for i, f in enumerate(functions) if f.lineno <= row <= (f.end_lineno or 0))
        return number * 1_000 + row - inside.lineno

    harms = {Harm(harm.code, there(harm.row)): run for harm, run in observed.harms.items()}
    cleared, excused = (
        {Harm(harm.code, there(harm.row)) for harm in kind} for kind in (observed.cleared, observed.excused)
    )
    reached = {there(row) for row in observed.reached}
    return Observed(harms, observed.runs, observed.exhausted, observed.spoiled, cleared, excused, reached)


def _search(
    entry: AnyFunction,
    functions: Sequence[AnyFunction],
    code: CodeType,
    mode: Mode,
    keeps: bool,
    places: Places,
    search: Search,
) -> Observed:
    observed = Observed()
    for run in performed(entry, functions, code, search, mode, keeps=keeps):
        if mode is UNAWAITED:
            awaiting.judge(run, places)
        observed.cleared |= run.cleared
        observed.excused |= run.excused
        observed.reached |= run.reached
        observed.spoiled |= bool(run.spoiled)
        for harm in run.harms:
            observed.harms.setdefault(harm, [*run.choices.told(), f"in {entry.name}"])
    observed.runs, observed.exhausted = search.runs, search.exhausted
    return observed


def performed(
    entry: AnyFunction,
    functions: Sequence[AnyFunction],
    code: CodeType,
    search: Iterable[Choices],
    mode: Mode = SESSIONS,
    *,
    keeps: bool = False,
) -> Iterator[Run]:
    """The runs of an entry that these choices give; `keeps` where a commit expires nothing."""
    caught = {row: [CLASSES[name] for name in names if name in CLASSES] for row, names in handled(functions).items()}
    for choices in search:
        run = Run(choices, entry.name, caught)
        _perform(run, code, entry, _names(run, mode, keeps, isinstance(entry, ast.AsyncFunctionDef)))
        yield run


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


def _perform(run: Run, code: CodeType, entry: AnyFunction, names: dict[str, Any]) -> None:
    STAGE.run = None
    exec(code, names)
    arguments = [_argument(run, arg, names) for arg in entry.args.args]
    function = names[entry.name]
    STAGE.run = run
    if isinstance(entry, ast.AsyncFunctionDef):
        LOOP.run_until_complete(_drive_async(run, function, arguments))
    else:
        _drive(run, function, arguments)
    del function, arguments, names
    run.unstored |= any(s.row is not None and s.added and not s.kept for s in run.sessions)
    if not run.spoiled:
        for session in run.sessions:
            if session.row is not None and session.holding and not session.kept:
                if session.reopened is not None:
                    run.harm("LS302", session.reopened)
                else:
                    run.harm("LS101" if session.lent else "LS301", session.row)
    settle(run)


def _argument(run: Run, arg: ast.arg, names: dict[str, Any]) -> Any:
    """What a parameter is given: by its annotation a session, or something the run chooses."""
    kind = ast.unparse(arg.annotation) if arg.annotation is not None else ""
    if kind.startswith(("Session", "AsyncSession")):
        if "None" in kind and run.choices.pick(2, f"{arg.arg} is None"):
            return None
        session = names["__given__"][kind.startswith("Async")]()
        run.sessions += sessions_in(session)
        return session
    if arg.arg == "item" and names["Item"] is real.Entry:
        return real.Entry(name="given")
    if arg.arg == "items":
        return calls.Turns(run, "items")
    return calls.Unknown(run, arg.arg)


def _drive(run: Run, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    try:
        result = function(*arguments)
        if isinstance(result, contextlib._GeneratorContextManager):
            result = result.gen
        if isgenerator(result):
            calls.serve(run, result)
        else:
            _hand_on(run, result)
    except (Spoiled, Exception) as error:
        _end(run, error)


async def _drive_async(run: Run, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    run.task = asyncio.current_task()
    try:
        result = function(*arguments)
        if isinstance(result, contextlib._AsyncGeneratorContextManager):
            result = result.gen
        if iscoroutine(result):
            _hand_on(run, await result)
        elif isasyncgen(result):
            await calls.serve_async(run, result)
    except (Spoiled, asyncio.CancelledError, Exception) as error:
        _end(run, error)
    if run.made:
        await awaiting.finish(run)


def _end(run: Run, error: BaseException) -> None:
    is_none = isinstance(error, AttributeError) and error.obj is None and error.name not in real.COLUMNS
    if isinstance(error, NameError) or is_none:
        run.spoil("a name that holds nothing")
    run.choices.note(f"raises {type(error).__name__}")


def _hand_on(run: Run, result: object) -> None:
    run.choices.note(f"returns {described(result)}")
    awaiting.given(run.made, [result])
    for session in sessions_in(result):
        session.kept = True


def _names(run: Run, mode: Mode, keeps: bool, is_async: bool) -> dict[str, Any]:
    """The names that the prelude of a program binds, and those that instrumented code uses."""
    names = _names_of_sessions(run)
    if mode is UNAWAITED:
        names |= {"AsyncSession": awaiting.Awaiting, "AsyncLocal": awaiting.AwaitingLocal}
    if mode is INSTANCES:
        names |= real.names(run, names["__helper__"], is_async)
    factories = (names["SessionLocal"], names["AsyncLocal"])
    return names | {"__given__": real.KEEPING if keeps else factories}


def _names_of_sessions(run: Run) -> dict[str, Any]:
    return {
        **CLASSES,
        "LookupError": LookupError,
        "Session": Watched,
        "AsyncSession": AsyncWatched,
        "SessionLocal": SessionLocal,
        "AsyncLocal": AsyncLocal,
        "engine": ENGINE,
        "async_engine": ASYNC,
        "Item": Item,
        "select": lambda _: SELECT,
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
LOOP.set_exception_handler(lambda *_: None)  # nobody asks how a task has ended that a program has forgotten
atexit.register(LOOP.close)
