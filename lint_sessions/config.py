"""`[tool.lint-sessions]` to one frozen `Config`; an unknown key is an error with a suggestion."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.finding import Safety
from lint_sessions.requirements import problem_of

if TYPE_CHECKING:
    import pathspec

EXCLUDE = (
    ".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox",
    ".pants.d", ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode",
    "__pypackages__", "_build", "buck-out", "build", "dist", "node_modules", "site-packages", "venv",
)  # fmt: skip
"""Never searched unless `exclude` says otherwise; the same folders as Ruff's."""

OWNED = ("commit", "rollback", "open")
"""What can be left to some modules of a project."""

OWN_FILE = "lint-sessions.toml"
ROOT_MARKS = (".git", "setup.cfg", "setup.py", "pyproject.toml")


class ConfigError(Exception):
    """A configuration that cannot be used: one line that names its place and says what is wrong."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(where, message)

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"


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
        wanted = (*(self.select or ()), *self.extend_select)
        for_it = max((_specificity(selector, code, name) for selector in wanted), default=-1)
        if self.select is None and below:
            for_it = max(for_it, 0)
        against_it = max((_specificity(selector, code, name) for selector in self.ignore), default=-1)
        return for_it > against_it


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

    def selects(self, code: str, name: str, default: bool, path: Path) -> bool:
        """Whether the rule runs on this file."""
        on = Selection(self.select, self.ignore, self.extend_select).decide(code, name, below=default)
        return self.command.decide(code, name, below=on) and not self._ignored_in(path, code, name)

    def safety(self, code: str, name: str, given: Safety) -> Safety:
        """How safe the fixes of a rule are held to be, which says of itself that they are `given`."""
        safe, unsafe = (
            max((_specificity(selector, code, name) for selector in selectors), default=-1)
            for selectors in (self.extend_safe_fixes, self.extend_unsafe_fixes)
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
        """Raise `ConfigError` for a selector that selects none of the `known` rules (code and name)."""
        rules = tuple(known)
        where = str(self.file or "configuration")
        layers = (
            (where, "", self.select or (), self.ignore, self.extend_select),
            ("command line", "--", self.command.select or (), self.command.ignore, self.command.extend_select),
        )
        for place, dashes, select, ignore, extend_select in layers:
            for key, selectors in (("select", select), ("ignore", ignore), ("extend-select", extend_select)):
                _check_selectors(place, dashes + key, selectors, rules)
        _check_selectors(where, "extend-safe-fixes", self.extend_safe_fixes, rules)
        _check_selectors(where, "extend-unsafe-fixes", self.extend_unsafe_fixes, rules)
        for pattern, selectors in self.per_file_ignores:
            _check_selectors(where, f"per-file-ignores.{pattern!r}", selectors, rules)

    def _ignored_in(self, path: Path, code: str, name: str) -> bool:
        return any(
            _matches((pattern.removeprefix("!"),), path, self.root) is not pattern.startswith("!")
            for pattern, selectors in self.per_file_ignores
            if any(_specificity(selector, code, name) >= 0 for selector in selectors)
        )


class Configs:
    """The configuration of each file: the nearest `lint-sessions.toml` or `pyproject.toml` that has our table.

    Without one, the root is the nearest folder that looks like a project, else the current folder for what lies in it,
    else `given`, the folder that was to be checked.
    """

    def __init__(self, *, isolated: bool = False, command: Selection | None = None) -> None:
        self._isolated = isolated
        self._command = command or Selection()
        self._nearest: dict[Path, Config | None] = {}
        self._found: dict[tuple[Path, Path], Config] = {}

    def of_file(self, path: Path, given: Path | None = None) -> Config:
        return self.of_folder(path.parent, given)

    def of_folder(self, folder: Path, given: Path | None = None) -> Config:
        folder = _absolute(folder)
        key = (folder, _absolute(given or folder))
        if key not in self._found:
            nearest = None if self._isolated else self._configured(folder)
            config = nearest or Config(_root(*key), isolated=self._isolated)
            self._found[key] = replace(config, command=self._command)
        return self._found[key]

    def _configured(self, folder: Path) -> Config | None:
        if folder not in self._nearest:
            outer = folder.parent
            self._nearest[folder] = _read(folder) or (self._configured(outer) if outer != folder else None)
        return self._nearest[folder]


def _read(folder: Path) -> Config | None:
    """The configuration that stands in `folder` itself."""
    for file in (folder / OWN_FILE, folder / "pyproject.toml"):
        table = _table(file)
        if table is not None:
            return from_table(table, file)
    return None


def _root(folder: Path, given: Path) -> Path:
    for ancestor in (folder, *folder.parents):
        if any((ancestor / mark).exists() for mark in ROOT_MARKS):
            return ancestor
    here = Path.cwd()
    return here if given.is_relative_to(here) else given


def from_table(table: Mapping[str, object], file: Path) -> Config:
    """Make a `Config` of the TOML table read from `file`."""
    values = {}
    for key, value in table.items():
        if key not in _READERS:
            raise ConfigError(str(file), f"unknown key `{key}`{_did_you_mean(key, _READERS)}")
        problem = _READERS[key](value)
        if problem:
            raise ConfigError(str(file), f"`{key}` {problem}")
        values[key.replace("-", "_")] = _frozen(value)
    return Config(file.parent, file, **values)  # type: ignore[arg-type]  # checked by _READERS


def _table(file: Path) -> Mapping[str, object] | None:
    """Our table in `file`; None if there is no such file, or it does not speak of us."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(str(file), f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), f"is not UTF-8: {error.reason} at byte {error.start}") from error
    try:
        table: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), f"is not valid TOML: {error}") from error
    keys = () if file.name == OWN_FILE else ("tool", "lint-sessions")
    for depth, key in enumerate(keys):
        if not isinstance(table, Mapping) or key not in table:
            return None
        table = table[key]
        if not isinstance(table, Mapping):
            raise ConfigError(str(file), f"`{'.'.join(keys[: depth + 1])}` must be a table")
    assert isinstance(table, Mapping)
    return table


