"""One Python file: its text as it stands, the statements cut from it, and their trees when asked for."""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lint_sessions.source.cut import NEWLINE, Kind, Piece, cut, cut_class
from lint_sessions.source.parse import SyntaxProblem, parse, with_room

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import libcst as cst
    from libcst.metadata import CodePosition, CodeRange

    from lint_sessions.rule import Position

__all__ = ["Block", "Document", "SourceError", "SyntaxProblem"]

_BOM: Final = codecs.BOM_UTF8
_CODING: Final = re.compile(rb"[^\r\n]*(?:\r\n?|\n)?[^\r\n]*coding[:=]")


class SourceError(Exception):
    """A file that can't be read, or text that can't be written to it; one line that does not name the file."""


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
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise SourceError("no such file") from None
        except IsADirectoryError:
            raise SourceError("is a folder") from None
        except PermissionError:
            raise SourceError("is a folder" if path.is_dir() else "no permission to read it") from None
        except OSError as error:
            raise SourceError(f"can't be read: {error.strerror or error}") from None
        except ValueError as error:
            raise SourceError(f"can't be read: {error}") from None
        return cls.from_bytes(path, data)

    @classmethod
    def from_bytes(cls, path: Path, data: bytes) -> Document:
        """The document with these contents; `path` is not looked at. Raises SourceError where they can't be decoded."""
        if b"\0" in data:
            raise SourceError("contains NUL bytes, so it is no Python source")
        encoding = _encoding(data)
        try:
            text = data.removeprefix(_BOM).decode(encoding)
        except UnicodeDecodeError as error:
            row = len(re.findall(rb"\r\n?|\n", data.removeprefix(_BOM)[: error.start])) + 1
            raise SourceError(f"row {row} is not valid {encoding}: {error.reason}") from None
        except (LookupError, ValueError) as error:
            raise SourceError(f"can't be decoded as {encoding}: {error}") from None
        return cls(path, data, text, encoding)

    def encode(self, text: str) -> bytes:
        """`text` in the encoding of the file, with its byte order mark. Raises SourceError for a character it lacks."""
        if text == self.text:
            return self.data
        try:
            encoded = text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise SourceError(f"{text[error.start]!r} can't be written in {self.encoding}") from None
        return _BOM + encoded if self.data.startswith(_BOM) else encoded

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The statements of the file, cut from the text without parsing it; never fails."""
        return tuple(Block(self, None, piece, "") for piece in cut(self.text))

    @cached_property
    def module(self) -> cst.Module:
        """The whole file parsed. Raises SyntaxProblem."""
        return parse(self.text)

    def offset(self, position: Position) -> int:
        """The offset of a place; beyond the ends of the file, the nearest."""
        starts = self._starts
        if position.row > len(starts):
            return len(self.text)
        return min(starts[max(position.row, 1) - 1] + position.column - 1, len(self.text))

    def position(self, offset: int) -> Position:
        """The place of an offset."""
        from lint_sessions.rule import Position

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
    def places(self) -> _Places:
        """Where the nodes of the whole file's tree stand."""
        return _Places(self.module)


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
        return self._tree.node

    def span(self, node: cst.CSTNode) -> tuple[Position, Position]:
        """Where a node of this block begins and ends in the file. Raises KeyError for a node of another tree."""
        return self._tree.places.of(node)

    @cached_property
    def _tree(self) -> _Tree:
        import libcst as cst

        text = self.document.text[self.start : self.end]
        row = self.document.row(self.start)
        if self._indent:
            # Behind a line of its own, so that the columns stay those of the file.
            text, row = f"class _:\n{self._indent}{text}\n", row - 1
        column = 0 if self._indent else self.start - self.document.offset_of_row(row)
        try:
            module = parse(text)
        except SyntaxProblem:
            return self._tree_in_file()
        body: Sequence[cst.CSTNode] = module.body
        if self._indent and len(body) == 1 and isinstance(body[0], cst.ClassDef):
            body = body[0].body.body
        if len(body) != 1 or not isinstance(body[0], (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            return self._tree_in_file()
        return _Tree(body[0], _Places(module, row - 1, column))

    def _tree_in_file(self) -> _Tree:
        """The statement as part of the whole file, for what can't be cut out of it. Raises SyntaxProblem."""
        import libcst as cst

        places = self.document.places
        row = self.document.row(self.piece.head)
        column = self.piece.head - self.document.offset_of_row(row) + 1
        pending: list[cst.CSTNode] = list(self.document.module.body)
        while pending:
            node = pending.pop()
            if isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
                start, _ = places.of(node)
                if (start.row, start.column) == (row, column):
                    return _Tree(node, places)
            if not isinstance(node, cst.SimpleStatementLine):
                pending += node.children
        raise SyntaxProblem(row, column, "no statement begins here")


@dataclass(frozen=True, eq=False)
class _Tree:
    node: cst.BaseStatement
    places: _Places


class _Places:
    """Where the nodes of a tree stand: it comes after `above` rows, and its first row after `before` columns."""

    def __init__(self, module: cst.Module, above: int = 0, before: int = 0) -> None:
        self._module = module
        self._above = above
        self._before = before

    @cached_property
    def _ranges(self) -> Mapping[cst.CSTNode, CodeRange]:
        from libcst.metadata import MetadataWrapper, PositionProvider

        wrapper = MetadataWrapper(self._module, unsafe_skip_copy=True)
        return with_room(lambda: wrapper.resolve(PositionProvider))

    def of(self, node: cst.CSTNode) -> tuple[Position, Position]:
        place = self._ranges[node]
        return self._position(place.start), self._position(place.end)

    def _position(self, place: CodePosition) -> Position:
        from lint_sessions.rule import Position

        before = self._before if place.line == 1 else 0
        return Position(place.line + self._above, place.column + before + 1)


def _encoding(data: bytes) -> str:
    """The encoding that a mark or coding line declares (PEP 263), else UTF-8. Raises SourceError for an unknown one."""
    if not data.startswith(_BOM) and not _CODING.match(data):
        return "utf-8"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        raise SourceError(str(error)) from None
    return "utf-8" if encoding == "utf-8-sig" else encoding
