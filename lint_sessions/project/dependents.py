"""Which files a change of some definitions can concern, by the words of their texts: nothing is parsed or resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from lint_sessions.source.document import Block, Document

_WORD = re.compile(r"[^\W\d]\w*")
_IMPORT = re.compile(r"^[ \t]*(?:from[^\n]*\bimport[ \t]*\([^)]*\)|(?:from|import)\b[^\n]*)", re.MULTILINE)
_BOUND = re.compile(r"\b\w+[ \t]+as[ \t]+(\w+)|^(\w+)[^\n=]*=", re.MULTILINE)


class Dependents:
    """The files of a run, and what each of them imports and mentions."""

    def __init__(self, documents: Mapping[Path, Document]) -> None:
        self._files = {path: _File(path, document) for path, document in documents.items()}
        self._importers: dict[str, list[_File]] = {}
        for file in self._files.values():
            for word in file.imported:
                self._importers.setdefault(word, []).append(file)

    def of(self, changed: Iterable[tuple[Path, Block]], words: Mapping[Path, set[str]]) -> set[Path]:
        """The files of changed blocks; those that import such a block's module and mention its name, or what mentions
        that, and so on; and those that define what the changed rows of a file mention, which are its `words`."""
        found = set(words)
        for path, mentioned in words.items():
            callees = (other for other in self._files.values() if other.stem in self._files[path].imported)
            found |= {other.path for other in callees if mentioned & other.defined}
        pending = [(self._files[path], names_of(block)) for path, block in changed]
        seen: dict[Path, set[str]] = {}
        while pending:
            home, names = pending.pop()
            new = names - seen.setdefault(home.path, set())
            seen[home.path] |= new
            for file in (home, *self._importers.get(home.stem, ())) if new else ():
                blocks = [block for block, mentioned in file.mentioned if not new.isdisjoint(mentioned)]
                if blocks:
                    found.add(file.path)
                    pending.append((file, {name for block in blocks for name in names_of(block)}))
        return found


class _File:
    def __init__(self, path: Path, document: Document) -> None:
        self.path = path
        self.document = document
        self.stem = path.absolute().parent.name if path.stem == "__init__" else path.stem
        self.imported = {word for found in _IMPORT.findall(document.text) for word in _WORD.findall(found)}

    @cached_property
    def mentioned(self) -> list[tuple[Block, set[str]]]:
        """The top-level statements, each with its words."""
        text = self.document.text
        return [(block, words_of(text[block.start : block.end])) for block in self.document.blocks]

    @cached_property
    def defined(self) -> set[str]:
        return {block.name for block in _all(self.document.blocks) if block.name is not None}


def names_of(block: Block) -> set[str]:
    """The names by which other code gets at what stands in a top-level statement: that of the definition, or those that
    it binds. A method is got at by way of its class."""
    while block.parent is not None:
        block = block.parent
    if block.name is not None:
        return {block.name}
    text = block.text
    bound = {name for found in _BOUND.finditer(text) for name in found.groups() if name}
    return bound | {word for found in _IMPORT.findall(text) for word in _WORD.findall(found.partition("import")[2])}


def words_of(text: str) -> set[str]:
    return set(_WORD.findall(text))


def _all(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        yield from _all(block.children)
