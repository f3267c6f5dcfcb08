"""The files of one project checked in several processes, each with an analysis of its own; the findings are the same.

What a process learns of a module that others use as well, it learns by itself: that is cheaper than telling it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from hashlib import blake2b
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Final

from lint_sessions import disk, engine, timing
from lint_sessions.config import Config
from lint_sessions.disk import Witness
from lint_sessions.engine import Analysis, Report
from lint_sessions.source.document import Document, SourceError

ENOUGH: Final = 200_000
"""Bytes of Python that are worth another process: about a second of work, where starting one takes a tenth."""
_SHARES: Final = 8
"""Shares of the work for each process: the more, the more even; the fewer, the more a process knows already."""


def usable_cores() -> int:
    """How many processes can run at once here."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check(
    paths: Sequence[Path],
    config: Config,
    analysis: Analysis,
    *,
    jobs: int,
    documents: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check these files of one project in up to `jobs` processes, of which this is one where there is little to do.

    With `documents`, `analysis` has the documents of the files afterwards, as fixes need them.
    """
    shares = _shares(paths, jobs)
    if len(shares) < 2:
        return engine.check_files(paths, config, progress=progress, analysis=analysis)
    done: list[_Part | None] = [None] * len(shares)
    for number, part in _parts(shares, config, jobs):
        done[number] = part
        timing.join(part.times)
        if progress is not None:
            progress(sum(part.report.files for part in done if part is not None), len(paths))
    # The shares of processes that came to an end too early, for want of memory as a rule, are done here.
    parts = [_Part.of(share, analysis) if part is None else part for share, part in zip(shares, done, strict=True)]
    witness = disk.present()
    if witness is not None:
        for part in parts:
            witness.join(part.witness)
    if documents:
        parts = [one for part in parts for one in _with_documents(part, analysis)]
    findings = [finding for part in parts for finding in part.report.findings]
    return Report(
        tuple(sorted(findings, key=lambda finding: finding.order)),
        tuple(problem for part in parts for problem in part.report.problems),
        sum(part.report.files for part in parts),
        tuple(dict.fromkeys(name for part in parts for name in part.report.given_up)),
    )


def _shares(paths: Sequence[Path], jobs: int) -> list[Sequence[Path]]:
    """The files in as many shares as are worth it, each of neighbours; one where one process is to do all."""
    sizes = [_size(path) for path in paths] if jobs > 1 else []
    wanted = min(jobs, sum(sizes) // ENOUGH) * _SHARES
    if wanted < 2:
        return [paths]
    shares: list[list[Path]] = [[]]
    full, size = sum(sizes) / wanted, 0
    for path, its in zip(paths, sizes, strict=True):
        if size >= full:
            shares.append([])
            size = 0
        shares[-1].append(path)
        size += its
    return list(shares)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@dataclass(frozen=True)
class _Part:
    """What came of one share."""

    report: Report
    digests: dict[Path, bytes]
    """Of the contents of each file that could be checked."""
    witness: Witness
    """What of the disk was noted for it."""
    times: timing.Times | None = None
    """What another process has taken for it."""

    @classmethod
    def of(cls, paths: Sequence[Path], analysis: Analysis) -> _Part:
        with disk.witnessed() as witness:
            report = engine.check_files(paths, analysis.config, analysis=analysis)
        documents = {path: analysis.documents[path] for path in paths if path in analysis.documents}
        digests = {path: _digest(document) for path, document in documents.items()}
        return cls(report, digests, witness)


def _digest(document: Document) -> bytes:
    return blake2b(document.data, digest_size=16).digest()


def _with_documents(part: _Part, analysis: Analysis) -> Iterator[_Part]:
    """The part, its documents now in `analysis`; where a file has changed since, what is found in it now instead."""
    changed: list[Path] = []
    for path, digest in part.digests.items():
        try:
            document = analysis.documents.get(path) or Document.read(path)
        except SourceError:
            changed.append(path)
            continue
        if _digest(document) == digest:
            analysis.documents[path] = document
        else:
            changed.append(path)
    if changed:
        kept = tuple(finding for finding in part.report.findings if finding.path not in changed)
        files = part.report.files - len(changed)
        yield replace(part, report=Report(kept, part.report.problems, files, part.report.given_up))
        yield _Part.of(changed, analysis)
    else:
        yield part


# --- the processes ----------------------------------------------------------------------------------------------------


def _parts(shares: Sequence[Sequence[Path]], config: Config, jobs: int) -> Iterator[tuple[int, _Part]]:
    """The parts as they get ready, each with its number; those of a process that ends too early are left out."""
    with ProcessPoolExecutor(min(jobs, len(shares)), _context(), _begin, (config, timing.is_taken())) as pool:
        futures: dict[Future[_Part], int] = {}
        try:
            futures = {pool.submit(_work, share): number for number, share in enumerate(shares)}
        except BrokenProcessPool:
            return
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                continue


def _context() -> BaseContext:
    """Forked processes have everything imported; but only where no other thread can hold a lock meanwhile."""
    forks = sys.platform == "linux" and threading.active_count() == 1
    return get_context("fork" if forks else "spawn")


_analysis: Analysis | None = None
"""Of a process that works for another: made once, so that it is known for later shares."""


def _begin(config: Config, timed: bool) -> None:
    global _analysis
    timing.begin_again(wanted=timed)
    _analysis = Analysis(config)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the process that waits for this one tells of the interruption


def _work(paths: Sequence[Path]) -> _Part:
    assert _analysis is not None
    return replace(_Part.of(paths, _analysis), times=timing.take())
