"""Sessions in the autocommit mode of SQLAlchemy 1, in which no transaction begins by itself."""

from __future__ import annotations

import re

from lint_sessions.project.sessions import Types

_MADE = re.compile(
    r"\b(?:\w*[sS]essionmaker|scoped_session|create_session|\w*Session)\s*"
    r"\((?:[^()]|\([^()]*\))*\bautocommit\s*=\s*True\b"
)


def autocommits(types: Types) -> bool:
    """Whether some session of the project may be in that mode."""
    texts = (module.document.text for module in types.project.modules)
    return any("autocommit" in text and _MADE.search(text) is not None for text in texts)
