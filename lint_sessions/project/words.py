"""Which texts have a word: found once for all words, where searching every text for every question would make the time
of a run grow with the square of the project."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_WORD = re.compile(r"\w+")
DENSE: Final = 20_000
"""Words of one text above which they are not kept: data that is written as code would fill the memory."""


class WordIndex(Generic[T]):
    """Some things by the whole words (identifiers, keywords) of their texts."""

    def __init__(self, texts: Iterable[tuple[T, str]]) -> None:
        self._things: list[T] = []
        self._places: dict[str, list[int]] = {}
        self._dense: list[tuple[int, str]] = []
        for number, (thing, text) in enumerate(texts):
            self._things.append(thing)
            words = set(_WORD.findall(text))
            if len(words) > DENSE:
                self._dense.append((number, text))
            else:
                for word in words:
                    self._places.setdefault(word, []).append(number)

    def having(self, word: str) -> list[T]:
        """The things in whose text the word stands, in their order; of a dense text also where it is part of a longer
        word."""
        found = self._places.get(word, [])
        if self._dense:
            found = sorted([*found, *(number for number, text in self._dense if word in text)])
        return [self._things[number] for number in found]
