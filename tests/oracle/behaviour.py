"""What is to be seen of a run from outside, and the run of another text that is given the same choices."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from types import CodeType

from .choices import Choices, Search, Taken
from .driver import performed, quiet
from .instrument import AnyFunction, entries, instrument, reachable
from .world import PROGRAM, Harm, Run


@dataclass(frozen=True)
class Event:
    """A choice that was made, or something that the run showed."""

    what: str
    index: int = 0
    count: int = 0
    """Of a choice, how many ways there were to go on."""

    def __str__(self) -> str:
        return f"{self.what}: {self.index} of {self.count}" if self.count else self.what


@dataclass(frozen=True)
class Behaviour:
    """One run: what it asked, did and gave, in order, and what went wrong in it."""

    entry: str
    events: tuple[Event, ...]
    harms: frozenset[Harm]
    spoiled: str
    unstored: bool = False
    """Whether a session ended with something that it has not stored: a commit would have."""
    fresh: tuple[str, ...] = ()
    """Of the run of a changed text: what its new rows showed, which is not among the events."""


class Traced(Choices):
    """Choices that are written down, those that are none included, with all else that is seen."""

    def __init__(self, prefix: Sequence[int] = (), most: int = 0) -> None:
        super().__init__(prefix, most)
        self.events: list[Event] = []

    def pick(self, count: int, what: str) -> int:
        index = super().pick(count, what)
        self.events.append(Event(what, index, count))
        return index

    def fail(self, count: int, what: str) -> int:
        index = super().fail(count, what)
        self.events.append(Event(what, index, count + 1))
        return index

    def note(self, what: str) -> None:
        self.events.append(Event(what))


class Rows:
    """Where each row of a changed text stood before; a row of its own stood nowhere."""

    def __init__(self, before: Iterable[tuple[int, int]]) -> None:
        self.before = {0: 0, **dict(before)}  # 0 where no row is known

    def old(self, what: str) -> str | None:
        """What was seen, told with the old rows; None where a new row shows it."""
        rows = [int(row) for row in _ROW.findall(what)]
        if any(row not in self.before for row in rows):
            return None
        return _ROW.sub(lambda found: str(self.before[int(found[0])]), what)

    def harm(self, harm: Harm) -> Harm | None:
        row = self.before.get(harm.row)
        return None if row is None else Harm(harm.code, row)


_ROW = re.compile(r"(?<=\brow )\d+")


class Replayed(Traced):
    """The choices of another run, each where the same thing is asked again; what only this text asks goes well."""

    def __init__(self, events: Iterable[Event], rows: Rows) -> None:
        super().__init__()
        self.rows = rows
        self.fresh: list[str] = []
        self.waiting: dict[tuple[str, int], deque[int]] = {}
        for event in events:
            if event.count:
                self.waiting.setdefault((event.what, event.count), deque()).append(event.index)

    def pick(self, count: int, what: str) -> int:
        return self._again(count, 0, what)

    def fail(self, count: int, what: str) -> int:
        return self._again(count + 1, 1, what)

    def note(self, what: str) -> None:
        old = self.rows.old(what)
        if old is not None:
            super().note(old)
        else:
            self.fresh.append(what)

    def _again(self, count: int, cost: int, what: str) -> int:
        old = self.rows.old(what)
        waiting = self.waiting.get((old, count)) if old is not None else None
        index = waiting.popleft() if waiting else 0
        self.taken.append(Taken(index, count, cost, what))
        if old is not None:
            self.events.append(Event(old, index, count))
        return index


class Runnable:
    """A program that is ready to be run again and again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.starts = {entry.name: (entry, reachable(self.tree, entry)) for entry in entries(self.tree)}

    @cached_property
    def code(self) -> CodeType:
        _ = self.starts
        return compile(instrument(ast.parse(self.text)), PROGRAM, "exec")

    def behaviours(self, limit: int) -> list[Behaviour]:
        """What the runs of each entry show, up to so many of each."""
        found: list[Behaviour] = []
        with quiet():
            for entry, functions in self.starts.values():
                search = Search(limit, made=Traced)
                found += [_seen(run, entry) for run in performed(entry, functions, self.code, search)]
        return found

    def again(self, behaviours: Sequence[Behaviour], rows: Rows) -> list[Behaviour]:
        """What the same choices show in this text, told with the rows of the other."""
        found: list[Behaviour] = []
        with quiet():
            for name, group in groupby(behaviours, key=lambda behaviour: behaviour.entry):
                entry, functions = self.starts[name]
                choices = [Replayed(behaviour.events, rows) for behaviour in group]
                found += [_seen(run, entry) for run in performed(entry, functions, self.code, choices)]
        return found


def _seen(run: Run, entry: AnyFunction) -> Behaviour:
    assert isinstance(run.choices, Traced)
    fresh = tuple(run.choices.fresh) if isinstance(run.choices, Replayed) else ()
    return Behaviour(entry.name, tuple(run.choices.events), frozenset(run.harms), run.spoiled, run.unstored, fresh)
