"""A file of TOML: our table in it, and the row in which a key stands."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from lint_sessions import disk
from lint_sessions.config.error import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHARED: Final = "pyproject.toml"
"""The file in which we have a table among those of other tools."""
_TABLE: Final = ("tool", "lint-sessions")

_Path = tuple[str, ...]


def read(file: Path) -> Mapping[str, object] | None:
    """Our table in a file; None if there is no such file, or it does not speak of us. Raises ConfigError."""
    text = _text(file)
    if text is None:
        return None
    try:
        table: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), f"is not valid TOML: {error}") from error
    path = _table(file)
    for depth, key in enumerate(path):
        if not isinstance(table, Mapping) or key not in table:
            return None
        table = table[key]
        if not isinstance(table, Mapping):
            raise ConfigError(str(file), f"`{'.'.join(path[: depth + 1])}` must be a table: [{'.'.join(path)}]")
    assert isinstance(table, Mapping)
    return table


def value(text: str, key: str) -> object:
    """What a text of ours says of a key."""
    return tomllib.loads(text)[key]


def written(value: object) -> str:
    """A string, a list or a table as it stands behind the `=` of a key."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case Mapping():
            inner = ", ".join(f"{written(key)} = {written(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(map(written, value))}]"
    raise TypeError(f"no key holds {value!r}")


def row(file: Path, key: str) -> int | None:
    """Where a key of our table is first written, from 1; None where it stands no more."""
    return dict(reversed([*_rows(_text(file) or "")])).get((*_table(file), key))


def place(file: Path, key: str) -> str:
    """The file, with the row of a key of our table if it can be told."""
    found = row(file, key)
    return f"{file}:{found}" if found else str(file)


def _table(file: Path) -> _Path:
    return _TABLE if file.name == SHARED else ()


def _text(file: Path) -> str | None:
    try:
        return disk.read_bytes(file).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(str(file), f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        says = f"is not UTF-8, as TOML has to be: {error.reason} at byte {error.start}"
        raise ConfigError(str(file), says) from error


def _rows(text: str) -> Iterator[tuple[_Path, int]]:
    """The path of each key in a valid text, and its row.

    A statement of TOML ends with its line or goes on, so the first lines that can be read by themselves are one.
    """
    table: _Path = ()
    statement, start = "", 1
    for row, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        try:
            paths = [*_paths(tomllib.loads(statement))]
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            table = paths[-1]
            yield from ((path, start) for path in paths)
        else:
            yield from (((*table, *path), start) for path in paths)
        statement, start = "", row + 1


def _paths(value: object) -> Iterator[_Path]:
    """The path to everything in a table, the outer before the inner."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (key,)
            yield from ((key, *path) for path in _paths(inner))
