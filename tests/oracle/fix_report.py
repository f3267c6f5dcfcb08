"""Batches of programs that are fixed: how many, and the smallest forms of those that a fix breaks."""

from __future__ import annotations

import difflib
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from .fixing import Fixed, check
from .programs import Program, program
from .shrink import shrink

RUNS = 50
"""Runs of one entry before the search is cut short: each is made twice, and the fixed program runs as often again."""
CHUNK = 50


@dataclass
class FixTally:
    """What came of fixing a batch of programs."""

    programs: int = 0
    fixed: int = 0
    """Texts that came out of fixes: of one program, one by the safe fixes and one by all, where these differ."""
    runs: int = 0
    """Runs that were held against the fixed program's."""
    mended: Counter[str] = field(default_factory=Counter)
    """Findings that are gone, by rule."""
    refused: Counter[str] = field(default_factory=Counter)
    """Fixes that the fix loop left out because they do harm, by rule."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Fixed texts by what is broken in them."""
    broken: list[tuple[Program, Fixed]] = field(default_factory=list)
    seconds: float = 0

    def add(self, other: FixTally) -> None:
        for name in ("programs", "fixed", "runs"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.mended += other.mended
        self.refused += other.refused
        self.kinds += other.kinds
        self.broken += other.broken

    def __str__(self) -> str:
        rows = [
            f"{self.programs} programs, {self.fixed} fixed texts in {self.seconds:.0f} s; {len(self.broken)} are broken",
            f"{self.runs} runs compared before and after",
        ]
        rows += [f"{count:6} {rule} mended" for rule, count in sorted(self.mended.items())]
        rows += [f"{count:6} {rule}: fix left out by the fix loop" for rule, count in sorted(self.refused.items())]
        return "\n".join([*rows, *(f"{count:6} {kind}" for kind, count in sorted(self.kinds.items()))])


def fix_batch(
    seed: int, numbers: Iterable[int], *, is_async: bool = False, seconds: float | None = None, runs: int = RUNS
) -> FixTally:
    """Fix the programs of these numbers and run what comes of it, for so many seconds at most."""
    tally, start = FixTally(), time.monotonic()
    for number in numbers:
        made = program(seed, number, is_async=is_async)
        tally.programs += 1
        for fixed in check(made.text, runs):
            tally.refused.update(fixed.refused)
            if fixed.after == fixed.before:
                continue
            tally.fixed += 1
            tally.runs += fixed.runs
            tally.mended.update(harm.code for harm in fixed.mended)
            tally.kinds.update({found.kind for found in fixed.broken})
            if fixed.broken:
                tally.broken.append((made, fixed))
        if seconds is not None and time.monotonic() - start > seconds:
            break
    tally.seconds = time.monotonic() - start
    return tally


def fix_batches(seed: int, programs: int, *, is_async: bool, jobs: int) -> FixTally:
    """The same in several processes."""
    chunks = [range(i, min(i + CHUNK, programs)) for i in range(0, programs, CHUNK)]
    start, tally = time.monotonic(), FixTally()
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for job in [pool.submit(fix_batch, seed, chunk, is_async=is_async) for chunk in chunks]:
            tally.add(job.result())
            tally.seconds = time.monotonic() - start
    return tally


def smallest_broken(tally: FixTally, each: int) -> Iterator[str]:
    """Up to `each` examples of each kind of breakage, as small as they can be: the change, and what differs."""
    shown: Counter[str] = Counter()
    for made, fixed in tally.broken:
        for kind in dict.fromkeys(found.kind for found in fixed.broken):
            if shown[kind] < each:
                shown[kind] += 1
                text = shrink(made.text, lambda candidate, kind=kind: _shows(candidate, kind))  # type: ignore[misc]
                yield from (explain(small, kind) for small in check(text, RUNS) if _has(small, kind))


def _shows(text: str, kind: str) -> bool:
    try:
        return any(_has(fixed, kind) for fixed in check(text, RUNS))
    except SyntaxError:
        return False


def _has(fixed: Fixed, kind: str) -> bool:
    return any(found.kind == kind for found in fixed.broken)


def explain(fixed: Fixed, kind: str) -> str:
    """A change, and what is broken by it."""
    change = difflib.unified_diff(fixed.before.splitlines(), fixed.after.splitlines(), lineterm="", n=1_000)
    told = [found.told for found in fixed.broken if found.kind == kind]
    which = "all fixes" if fixed.unsafe else "safe fixes"
    return "\n".join([f"--- {kind} ({which})", *list(change)[3:], *told])
