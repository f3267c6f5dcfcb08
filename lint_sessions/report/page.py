"""A rule's page for a terminal: wrapped, painted, with its example, and with the harm that was measured."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from lint_sessions.report.terminal import Style, cells, pad

if TYPE_CHECKING:
    from lint_sessions.pages import Observed, Page

WIDEST: Final = 100
"""Cells of a line of prose, however wide the terminal is."""
_CODE = re.compile(r"`([^`\n]+)`")
_SHOWN: Final = {"Example": "Misuse", "Use instead": "Use instead"}


def full(page: Page, style: Style, width: int) -> Iterator[str]:
    """Everything there is to say of a rule."""
    yield f"{style.paint(page.code, 'code')} {style.paint(page.name, 'strong')}"
    yield style.paint(f"{'on by default' if page.default else 'opt-in'}, fix: {page.fix}", "faint")
    yield ""
    yield from _prose(page.summary, style, width)
    for title, body in page.sections:
        yield ""
        yield style.paint(_SHOWN.get(title, title), "strong")
        yield from _body(body, style, width)
    if page.observed is not None:
        yield ""
        yield style.paint("Measured", "strong")
        yield from _measured(page.observed, style, width)


def brief(page: Page, style: Style, width: int) -> Iterator[str]:
    """Why what a rule finds does harm, what was measured, and how it is mended, in a few lines."""
    yield f"{style.paint(page.code, 'code')} {style.paint(page.name, 'strong')}: {page.summary}"
    sections = dict(page.sections)
    yield from _prose(_first_paragraph(sections.get("Why is this bad?", "")), style, width, "  ")
    if page.observed is not None:
        app, what, misuse, mended = next(page.observed.counts())
        told = f"Measured in {app}.py: {what} {misuse}, and {mended} once it is fixed."
        yield from _prose(told, style, width, "  ")
    if page.fixable is not None:
        yield from _prose(f"Fix: {_first_paragraph(sections.get('Fix safety', ''))}", style, width, "  ")
    yield style.paint(f"  More: lint-sessions rule {page.code}", "faint")


def _first_paragraph(text: str) -> str:
    return text.partition("\n\n")[0]


def _body(text: str, style: Style, width: int) -> Iterator[str]:
    """Paragraphs and lists wrapped, code as it stands."""
    in_code = False
    for is_fence, rows in groupby(text.splitlines(), lambda row: row.startswith("```")):
        if is_fence:
            in_code ^= len(list(rows)) % 2 == 1
        elif in_code:
            yield from (f"    {row}".rstrip() for row in rows)
        else:
            yield from _paragraphs(list(rows), style, width)


def _paragraphs(rows: Sequence[str], style: Style, width: int) -> Iterator[str]:
    for is_empty, group in groupby(rows, lambda row: not row.strip()):
        if is_empty:
            yield ""
        else:
            for entry in re.split(r"\n(?=- )", "\n".join(group)):
                yield from _prose(entry, style, width)


def _prose(text: str, style: Style, width: int, indent: str = "") -> Iterator[str]:
    hanging = f"{indent}  " if text.startswith("- ") else indent
    room = max(min(width, WIDEST), 20)
    # Code is painted where there are colours, and keeps its marks where there are none.
    for row in textwrap.wrap(
        " ".join(text.split()), room, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False
    ):
        yield _CODE.sub(lambda found: style.paint(found[1], "mark"), row) if style.colour else row


def _measured(observed: Observed, style: Style, width: int) -> Iterator[str]:
    head = ("application", "what was counted", "as it is", "fixed")
    rows = [(f"{app}.py", what, str(misuse), str(mended)) for app, what, misuse, mended in observed.counts()]
    widths = [max(cells(row[i]) for row in (head, *rows)) for i in range(len(head))]
    yield style.paint(_row(head, widths), "faint")
    for app, what, misuse, mended in rows:
        row = _row((app, what, misuse, mended), widths)
        at = len(row) - widths[3] - 2 - widths[2]
        yield row[:at] + style.paint(row[at : at + widths[2]], "bad") + row[at + widths[2] :]
    yield from _prose(f"Counted with {observed.made_with}.", style, width)


def _row(parts: Iterable[str], widths: Sequence[int]) -> str:
    *left, misuse, mended = (pad(part, width) for part, width in zip(parts, widths, strict=True))
    return "  ".join([*left, misuse.strip().rjust(widths[2]), mended.strip().rjust(widths[3])])
