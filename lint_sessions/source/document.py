"""One Python file: its text as it stands, the statements cut from it, and their trees when asked for."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions import timing
from lint_sessions.source.cut import NEWLINE, Kind, Piece, cut, cut_class
from lint_sessions.source.parse import parse
from lint_sessions.source.places import Places
from lint_sessions.source.problem import SyntaxProblem
from lint_sessions.source.text import BOM, SourceError, decoded, read

if TYPE_CHECKING:
    import libcst as cst

    from lint_sessions.finding import Position

__all__ = ["Block", "Document", "SourceError", "SyntaxProblem"]


@dataclass(frozen=True, eq=False)
class Document:
    """One file. Offsets count the characters of `text`, from 0; rows and columns of a Position are from 1."""

    path: Path
    data: bytes
    """As read."""
    text: str
    """Decoded, without a byte order mark, its line ends as they are in the file."""
    encoding: str

    @classmethod
    def read(cls, path: Path) -> Document:
        """The document at `path`. Raises SourceError."""
        return cls.from_bytes(path, read(path))

    @classmethod
    def from_bytes(cls, path: Path, data: bytes) -> Document:
        """The document with these contents; `path` is not looked at. Raises SourceError where they can't be decoded."""
        return cls(path, data, *decoded(data))

    def encode(self, text: str) -> bytes:
        """`text` in the encoding of the file, with its byte order mark. Raises SourceError for a character it lacks."""
        if text == self.text:
            return self.data
        try:
            encoded = text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise SourceError(f"{text[error.start]!r} can't be written in {self.encoding}; save it as UTF-8") from None
        return BOM + encoded if self.data.startswith(BOM) else encoded

    def with_text(self, text: str) -> Document:
        """The document that has this text in its place. Raises SourceError."""
        return Document.from_bytes(self.path, self.encode(text))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The statements of the file, cut from the text without parsing it; never fails."""
        return tuple(Block(self, None, piece, "") for piece in cut(self.text))

    @property
    def module(self) -> cst.Module:
        """The whole file parsed. Raises SyntaxProblem."""
        outcome = self._outcome
        if isinstance(outcome, SyntaxProblem):
            raise SyntaxProblem(outcome.row, outcome.column, outcome.message)
        return outcome

    @cached_property
    def _outcome(self) -> cst.Module | SyntaxProblem:
        # A file that can't be parsed is asked for once a block.
        timing.parsed(self.path, self.text)
        try:
            with timing.stage("parsing"):
                return parse(self.text)
        except SyntaxProblem as problem:
            return problem

    def offset(self, position: Position) -> int:
        """The offset of a place; beyond the ends of the file, the nearest."""
        starts = self._starts
        if position.row > len(starts):
            return len(self.text)
        return min(starts[max(position.row, 1) - 1] + position.column - 1, len(self.text))

    def position(self, offset: int) -> Position:
        """The place of an offset."""
        from lint_sessions.finding import Position

        row = self.row(offset)
        return Position(row, offset - self._starts[row - 1] + 1)

    def row(self, offset: int) -> int:
        """The row of an offset, from 1."""
        return bisect_right(self._starts, offset)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(NEWLINE, self.text))]

    def offset_of_row(self, row: int) -> int:
        """The offset of the first character of a row."""
        return self._starts[row - 1]

    @cached_property
    def newline(self) -> str:
        """The first line end of the file; of a file without any, a line feed."""
        match = re.search(NEWLINE, self.text)
        return match[0] if match else "\n"

    @cached_property
    def tree(self) -> Tree:
        """`module`, with the places of its nodes. Raises SyntaxProblem."""
        return Tree(self.module, self.text)


@dataclass(frozen=True, eq=False)
class Tree:
    """A parsed text; its offsets plus `shift` are those of the file."""

    module: cst.Module
    text: str
    shift: int = 0

    @cached_property
    def places(self) -> Places:
        """Where its nodes stand."""
        return Places(self.module, self.text)


@dataclass(frozen=True, eq=False)
class Block:
    """One statement of a file or class body: of a compound statement all its clauses, of a row with `;` all parts."""

    document: Document
    parent: Block | None
    """The block of the class around it."""
    piece: Piece
    _indent: str

    @property
    def kind(self) -> Kind:
        """`class` and `function` for definitions, decorated, `async` or neither."""
        return self.piece.kind

    @property
    def name(self) -> str | None:
        """What a definition defines."""
        return self.piece.name

    @property
    def start(self) -> int:
        """The offset of its first character, be it that of a decorator; its indentation stands before."""
        return self.piece.start

    @property
    def end(self) -> int:
        """The offset past its last row, a comment there included, the line end not."""
        return self.piece.end

    @property
    def text(self) -> str:
        """What stands there, from `start` to `end`."""
        return self.document.text[self.start : self.end]

    @cached_property
    def children(self) -> tuple[Block, ...]:
        """Of a class the statements of its body; of all else nothing."""
        if self.kind != "class":
            return ()
        indent, pieces = cut_class(self.document.text, self.piece)
        return tuple(Block(self.document, self, piece, indent) for piece in pieces)

    @property
    def node(self) -> cst.BaseStatement:
        """The statement parsed, on its own where that will do. Raises SyntaxProblem, with its place in the file."""
        return self._parsed[0]

    def span(self, node: cst.CSTNode) -> tuple[Position, Position]:
        """Where a node of this block begins and ends in the file. Raises KeyError for a node of another tree."""
        tree = self._parsed[1]
        start, end = tree.places.span(node)
        return self.document.position(start + tree.shift), self.document.position(end + tree.shift)

    @cached_property
    def _parsed(self) -> tuple[cst.BaseStatement, Tree]:
        # Where the block can't be parsed it was cut wrong, or the file is: only the file as a whole can tell.
        return self._parsed_alone() or (self._found(), self.document.tree)

    def _parsed_alone(self) -> tuple[cst.BaseStatement, Tree] | None:
        document = self.document
        # A method is parsed in a class of its own, in the columns that it has in the file.
        before = "" if self.parent is None else f"class _:{document.newline}{self._indent or ' '}"
        after = document.newline if self.end < len(document.text) else ""
        text = f"{before}{document.text[self.start : self.end]}{after}"
        timing.parsed(document.path, text)
        try:
            with timing.stage("parsing"):
                module = parse(text)
        except SyntaxProblem:
            return None
        body = _statements(module if self.parent is None else module.body[0])
        return (body[0], Tree(module, text, self.start - len(before))) if len(body) == 1 == len(module.body) else None

    def _found(self) -> cst.BaseStatement:
        """The statement in the tree of the whole file. Raises SyntaxProblem."""
        tree = self.document.tree
        found: cst.BaseStatement | None = None
        for statement in _statements(tree.module if self.parent is None else self.parent._found()):
            if found is None or tree.places.span(statement)[0] <= self.piece.head:
                found = statement
        if found is None:
            place = self.document.position(self.start)
            raise SyntaxProblem(place.row, place.column, "can't be told apart from what stands around it")
        return found


def _statements(node: cst.Module | cst.BaseStatement) -> list[cst.BaseStatement]:
    """Of a file or a class the statements of its body."""
    import libcst as cst

    match node:
        case cst.Module(body=body):
            return [statement for statement in body if isinstance(statement, cst.BaseStatement)]
        case cst.ClassDef(body=cst.IndentedBlock(body=body)):
            return [statement for statement in body if isinstance(statement, cst.BaseStatement)]
        case _:
            return []
