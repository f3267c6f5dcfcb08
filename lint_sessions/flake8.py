"""The flake8 plugin: what the command finds in a file, flake8 finds there too.

flake8 runs no plugin on a file that Python cannot parse; it reports E999 there, where the command reports LS000.
"""

from __future__ import annotations

import ast
import re
import tokenize
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from lint_sessions import __version__, engine
from lint_sessions.config import Config, Configs, Selection
from lint_sessions.finding import INVALID_SYNTAX
from lint_sessions.registry import known
from lint_sessions.source.document import Document, SourceError

Result = tuple[int, int, str, type]


class Plugin:
    """Made by flake8 for each file, in each of its processes."""

    name = "lint-sessions"
    version = __version__
    configs: ClassVar[Configs] = Configs()
    analyses: ClassVar[dict[Config, engine.Analysis]] = {}
    """What is known of a project by now, kept from file to file as the command does."""

    @classmethod
    def parse_options(cls, options: Namespace) -> None:
        """Let `--select=LS404` and its like turn on an opt-in rule; a mere `LS` does not."""
        selectors = (*(options.select or ()), *(options.extend_select or ()))
        codes = tuple(selector for selector in selectors if re.fullmatch(r"LS\d{3}", selector))
        cls.configs = Configs(command=Selection(extend_select=codes))

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:  # noqa: ARG002  flake8 asks for a tree
        # Not in run(): flake8 reports an exception well only if it comes from here.
        self.results = tuple(self._results(Path(filename), lines))

    def run(self) -> Iterator[Result]:
        yield from self.results

    def _results(self, path: Path, lines: Sequence[str]) -> Iterator[Result]:
        config = self.configs.of_file(path)
        config.check_selectors(known())
        if config.excludes(path):
            return
        try:
            document = _document(path, lines)
        except SourceError as error:
            yield 1, 0, f"{INVALID_SYNTAX[0]} {error}", Plugin
            return
        if config not in self.analyses:
            self.analyses[config] = engine.Analysis(config)
        for finding in engine.check_document(document, config, fixes=False, analysis=self.analyses[config]):
            yield finding.start.row, finding.start.column - 1, f"{finding.code} {finding.message}", Plugin


def _document(path: Path, lines: Sequence[str]) -> Document:
    """The file itself, or, where flake8 was given another text under its name (on standard input), that text."""
    text = "".join(lines)
    if path.is_file():
        document = Document.read(path)
        if re.sub(r"\r\n?", "\n", document.text) == text:
            return document
    encoding, _ = tokenize.detect_encoding(iter([line.encode() for line in lines[:2]]).__next__)
    return Document.from_bytes(path, text.encode(encoding, errors="replace"))
