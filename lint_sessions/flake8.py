"""The flake8 plugin: what the command finds in a file, flake8 finds there too.

flake8 runs no plugin on a file that Python cannot parse; it reports E999 there, where the command reports LS000.

flake8 hands out its files to processes, one by one; each of them keeps what it has found when it ends, as an entry of
its own, and reads what was kept once, at its first file. The analysis is imported for what is not known.
"""

from __future__ import annotations

import ast
import os
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import blake2b
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from lint_sessions import __version__, disk
from lint_sessions.disk import Witness
from lint_sessions.store import Store, checksum_of, question

if TYPE_CHECKING:
    from lint_sessions.single import Files

Result = tuple[int, int, str, type]
Row = tuple[int, int, str]

_MOST_PARTS: Final = 8
"""Entries read for one question. More come of runs over a file or two; the oldest of those are found out anew."""


class Plugin:
    """Made by flake8 for each file, in each of its processes."""

    name = "lint-sessions"
    version = __version__
    codes: ClassVar[tuple[str, ...]] = ()
    kept: ClassVar[Kept | None] = None

    @classmethod
    def parse_options(cls, options: Namespace) -> None:
        """Let `--select=LS404` and its like turn on an opt-in rule; a mere `LS` does not."""
        selectors = (*(options.select or ()), *(options.extend_select or ()))
        cls.codes = tuple(selector for selector in selectors if re.fullmatch(r"LS\d{3}", selector))
        cls.kept = None

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:  # noqa: ARG002  flake8 asks for a tree
        # Not in run(): flake8 reports an exception well only if it comes from here.
        if Plugin.kept is None:
            Plugin.kept = Kept(self.codes)
        self.results = Plugin.kept.results(Path(filename), "".join(lines))

    def run(self) -> Iterator[Result]:
        yield from ((row, column, message, Plugin) for row, column, message in self.results)


class Kept:
    """What one process knows of files, and what it finds out."""

    def __init__(self, codes: tuple[str, ...]) -> None:
        self._codes = codes
        self._store = Store.of()
        self._question = question(flake8=codes)
        self._known: dict[str, tuple[str, Sequence[Row]]] = {}
        self._new: dict[str, tuple[str, Sequence[Row]]] = {}
        self._witness: Witness | None = None
        self._start = f"flake8-{checksum_of(self._question)}-"
        if self._store is not None:
            for number, name in enumerate(self._store.names(self._start)):
                answer = self._store.read(name, self._question) if number < _MOST_PARTS else None
                if isinstance(answer, dict):
                    self._known |= answer
                else:
                    self._store.remove(name)

    def results(self, path: Path, text: str) -> Sequence[Row]:
        """The row, the column from 0 and the message of each finding in a file that has this text."""
        name, digest = str(path.absolute()), blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        known: Any = self._known.get(name)
        if known is not None and known[0] == digest:
            return [(row, column, message) for row, column, message in known[1]]
        found = self._files.found(path, text)
        if found.is_on_disk:
            self._new[name] = digest, found.rows
        elif self._witness is not None:
            self._witness.is_torn = True  # from here on answers may rest on a text that no file has
        return found.rows

    @cached_property
    def _files(self) -> Files:
        """The analysis. What it reads is noted for what will be kept when this process ends."""
        from lint_sessions.single import Files

        if self._store is not None:
            self._store.prepare()
            self._witness = disk.witness_from_here()
            Finalize(self, self._keep, exitpriority=1)
        return Files(self._codes)

    def _keep(self) -> None:
        if self._store is not None and self._witness is not None and self._new:
            self._store.write(f"{self._start}{os.urandom(4).hex()}", self._question, self._witness, self._new)
