"""What `--fix` would do, as a unified diff that `patch -p0` takes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from lint_sessions.report import shown_path
from lint_sessions.report.terminal import Look, Style

_LOOKS: dict[str, Look] = {"+": "good", "-": "bad", "@": "mark"}


def unified(path: Path, before: str, after: str, style: Style) -> Iterator[str]:
    """The lines of the diff, without their line feeds; a carriage return is part of its line."""
    name = shown_path(path)
    for number, line in enumerate(difflib.unified_diff(_lines(before), _lines(after), name, name)):
        look: Look | None = "strong" if number < 2 else _LOOKS.get(line[0])
        text = line.removesuffix("\n")
        yield style.paint(text, look) if look else text
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)
