"""What a finding is known by from run to run, though rows move and code is formatted anew."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lint_sessions.report import Sources, path_from
from lint_sessions.source.cut import COMMENT, tokens

if TYPE_CHECKING:
    from pathlib import Path

    from lint_sessions.finding import Finding
    from lint_sessions.source.document import Block, Document

LENGTH = 32


def fingerprints(findings: Sequence[Finding], sources: Sources, root: Path) -> Iterator[str]:
    """One for each finding, all different, made of its rule, its path from `root` on, the function it stands in, and
    its source text without white space. Equal ones are told apart by their order in the file."""
    seen: Counter[tuple[str, ...]] = Counter()
    for finding in findings:
        document = sources.document(finding.path)
        path = path_from(root, finding.path) or str(finding.path)
        where = (function(finding, document), _source(finding, document)) if document else ("", "")
        facts = (finding.code, path, *where)
        seen[facts] += 1
        digest = hashlib.sha256("\0".join([*facts, str(seen[facts])]).encode("utf-8", "replace"))
        yield digest.hexdigest()[:LENGTH]


def function(finding: Finding, document: Document) -> str:
    """The qualified name of the function or method that a finding stands in, or of its class; else nothing."""
    return ".".join(_names(document.blocks, document.offset(finding.start)))


def _names(blocks: Iterable[Block], offset: int) -> Iterator[str]:
    for block in blocks:
        if block.start <= offset <= block.end and block.name:
            yield block.name
            yield from _names(block.children, offset)
            return


def _source(finding: Finding, document: Document) -> str:
    """What a formatter leaves as it is: no white space, comments or trailing commas, and one kind of quotes."""
    text, start, end = document.text, document.offset(finding.start), document.offset(finding.end)
    parts = []
    for kind, first, past in tokens(text, start, end):
        if kind == COMMENT:
            parts.append(text[start:first])
            start = past
    # Of a finding about a comment, nothing but that is left.
    code = "".join([*parts, text[start:end]]) or text[document.offset(finding.start) : end]
    return re.sub(r",(?=[)\]}])", "", re.sub(r"\s+|\\(?=[\r\n])", "", code).replace("'", '"'))
