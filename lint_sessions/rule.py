"""The vocabulary: what a rule is, and what a finding, its trace and its fix are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import libcst as cst

if TYPE_CHECKING:
    from lint_sessions.context import Context
    from lint_sessions.source.document import Block


class Safety(Enum):
    """Whether a fix keeps the meaning of every correct run."""

    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file: row and column, both from 1, the column in characters."""

    row: int
    column: int


@dataclass(frozen=True)
class Edit:
    """Replace the characters `start` to `end` (offsets into the document's text) by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Fix:
    """A change that ends the misuse; its edits do not overlap."""

    title: str
    safety: Safety
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Note:
    """One step of the path that proves a finding; `path` is None in the finding's own file."""

    position: Position
    message: str
    path: Path | None = None


@dataclass(frozen=True)
class Finding:
    """One misuse at one place, with the path on which its harm happens."""

    path: Path
    start: Position
    end: Position
    code: str
    name: str
    message: str
    trace: tuple[Note, ...] = ()
    fix: Fix | None = field(default=None, compare=False)
    rows: range | None = field(default=None, compare=False)
    """Where a comment silences it; None for its first row alone."""

    @property
    def order(self) -> tuple[str, Position, str]:
        return (str(self.path), self.start, self.code)


@dataclass(frozen=True, eq=False)
class TraceStep:
    """A step of a path, by its node; `block` where it stands in another block than the finding."""

    node: cst.CSTNode
    text: str
    block: Block | None = None


LateFix = Callable[[], "Fix | None"]


class Rule(cst.BatchableCSTVisitor):
    """One misuse: a LibCST visitor over suspect blocks, made anew for each block.

    A subclass sets `code`, `message` and `gates`, carries its page as its docstring, and defines `visit_*`
    methods that ask the flow layer through `self.context` and call `report`. It keeps no state.
    """

    code: ClassVar[str]
    message: ClassVar[str]
    """A template; its fields are the keywords of `report`."""
    gates: ClassVar[tuple[bytes, ...]]
    """Regular expressions that must all match in a block for the rule to have anything to say there."""
    default: ClassVar[bool] = True
    deferred_to: ClassVar[frozenset[str]] = frozenset()
    """Codes of rules with graver things to say of the same function: once those are mended, this one speaks."""
    fixable: ClassVar[Safety | None] = None
    """The safest fix the rule can offer, or None."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    @classmethod
    def rule_name(cls) -> str:
        """The kebab-case name: the class `YieldWithoutFinally` is `yield-without-finally`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def report(
        self,
        node: cst.CSTNode,
        *,
        trace: Iterable[TraceStep] = (),
        fix: LateFix | None = None,
        **words: str,
    ) -> None:
        """Report a finding at `node`; `trace` gives the statements of its path, in the order of the run."""
        self.context.add(self, node, self.message.format(**words), trace, fix)
