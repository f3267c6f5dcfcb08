"""Which rules are meant by codes, names and prefixes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lint_sessions.config.error import did_you_mean

ALL = "ALL"


@dataclass(frozen=True)
class Selection:
    """What one layer (a file, the command line) says about which rules run.

    As in Ruff, the more specific selector wins, and `ignore` wins between equals; a layer without `select` starts
    from the layer below it.
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()

    def decide(self, code: str, name: str, below: bool) -> bool:
        for_it = specificity((*(self.select or ()), *self.extend_select), code, name)
        if self.select is None and below:
            for_it = max(for_it, 0)
        return for_it > specificity(self.ignore, code, name)


def specificity(selectors: Iterable[str], code: str, name: str) -> int:
    """How closely a rule is named: -1 not at all, 0 by `ALL`, more for each letter, most in full."""
    return max((_specificity(selector, code, name) for selector in selectors), default=-1)


def selectors(known: Iterable[tuple[str, str]]) -> list[str]:
    """All that names some of the `known` rules (code and name)."""
    rules = tuple(known)
    prefixes = {code[:length] for code, _ in rules for length in range(len("LS"), len(code))}
    return [ALL, *sorted({*prefixes, *(code for code, _ in rules)}), *sorted(name for _, name in rules)]


def problem(key: str, given: Iterable[str], rules: Sequence[tuple[str, str]]) -> str | None:
    """What is wrong with the selectors of a key: the first that names none of the rules."""
    for selector in given:
        if not any(_specificity(selector, code, name) >= 0 for code, name in rules):
            close = did_you_mean(selector, (word for rule in rules for word in rule))
            hint = f"did you mean `{close}`?" if close else "`lint-sessions rules` lists all"
            return f"`{key}`: no rule is named `{selector}`; {hint}"
    return None


def _specificity(selector: str, code: str, name: str) -> int:
    if selector in (code, name):
        return len(code)
    if selector == ALL:
        return 0
    return len(selector) if re.fullmatch(r"LS\d*", selector) and code.startswith(selector) else -1