def _strings(value: object) -> str | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return None
    return f"must be a list of strings, not {_kind(value)}"


def _names(value: object) -> str | None:
    problem = _strings(value)
    if problem is None and isinstance(value, list):
        wrong = next((name for name in value if not all(part.isidentifier() for part in name.split("."))), None)
        problem = None if wrong is None else f"must hold Python names, not {wrong!r}"
    return problem


def _ignores(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return f"must be a table of patterns, each with a list of rules, not {_kind(value)}"
    problems = ((pattern, _strings(selectors)) for pattern, selectors in value.items())
    return next((f"at {pattern!r} {problem}" for pattern, problem in problems if problem), None)


def _owners(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return f"must be a table with a list of patterns for each of {', '.join(OWNED)}, not {_kind(value)}"
    for key, patterns in value.items():
        if key not in OWNED:
            return f"has the unknown key `{key}`{_did_you_mean(key, OWNED)}"
        problem = _strings(patterns)
        if problem:
            return f"at `{key}` {problem}"
    return None


_READERS = {
    "select": _strings,
    "ignore": _strings,
    "extend-select": _strings,
    "exclude": _strings,
    "extend-exclude": _strings,
    "per-file-ignores": _ignores,
    "factories": _names,
    "providers": _names,
    "fastapi-version": problem_of,
    "extend-safe-fixes": _strings,
    "extend-unsafe-fixes": _strings,
    "owners": _owners,
}


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return tuple((key, _frozen(item)) for key, item in value.items())
    return tuple(value) if isinstance(value, list) else value


def _kind(value: object) -> str:
    if isinstance(value, list):
        odd = next((item for item in value if not isinstance(item, str)), None)
        return "a list" if odd is None else f"a list with {_kind(odd)} in it"
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return "a table" if isinstance(value, Mapping) else names.get(type(value), f"a {type(value).__name__}")


def _check_selectors(place: str, key: str, selectors: Sequence[str], rules: Sequence[tuple[str, str]]) -> None:
    for selector in selectors:
        if not any(_specificity(selector, code, name) >= 0 for code, name in rules):
            words = [word for rule in rules for word in rule]
            raise ConfigError(place, f"`{key}`: no rule is named `{selector}`{_did_you_mean(selector, words)}")


def _specificity(selector: str, code: str, name: str) -> int:
    """How closely a selector names a rule: -1 not at all, 0 by `ALL`, more for each letter, most in full."""
    if selector in (code, name):
        return len(code)
    if selector == "ALL":
        return 0
    return len(selector) if re.fullmatch(r"LS\d*", selector) and code.startswith(selector) else -1


def _did_you_mean(word: str, words: Iterable[str]) -> str:
    spelled = {known.lower(): known for known in words}
    close = difflib.get_close_matches(word.lower().replace("_", "-"), spelled, n=1)
    return f"; did you mean `{spelled[close[0]]}`?" if close else ""


def _matches(patterns: tuple[str, ...], path: Path, root: Path) -> bool:
    try:
        relative = _absolute(path).relative_to(root)
    except ValueError:
        return False
    return _spec(patterns).match_file(relative.as_posix())


def _absolute(path: Path) -> Path:
    """Without `..`, and without following links."""
    return Path(os.path.abspath(path))


@cache
def _spec(patterns: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(patterns)
