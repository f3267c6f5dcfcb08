"""What a rule is: a visitor that reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import libcst as cst

if TYPE_CHECKING:
    from lint_sessions.context import Context
    from lint_sessions.finding import Fix, Safety
    from lint_sessions.source.document import Block


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
