"""Batches of programs: how many agree, and the smallest forms of those that do not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .modes import SESSIONS, Mode
from .programs import Program, program
from .shrink import shrink
from .verdict import Disagreement, judge

SHRINK_RUNS = 150


@dataclass
class Tally:
    """What a batch of programs came to."""

    programs: int = 0
    runs: int = 0
    harmful: int = 0
    cut: int = 0
    """Programs with more runs than the search makes: of these only what it saw is compared."""
    spoiled: int = 0
    """Programs some of whose runs do what no rule compared here has a word on: the same."""
    gave_up: int = 0
    """Programs on which the linter says that it gives up: not compared."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Programs by the kind of disagreement."""
    found: list[tuple[Program, tuple[Disagreement, ...]]] = field(default_factory=list)
    seconds: float = 0

    def add(self, other: Tally) -> None:
        for name in ("programs", "runs", "harmful", "cut", "spoiled", "gave_up"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.kinds += other.kinds
        self.found += other.found

    def __str__(self) -> str:
        rows = [
            f"{self.programs} programs, {self.runs} runs, {self.programs / max(self.seconds, 1e-9):.0f} programs a second",
            f"{self.harmful} show harm; {len(self.found)} disagree",
            f"compared in part: {self.cut} with too many runs, {self.spoiled} with runs that end in another misuse",
            f"not compared: {self.gave_up} on which the linter gives up",
        ]
        return "\n".join([*rows, *(f"{count:6} {kind}" for kind, count in sorted(self.kinds.items()))])


def batch(
    seed: int,
    numbers: Iterable[int],
    *,
    is_async: bool = False,
    mode: Mode = SESSIONS,
    rules: Iterable[str] | None = None,
    seconds: float | None = None,
) -> Tally:
    """Run and lint the programs of these numbers, for so many seconds at most."""
    tally, start, wanted = Tally(), time.monotonic(), set(rules or mode.rules)
    for number in numbers:
        made = program(seed, number, is_async=is_async, mode=mode)
        disagreements, observed, verdict = judge(made.text)
        kept = tuple(d for d in disagreements if d.harm.code in wanted)
        tally.programs += 1
        tally.runs += observed.runs
        tally.harmful += any(harm.code in wanted for harm in observed.harms)
        tally.cut += not observed.exhausted
        tally.spoiled += observed.spoiled
        tally.gave_up += verdict.gave_up
        tally.kinds.update({d.kind for d in kept})
        if kept:
            tally.found.append((made, kept))
        if seconds is not None and time.monotonic() - start > seconds:
            break
    tally.seconds = time.monotonic() - start
    return tally


def smallest(tally: Tally, each: int) -> Iterator[tuple[str, str]]:
    """Up to `each` examples of each kind of disagreement, made as small as they can be: the kind and the text."""
    shown: Counter[str] = Counter()
    known: set[str] = set()
    for made, disagreements in tally.found:
        for kind in dict.fromkeys(d.kind for d in disagreements):
            if shown[kind] >= each:
                continue
            text = shrink(made.text, lambda candidate, kind=kind: _shows(candidate, kind))  # type: ignore[misc]
            if text not in known:
                known.add(text)
                shown[kind] += 1
                yield kind, text


def _shows(text: str, kind: str) -> bool:
    try:
        return any(d.kind == kind for d in judge(text, SHRINK_RUNS)[0])
    except SyntaxError:
        return False


def explain(text: str, kind: str) -> str:
    """Where the disagreement stands, and the run that shows the harm."""
    rows = []
    for found in judge(text)[0]:
        if found.kind == kind:
            run = "; ".join(found.run) if not found.reported else "no run shows it"
            rows.append(f"{found.harm.code} at row {found.harm.row}: {run}")
    return "\n".join(rows)
