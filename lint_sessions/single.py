"""Files checked one by one, as flake8 hands them out; what is known of a project stays known from file to file."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lint_sessions import engine
from lint_sessions.config import Config, Configs, Selection
from lint_sessions.finding import INVALID_SYNTAX
from lint_sessions.registry import known
from lint_sessions.source.document import Document, SourceError


@dataclass(frozen=True)
class Found:
    """What is found in a text: rows from 1, columns from 0, and messages; and whether it is that of the file."""

    rows: tuple[tuple[int, int, str], ...]
    is_on_disk: bool


class Files:
    """Files under the configuration of their projects, and with some opt-in rules besides."""

    def __init__(self, codes: tuple[str, ...]) -> None:
        self._configs = Configs(command=Selection(extend_select=codes))
        self._analyses: dict[Config, engine.Analysis] = {}

    def found(self, path: Path, text: str) -> Found:
        """What is found in a file that flake8 says has this text. Raises ConfigError."""
        config = self._configs.of_file(path)
        config.check_selectors(known())
        if config.excludes(path):
            return Found((), is_on_disk=True)
        try:
            document, is_on_disk = _document(path, text)
        except SourceError as error:
            return Found(((1, 0, f"{INVALID_SYNTAX[0]} {error}"),), is_on_disk=False)
        return Found(tuple(self._rows(document, config)), is_on_disk)

    def _rows(self, document: Document, config: Config) -> Iterator[tuple[int, int, str]]:
        if config not in self._analyses:
            self._analyses[config] = engine.Analysis(config)
        for finding in engine.check_document(document, config, fixes=False, analysis=self._analyses[config]):
            yield finding.start.row, finding.start.column - 1, f"{finding.code} {finding.message}"


def _document(path: Path, text: str) -> tuple[Document, bool]:
    """The file itself, or, where flake8 was given another text under its name (on standard input), that text."""
    if path.is_file():
        document = Document.read(path)
        if re.sub(r"\r\n?", "\n", document.text) == text:
            return document, True
    lines = text.splitlines(keepends=True)[:2]
    encoding, _ = tokenize.detect_encoding(iter([line.encode() for line in lines]).__next__)
    return Document.from_bytes(path, text.encode(encoding, errors="replace")), False
