"""Choice points of a run, and the search through every sequence of choices."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_FAILURES = 2
"""Failures in one run: one in the body, and one in whatever cleans up after it."""


@dataclass(frozen=True)
class Taken:
    """One choice that a run has made."""

    index: int
    count: int
    cost: int
    """1 where any choice but the first is a failure."""
    what: str


class Choices:
    """The choices of one run: those of a prefix, then always the first."""

    def __init__(self, prefix: Sequence[int] = (), most: int = MAX_FAILURES) -> None:
        self.prefix = prefix
        self.most = most
        self.taken: list[Taken] = []
        self.failures = 0

    def pick(self, count: int, what: str) -> int:
        """One of `count` ways to go on, none of them a failure."""
        return self._pick(count, 0, what)

    def fail(self, count: int, what: str) -> int:
        """0 to go on well, else one of `count` ways to fail."""
        if self.failures >= self.most:
            return 0
        index = self._pick(count + 1, 1, what)
        self.failures += index > 0
        return index

    def _pick(self, count: int, cost: int, what: str) -> int:
        place = len(self.taken)
        index = self.prefix[place] if place < len(self.prefix) else 0
        self.taken.append(Taken(index, count, cost, what))
        return index

    def note(self, what: str) -> None:
        """Something to be seen from outside has happened; whoever compares runs writes it down."""

    def told(self) -> list[str]:
        """What was chosen, where it was not the first way."""
        return [f"{t.what}: {t.index}" if t.count > 2 else t.what for t in self.taken if t.index]


class Search:
    """Every sequence of choices, those with few failures and few detours first."""

    def __init__(self, limit: int, most: int = MAX_FAILURES, made: type[Choices] = Choices) -> None:
        self.limit = limit
        self.most = most
        self.made = made
        self.exhausted = False
        self.runs = 0

    def __iter__(self) -> Iterator[Choices]:
        waiting: list[tuple[int, int, list[int]]] = [(0, 0, [])]
        pushed = 0
        while waiting:
            if self.runs >= self.limit:
                return
            rank, _, prefix = heapq.heappop(waiting)
            choices = self.made(prefix, self.most)
            self.runs += 1
            yield choices
            indexes = [taken.index for taken in choices.taken]
            for place in range(len(prefix), len(indexes)):
                taken = choices.taken[place]
                for other in range(1, taken.count):
                    pushed += 1
                    cost = 4 if taken.cost else 1
                    heapq.heappush(waiting, (rank + cost, pushed, [*indexes[:place], other]))
        self.exhausted = True
