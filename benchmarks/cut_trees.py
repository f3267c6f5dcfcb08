"""Hold the cut of files into statements and methods against Python's own parser, on all that is there.

    python benchmarks/cut_trees.py [FOLDER...]      default: the standard library, and everything installed

`lint_sessions.source.cut` finds where statements begin and end by looking at strings, brackets and line ends alone.
Here every file that Python parses is cut, and the rows of each statement, and of each in a class, must be those that
`ast` gives. `tests/test_document.py` does the same to a sample. Exits with 1 where they differ.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from lint_sessions.source.document import Block, Document, SourceError

Rows = list[tuple[int, int]]


def main(arguments: Sequence[str]) -> int:
    folders = [Path(place) for place in arguments or _everything()]
    files = sorted({file.resolve() for folder in folders for file in folder.rglob("*.py") if file.is_file()})
    checked = lines = 0
    different = []
    for file in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                document = Document.read(file)
                body = ast.parse(document.data).body
        except (SourceError, SyntaxError, ValueError, RecursionError):
            continue
        checked += 1
        lines += document.text.count("\n")
        different += [f"{file}:{row}" for row in differing(document, document.blocks, body)]
    print(*different, f"{checked:,} files, {lines:,} lines: {len(different)} differences", sep="\n")
    return 1 if different else 0


def _everything() -> set[str]:
    return {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}


def differing(document: Document, blocks: Sequence[Block], body: Sequence[ast.stmt]) -> Iterator[int]:
    """The first row of each body in which the two do not agree."""
    wanted = rows_wanted(body)
    if rows_cut(document, blocks) != wanted:
        yield wanted[0][0] if wanted else 1
        return
    classes = [statement for statement in body if isinstance(statement, ast.ClassDef)]
    cut = [block for block in blocks if block.kind == "class"]
    if [block.name for block in cut] != [node.name for node in classes]:
        yield wanted[0][0]
        return
    for block, node in zip(cut, classes, strict=True):
        yield from differing(document, block.children, node.body)


def rows_cut(document: Document, blocks: Sequence[Block]) -> Rows:
    return [(document.row(block.start), document.row(max(block.end - 1, block.start))) for block in blocks]


def rows_wanted(body: Sequence[ast.stmt]) -> Rows:
    """The rows of each statement, decorators included; what shares a row by `;` is one."""
    found: Rows = []
    for statement in body:
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        start = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        end = statement.end_lineno or start
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
