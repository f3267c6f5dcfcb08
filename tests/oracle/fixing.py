"""What the linter's fixes make of a program: whether the harm is gone, and whether runs without harm stay as they were."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from lint_sessions.config import Config
from lint_sessions.engine import Analysis, check_document
from lint_sessions.finding import Finding, Safety
from lint_sessions.fixing import Fixed as Result
from lint_sessions.fixing import fix
from lint_sessions.source.document import Document

from .behaviour import Behaviour, Event, Rows, Runnable
from .driver import MAX_RUNS, Observed, observe
from .modes import SESSIONS
from .verdict import MORE_RUNS, ROOT, harm_of
from .world import REFUSED, Harm

CONFIG = Config(ROOT, select=SESSIONS.rules)
CLOSES = frozenset(["Use `with`", "Use `async with`", "Close in `finally`"])
"""Fixes that do nothing but close: each statement that reaches the database does so as before, and a run whose only
harm is the session left open must stay as it was too."""
OPEN = frozenset(["LS101", "LS301"])
REOPENED = frozenset(["LS302"])
HIDDEN = frozenset(["LS402"])
"""What a session that is never closed hides: once it is closed, what was written to it is seen to be lost."""
STATEMENT = re.compile(r"(select|insert|update|delete|commit|savepoint|release) fails at row")
"""A statement that reaches the database."""


@dataclass(frozen=True)
class Break:
    """Something that a fix has broken."""

    kind: str
    told: str


@dataclass(frozen=True)
class Fixed:
    """A program before and after its fixes."""

    before: str
    after: str
    unsafe: bool
    """Whether unsafe fixes were applied as well."""
    applied: frozenset[tuple[str, Safety]]
    """The fixes that were applied, by their titles."""
    mended: frozenset[Harm]
    """What was reported, and is not any more."""
    refused: tuple[str, ...]
    """The rules whose fixes were offered, and left out by the fix loop because they do harm."""
    broken: tuple[Break, ...]
    runs: int = 0
    """How many runs the program has made before the fix."""


def check(text: str, limit: int = MAX_RUNS) -> list[Fixed]:
    """Fix a program, safely and then unsafely too, and compare its runs before and after; where a fix is offered."""
    before = _Text(_marked(_MARK.sub("", text)))
    made: list[Fixed] = []
    runs: list[Behaviour] = []
    for unsafe in (False, True):
        if not any(_allowed(f, unsafe=unsafe) for f in before.findings):
            continue
        result = fix(before.findings, before.analysis, unsafe=unsafe)
        if made and made[0].after == _MARK.sub("", result.after(before.document).text):
            continue
        runs = runs or Runnable(before.plain).behaviours(limit)
        made.append(_compared(before, runs, result, unsafe, limit))
    return made


class _Text:
    """A program with a mark at the end of each row, and what is reported of it."""

    def __init__(self, marked: str) -> None:
        self.document = Document.from_bytes(ROOT / "main.py", marked.encode())
        self.plain = _MARK.sub("", marked)
        self.analysis = Analysis(CONFIG)
        self.analysis.documents[self.document.path] = self.document

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        return check_document(self.document, CONFIG, analysis=self.analysis)


def _compared(before: _Text, runs: Sequence[Behaviour], result: Result, unsafe: bool, limit: int) -> Fixed:
    marked = result.after(before.document).text
    after, rows = _MARK.sub("", marked), Rows(_places(before.plain, marked))
    applied = frozenset((f.fix.title, f.fix.safety) for f in result.applied if f.fix is not None)
    reported = {harm_of(finding) for finding in before.findings}
    still = {harm_of(finding): finding for finding in result.findings}
    mended = frozenset(reported - {rows.harm(harm) for harm in still})
    refused = tuple(code for fault in result.faults for code in re.findall(r"fix of (LS\d{3})", fault.message))
    try:
        compile(after, "<fixed>", "exec")
    except SyntaxError as error:
        broken = [Break("the text does not parse", str(error))]
    else:
        hidden = HIDDEN if any(harm.code in OPEN | REOPENED for harm in mended) else frozenset[str]()
        broken = [
            Break(f"{harm.code} is reported after the fix", f"at row {harm.row}")
            for harm in sorted(still)
            if rows.harm(harm) not in reported and harm.code not in hidden
        ]
        broken += _harms(before.plain, runs, observe(after, limit), mended, reported, rows, hidden)
        broken += _changed(runs, Runnable(after), applied, rows)
    return Fixed(before.plain, after, unsafe, applied, mended, refused, tuple(broken), len(runs))


def _allowed(finding: Finding, *, unsafe: bool) -> bool:
    return finding.fix is not None and (unsafe or finding.fix.safety is Safety.SAFE)


def _marked(text: str) -> str:
    return "".join(f"{line}  # @{row}\n" if line.strip() else "\n" for row, line in enumerate(text.splitlines(), 1))


_MARK = re.compile(r"  # @(\d+)$", re.MULTILINE)


def _places(before: str, marked: str) -> Iterator[tuple[int, int]]:
    """The rows of a text, and those where they stood before it was fixed; what stands in place of a `pass` is new."""
    old = before.splitlines()
    for row, line in enumerate(marked.splitlines(), 1):
        mark = _MARK.search(line)
        if mark and not (old[int(mark[1]) - 1].strip() == "pass" and line[: mark.start()].strip() != "pass"):
            yield row, int(mark[1])


def _harms(
    before: str,
    runs: Iterable[Behaviour],
    after: Observed,
    mended: AbstractSet[Harm],
    reported: AbstractSet[Harm],
    rows: Rows,
    hidden: AbstractSet[str],
) -> Iterator[Break]:
    """No run may show what was mended, nor what nobody knew of before."""
    known = frozenset(reported).union(*(run.harms for run in runs))
    for harm, run in sorted(after.harms.items()):
        old = rows.harm(harm)
        told = f"{harm.code} at row {harm.row}: {'; '.join(run)}"
        if old in mended:
            yield Break(f"{harm.code} is mended, and a run shows it", told)
        elif harm.code not in hidden and old not in known and old not in observe(before, MAX_RUNS * MORE_RUNS).harms:
            yield Break(f"{harm.code} comes with the fix", told)


def _changed(
    before: Iterable[Behaviour], after: Runnable, applied: AbstractSet[tuple[str, Safety]], rows: Rows
) -> Iterator[Break]:
    """A run without harm must do the same after the fix; but for one that an unsafe fix rolls back."""
    closes = {title for title, _ in applied} <= CLOSES
    commits = any(title == "Commit" for title, _ in applied)
    undoes = any(safety is Safety.UNSAFE and title == "Roll back first" for title, safety in applied)
    titles = ", ".join(sorted({title for title, _ in applied}))
    runs = [run for run in before if _is_well(run, OPEN if closes else frozenset())]
    for old, new in zip(runs, after.again(runs, rows), strict=True):
        if undoes and any(what.startswith("rolls back") for what in new.fresh):
            continue
        if commits and old.unstored:
            continue
        if not closes and _fails_no_more(old.events, new.events):
            continue
        if new.spoiled:
            yield Break(f"{titles}: another misuse comes", f"{new.spoiled}: {_told(old.events)}")
            return
        was, now = (_seen(run.events, statements=closes) for run in (old, new))
        if was != now:
            same = next((i for i, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]), None)
            place = min(len(was), len(now)) if same is None else same
            told = f"{_told(was[:place])} THEN {_told(was[place:])} NOW {_told(now[place:])}"
            yield Break(f"{titles}: a run without harm changes", told)
            return


def _fails_no_more(old: Iterable[Event], new: Iterable[Event]) -> bool:
    """Whether a statement failed that now stands behind the close, where it has nothing to do and asks nothing."""
    asked = {event.what for event in new}
    return any(event.index and STATEMENT.match(event.what) and event.what not in asked for event in old)


def _is_well(run: Behaviour, unseen: frozenset[str]) -> bool:
    if any(event.what == REFUSED for event in run.events):
        return False
    return not run.spoiled and all(harm.code in unseen for harm in run.harms)


def _seen(events: Iterable[Event], *, statements: bool) -> tuple[Event, ...]:
    return tuple(event for event in events if statements or event.index or not STATEMENT.match(event.what))


def _told(events: tuple[Event, ...]) -> str:
    return "; ".join(str(event) for event in events if not event.count or event.index) or "nothing"
