"""Which file holds for a folder, what it extends, and the `Config` that comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from lint_sessions import disk
from lint_sessions.config import toml
from lint_sessions.config.error import ConfigError, did_you_mean
from lint_sessions.config.keys import BY_NAME
from lint_sessions.config.selection import Selection
from lint_sessions.config.settings import Config, Said, absolute

FILES: Final = (".lint-sessions.toml", "lint-sessions.toml", toml.SHARED)
"""Files of configuration; of those in one folder, the first holds."""


class Configs:
    """The configuration of each file: the nearest of `FILES` that has our table.

    Without one, the root is the nearest folder that looks like a project, else the current folder for what lies in it,
    else `given`, the folder that was to be checked. So it is if one `file` is to hold for all, wherever that stands.
    """

    def __init__(self, *, isolated: bool = False, file: Path | None = None, command: Selection | None = None) -> None:
        """Raises ConfigError where `file` cannot be used."""
        self._isolated = isolated
        self._named = None if file is None else _named(file)
        self._command = command or Selection()
        self._nearest: dict[Path, Config | None] = {}
        self._found: dict[tuple[Path, Path], Config] = {}

    def of_file(self, path: Path, given: Path | None = None) -> Config:
        return self.of_folder(path.parent, given)

    def of_folder(self, folder: Path, given: Path | None = None) -> Config:
        """Raises ConfigError."""
        folder = absolute(folder)
        key = (folder, absolute(given or folder))
        if key not in self._found:
            if self._named is not None:
                config = replace(self._named, root=_root(*key))
            else:
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
    for file in (folder / name for name in FILES):
        table = toml.read(file)
        if table is not None:
            return _config(file, _chain(table, file, ()))
    return None


def _named(file: Path) -> Config:
    """The configuration in a file that was asked for."""
    table = toml.read(absolute(file))
    if table is None:
        missing = "has no table [tool.lint-sessions]" if disk.exists(file) else "does not exist"
        raise ConfigError("--config", f"{file} {missing}; name a file that holds a configuration")
    return _config(absolute(file), _chain(table, absolute(file), ()))


def _root(folder: Path, given: Path) -> Path:
    project = disk.project_around(folder)
    if project is not None:
        return project
    here = Path.cwd()
    return here if given.is_relative_to(here) else given


def _chain(table: Mapping[str, object], file: Path, nearer: tuple[Path, ...]) -> list[Said]:
    """What a file says, behind what those say that it extends. Raises ConfigError."""
    said = [_said(file, key, value) for key, value in table.items()]
    if "extend" not in table:
        return said
    place = toml.place(file, "extend")
    other = absolute(file.parent / Path(str(table["extend"])).expanduser())
    way = (*nearer, file)
    if any(disk.realpath(other) == disk.realpath(one) for one in way):
        names = " → ".join(map(str, (*way, other)))
        raise ConfigError(place, f"`extend` goes round in a circle, so one of these must not extend the next: {names}")
    outer = toml.read(other)
    if outer is None:
        missing = "has no table [tool.lint-sessions]" if disk.exists(other) else "does not exist"
        raise ConfigError(place, f"`extend` names {other}, which {missing}; its path starts at the folder of this file")
    return [*_chain(outer, other, way), *said]


def _said(file: Path, key: str, value: object) -> Said:
    if key not in BY_NAME:
        close = did_you_mean(key, BY_NAME)
        hint = f"did you mean `{close}`?" if close else f"the keys are {', '.join(BY_NAME)}"
        raise ConfigError(toml.place(file, key), f"unknown key `{key}`; {hint}")
    problem = BY_NAME[key].problem(value)
    if problem:
        raise ConfigError(toml.place(file, key), problem)
    return Said(file, BY_NAME[key], value)


def _config(file: Path, said: Iterable[Said]) -> Config:
    """Put together what was said, the nearest file last."""
    holding: list[Said] = []
    for one in said:
        holding = [other for other in holding if other.key is not one.key or one.key.adds_up]
        holding.append(one)
    values: dict[str, object] = {}
    # What adds to a key comes behind it, whichever was written first.
    for one in sorted(holding, key=lambda one: one.key.adds_up):
        field, value = (one.key.adds_to or one.key.name).replace("-", "_"), _frozen(one.value)
        before = values.get(field) if one.key.adds_up else None
        values[field] = before + value if isinstance(before, tuple) and isinstance(value, tuple) else value
    values.pop("extend", None)
    return Config(file.parent, file, said=tuple(holding), **values)  # type: ignore[arg-type]  # checked by their kinds


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return tuple((key, _frozen(item)) for key, item in value.items())
    return tuple(value) if isinstance(value, list) else value
