"""What is configured for one file: each key with where it was said, and which rules run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lint_sessions.config import Config, Configs, toml
from lint_sessions.config.keys import KEYS, Key
from lint_sessions.config.selection import Selection
from lint_sessions.pages import Page, pages
from lint_sessions.registry import known
from lint_sessions.requirements import Requirements


@dataclass(frozen=True)
class Setting:
    """A key in force."""

    key: str
    value: object
    """None where it is not set, and its default is no value."""
    text: str
    """The row of TOML that says it, or a comment."""
    places: tuple[tuple[Path, int | None], ...]
    """The files and rows that say it; none for a default."""


@dataclass(frozen=True)
class RuleInForce:
    code: str
    name: str
    why: str | None
    """Why it does not run; None if it does."""


@dataclass(frozen=True)
class InForce:
    path: Path
    config: Config
    excluded: bool
    settings: tuple[Setting, ...]
    rules: tuple[RuleInForce, ...]

    def record(self) -> str:
        """All of it, as JSON."""
        keys = {
            one.key: {"value": one.value, "from": [{"file": str(file), "row": row} for file, row in one.places]}
            for one in self.settings
        }
        rules = [{"code": rule.code, "name": rule.name, "runs": not rule.why, "why": rule.why} for rule in self.rules]
        file = self.config.file and str(self.config.file)
        record = {"path": str(self.path), "root": str(self.config.root), "file": file, "excluded": self.excluded}
        return json.dumps({**record, "keys": keys, "rules": rules}, indent=2, ensure_ascii=False)


def in_force(path: Path, configs: Configs) -> InForce:
    """What holds for a file, or for a folder but for what is said of single files. Raises ConfigError."""
    config = configs.of_folder(path) if path.is_dir() else configs.of_file(path)
    config.check_selectors(known())
    rules = tuple(RuleInForce(page.code, page.name, _why_not(page, config, path)) for page in pages())
    return InForce(path, config, config.excludes(path), tuple(_settings(config, path)), rules)


def _settings(config: Config, path: Path) -> Iterator[Setting]:
    for key in KEYS:
        if key.adds_to:
            continue
        # What adds to a key is in force as a part of it.
        said = [one for one in config.said if key.name in (one.key.name, one.key.adds_to)]
        places = tuple((one.file, toml.row(one.file, one.key.name)) for one in said)
        value: Any = said[-1].value if key.name == "extend" and said else getattr(config, key.field, None)
        if isinstance(key.default, Mapping):
            value = _table(value)
        yield Setting(key.name, value, _text(key, value, config, path), places)


def _table(pairs: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for name, items in pairs:
        table[name] = (*table.get(name, ()), *items)
    return table


def _text(key: Key, value: object, config: Config, path: Path) -> str:
    if value is not None:
        return f"{key.name} = {toml.written(value)}"
    unset = key.unset
    if key.name == "fastapi-version":
        unset = f"{unset}: {Requirements(config.root).fastapi(path).name}"
    return f"# {key.name}: {unset}"


def _why_not(page: Page, config: Config, path: Path) -> str | None:
    if config.selects(page.code, page.name, page.default, path):
        return None
    if replace(config, per_file_ignores=()).selects(page.code, page.name, page.default, path):
        return "per-file-ignores"
    if Selection(config.select, (), config.extend_select).decide(page.code, page.name, below=page.default):
        return "ignore"
    return "opt-in" if config.select is None else "not in select"
