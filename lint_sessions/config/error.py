"""What is said of a configuration that cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(Exception):
    """A configuration that cannot be used: one line that names its place and says what is wrong."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(where, message)

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"


def did_you_mean(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that is most like `word`, if one is."""
    spelled = {known.lower(): known for known in words}
    close = difflib.get_close_matches(word.lower().replace("_", "-"), spelled, n=1)
    return spelled[close[0]] if close else None
