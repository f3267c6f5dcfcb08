"""Checking again whenever something has changed that the findings rest on.

What that is, is known: the facts that a run has asked of the disk. Where only the text of some files is another, those
and all that they can concern are checked again; for all else (files that come or go, configurations) everything is.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from lint_sessions import disk
from lint_sessions.cache import Cache
from lint_sessions.check import begin, tell
from lint_sessions.config import Configs
from lint_sessions.config.settings import absolute
from lint_sessions.disk import Fact, Seen
from lint_sessions.linting import configs_of, groups_of, lint_paths
from lint_sessions.open_project import OpenProject
from lint_sessions.progress import Progress
from lint_sessions.project.dependents import Dependents, words_of
from lint_sessions.report import Sources, text
from lint_sessions.run import CLEAN, UNUSABLE, Run
from lint_sessions.sift import Sieve, SiftError
from lint_sessions.source.document import Block, Document, SourceError

PAUSE: Final = 0.2
"""Seconds between two looks at the disk, each of which takes some milliseconds."""
_IDLE: Final = 20
"""How many times as long as a look the pause after it is at least."""
_CLEAR: Final = "\033[2J\033[3J\033[H"


def watch(asked: Namespace, wait: Callable[[float], object] = time.sleep) -> int:
    """Check, and check again after each change, until the user interrupts; the exit status of the last check."""
    if clash := _clash(asked):
        Run(asked, Progress(wanted=False)).problem("--watch", clash)
        return UNUSABLE
    status = CLEAN
    try:
        while True:
            watched = Watched(asked)
            status = watched.check()
            if watched.run is None:
                return status
            watched.warm()
            while watched.recheck(watched.changed(wait)):
                status = watched.tell()
    except KeyboardInterrupt:
        return status


def _clash(asked: Namespace) -> str | None:
    """What cannot be done time and again."""
    if "-" in asked.paths:
        return "standard input does not change; name files or folders instead"
    if asked.fix or asked.fix_only or asked.diff or asked.add_noqa or asked.write_baseline is not None:
        return "it only tells what is found; leave out what changes files, or run that by itself"
    if asked.output_file or any(file for _, file in asked.output_format or ()):
        return "it tells on the screen; leave out the files"
    return None


class Watched:
    """One full run, and what has become of it since."""

    def __init__(self, asked: Namespace) -> None:
        self.asked = asked
        self.run: Run | None = None
        self.facts: dict[Fact, Seen] = {}
        self._documents: dict[Path, Document] = {}
        """The files that were checked, by absolute paths."""
        self._open = OpenProject()
        self._checked = 0
        self._started = time.monotonic()

    # --- everything -------------------------------------------------------------------------------------------------

    def check(self) -> int:
        """Check everything and tell what was found; the exit status. Without a `run` afterwards, nothing can be."""
        _clear()
        run = begin(self.asked)
        if isinstance(run, int):
            return run
        self.run, cache = run, Cache.of(run)
        if cache is not None and cache.recall(run):
            self.facts, stopped = cache.facts(), None
        else:
            if cache is not None:
                cache.store.prepare()
            with disk.witnessed() as witness:
                stopped = lint_paths(run)
            self.facts = disk.facts_of(witness.record())  # those that follow from others need not be asked for
            if cache is not None and stopped is None:
                cache.keep(run, witness)
        self._checked = run.files
        run.progress.close()
        return self._told() if stopped is None else stopped

    def warm(self) -> None:
        """Learn, while the user reads, what the next check needs."""
        if self.run is None or self.run.unusable or self.run.faults:
            return
        configs = configs_of(self.run)
        if not isinstance(configs, Configs):
            return
        self._open = OpenProject(lambda: configs)
        if not self.run.paths:  # the answer was known
            self.run.paths = [path for group in groups_of(configs, self.run).values() for path in group]
        for path in map(absolute, self.run.paths):
            try:
                self._documents[path] = Document.read(path)
            except SourceError:
                continue
        for path in {self._open.config(path).root: path for path in self._documents}.values():
            self._open.check(path)

    # --- what has changed -------------------------------------------------------------------------------------------

    def changed(self, wait: Callable[[float], object]) -> list[Fact]:
        """Wait until something is not as it was; the facts that do not hold any more."""
        took = 0.0
        while True:
            wait(max(PAUSE, _IDLE * took))
            started = time.monotonic()
            if found := disk.changed(self.facts):
                self._started = started
                return found
            took = time.monotonic() - started

    def recheck(self, changed: Sequence[Fact]) -> bool:
        """Check again what a change concerns; False where that takes a full run."""
        run, before = self.run, self._documents
        paths = {Path(path) for what, path in changed if what == "read"}
        if run is None or len(paths) < len(changed) or not paths <= before.keys():
            return False
        with disk.witnessed() as witness:
            try:
                after = {**before, **{path: Document.read(path) for path in paths}}
            except SourceError:
                return False
            self._open.saved(paths)
            answers = {path: self._open.check(path) for path in _concerned(paths, before, after)}
        same = any(before[path].data == after[path].data for path in paths)  # which others have read as it was before
        if same or witness.is_torn or any(answer.problem is not None for answer in answers.values()):
            return False
        given = {absolute(path): path for path in run.paths}
        run.findings = [finding for finding in run.findings if absolute(finding.path) not in answers]
        run.findings += (replace(f, path=given[path]) for path, answer in answers.items() for f in answer.findings)
        self._documents, self._checked = after, len(answers)
        self.facts |= witness.facts
        return True

    def tell(self) -> int:
        """Tell what is found now, on a clean screen; the exit status."""
        _clear()
        return self._told()

    def _told(self) -> int:
        run = self.run
        assert run is not None
        run.sources = Sources()
        try:
            run.sieve = Sieve.of(self.asked)
            run.sieve.look_at(run.root)
        except SiftError as error:
            run.problem("command line", str(error))
        status = tell(run, sys.stdout)
        if not self.asked.quiet:
            took = time.monotonic() - self._started
            print(
                f"Checked {text.number(self._checked, 'file')} in {took:.2f} s. Watching for changes; Ctrl-C ends it."
            )
        sys.stdout.flush()
        return status


def _clear() -> None:
    if sys.stdout.isatty():
        sys.stdout.write(_CLEAR)


def _concerned(changed: Iterable[Path], before: Mapping[Path, Document], after: Mapping[Path, Document]) -> set[Path]:
    """The files that some changes can concern, by what the changed files said before and what they say now."""
    found: set[Path] = set()
    for documents, others in ((before, after), (after, before)):
        blocks = [(path, block) for path in changed for block in _only_in(documents[path], others[path])]
        words = {path: words_of("\n".join(b.text for where, b in blocks if where == path)) for path in changed}
        found |= Dependents(documents).of(blocks, words)
    return found


def _only_in(document: Document, other: Document) -> list[Block]:
    """The top-level statements that the other text does not have."""
    texts = {block.text for block in other.blocks}
    return [block for block in document.blocks if block.text not in texts]
