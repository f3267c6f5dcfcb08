"""All that is configured for a file, as one frozen `Config`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.config import keys, selection, toml
from lint_sessions.config.error import ConfigError
from lint_sessions.config.keys import EXCLUDE, Key
from lint_sessions.config.selection import Selection, specificity
from lint_sessions.finding import Safety

if TYPE_CHECKING:
    import pathspec


@dataclass(frozen=True)
class Said:
    """What one file says of one key."""

    file: Path
    key: Key
    value: object

    @property
    def place(self) -> str:
        """The file, and the row of the key."""
        return toml.place(self.file, self.key.name)

    @property
    def selectors(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The lists of rules in it, each with what it is called."""
        match self.key.kind, self.value:
            case keys.RULES, list(selectors):
                yield self.key.name, selectors
            case keys.IGNORES, dict(table):
                yield from ((f"{self.key.name}.{pattern!r}", selectors) for pattern, selectors in table.items())


@dataclass(frozen=True)
class Config:
    """All that can be configured. `root` is the folder that patterns are relative to."""

    root: Path
    file: Path | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = EXCLUDE
    extend_exclude: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    factories: tuple[str, ...] = ()
    """Names that are session factories where their definition cannot be found, besides the well-known ones."""
    providers: tuple[str, ...] = ()
    """Names that are session providers where their definition cannot be found, besides the well-known ones."""
    fastapi_version: str | None = None
    """A version or range that holds in place of what the project's dependencies say."""
    extend_safe_fixes: tuple[str, ...] = ()
    """Rules whose unsafe fixes count as safe here."""
    extend_unsafe_fixes: tuple[str, ...] = ()
    """Rules whose safe fixes count as unsafe here; between equally specific selectors this one wins, as in Ruff."""
    owners: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Which modules may commit, roll back and open sessions, as patterns; whatever is not named everybody may."""
    isolated: bool = False
    command: Selection = field(default_factory=Selection)
    said: tuple[Said, ...] = field(default=(), compare=False, repr=False)
    """What all this was read from: no part of what holds, only where it stands."""

    def selects(self, code: str, name: str, default: bool, path: Path) -> bool:
        """Whether the rule runs on this file."""
        on = Selection(self.select, self.ignore, self.extend_select).decide(code, name, below=default)
        return self.command.decide(code, name, below=on) and not self._ignored_in(path, code, name)

    def safety(self, code: str, name: str, given: Safety) -> Safety:
        """How safe the fixes of a rule are held to be, which says of itself that they are `given`."""
        safe, unsafe = (
            specificity(selectors, code, name) for selectors in (self.extend_safe_fixes, self.extend_unsafe_fixes)
        )
        if safe == unsafe == -1:
            return given
        return Safety.SAFE if safe > unsafe else Safety.UNSAFE

    def excludes(self, path: Path) -> bool:
        """Whether the patterns of `exclude` and `extend-exclude` name this file or a folder it lies in."""
        return _matches((*self.exclude, *self.extend_exclude), path, self.root)

    def may(self, what: str, path: Path) -> bool:
        """Whether a file may do what only the `owners` may: `commit`, `rollback` or `open`."""
        return all(_matches(patterns, path, self.root) for key, patterns in self.owners if key == what)

    def check_selectors(self, known: Iterable[tuple[str, str]]) -> None:
        """Raise `ConfigError` for a selector that names none of the `known` rules (code and name)."""
        rules = tuple(known)
        for said in self.said:
            for key, selectors in said.selectors:
                if problem := selection.problem(key, selectors, rules):
                    raise ConfigError(said.place, problem)
        for option, selectors in (
            ("--select", self.command.select or ()),
            ("--ignore", self.command.ignore),
            ("--extend-select", self.command.extend_select),
        ):
            if problem := selection.problem(option, selectors, rules):
                raise ConfigError("command line", problem)

    def _ignored_in(self, path: Path, code: str, name: str) -> bool:
        return any(
            _matches((pattern.removeprefix("!"),), path, self.root) is not pattern.startswith("!")
            for pattern, selectors in self.per_file_ignores
            if specificity(selectors, code, name) >= 0
        )


def _matches(patterns: tuple[str, ...], path: Path, root: Path) -> bool:
    try:
        relative = absolute(path).relative_to(root)
    except ValueError:
        return False
    return _spec(patterns).match_file(relative.as_posix())


def absolute(path: Path) -> Path:
    """Without `..`, and without following links."""
    return Path(os.path.abspath(path))


@cache
def _spec(patterns: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(patterns)
