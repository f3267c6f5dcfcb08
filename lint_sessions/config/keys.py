"""Every key of the configuration, described once: what is read, the schema and the reference are made of this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lint_sessions.config.error import did_you_mean
from lint_sessions.requirements import problem_of

EXCLUDE: Final = (
    ".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox",
    ".pants.d", ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode",
    "__pypackages__", "_build", "buck-out", "build", "dist", "node_modules", "site-packages", "venv",
)  # fmt: skip
"""Never searched unless `exclude` says otherwise; the same folders as Ruff's."""

OWNED: Final = ("commit", "rollback", "open")
"""What can be left to some modules of a project."""

SELECTOR: Final = "selector"
"""The definition of the schema that knows the rules."""


@dataclass(frozen=True)
class Kind:
    """What a key can hold."""

    name: str
    problem: Callable[[object], str | None]
    """What is wrong with a value; None when nothing is."""
    schema: Mapping[str, object]
    """The same in JSON Schema, as far as it can say it."""


@dataclass(frozen=True)
class Key:
    name: str
    kind: Kind
    meaning: str
    example: str
    """The row of a file."""
    default: object = None
    unset: str = ""
    """What holds without it, where that is no value."""
    adds_to: str | None = None
    """The key that it is another way of writing more of."""

    @property
    def field(self) -> str:
        """Its name in Python."""
        return self.name.replace("-", "_")

    @property
    def adds_up(self) -> bool:
        """Whether a file adds to what the files say that it extends, and does not replace it."""
        return self.name.startswith("extend-")

    def problem(self, value: object) -> str | None:
        """What is wrong with a value, with a row that would be right; None when nothing is."""
        problem = self.kind.problem(value)
        return problem and f"`{self.name}` {problem}; for example: {self.example}"


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
            close = did_you_mean(key, OWNED)
            return f"has the unknown key `{key}`; {f'did you mean `{close}`?' if close else f'it has {OWNED}'}"
        problem = _strings(patterns)
        if problem:
            return f"at `{key}` {problem}"
    return None


def _file(value: object) -> str | None:
    return None if isinstance(value, str) and value else f"must name a file, not {value!r}"


def _kind(value: object) -> str:
    if isinstance(value, list):
        odd = next((item for item in value if not isinstance(item, str)), None)
        return "a list" if odd is None else f"a list with {_kind(odd)} in it"
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return "a table" if isinstance(value, Mapping) else names.get(type(value), f"a {type(value).__name__}")


_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_SELECTORS: Final = {"type": "array", "items": {"$ref": f"#/definitions/{SELECTOR}"}}

_NAME: Final = r"[^\s!-@\[-^`{-~][^\s!-/:-@\[-^`{-~]*"
"""A name in Python, or wider: which letters beyond ASCII are allowed, the expressions of a schema cannot say."""

RULES: Final = Kind("list of rules", _strings, _SELECTORS)
PATTERNS: Final = Kind("list of patterns", _strings, _TEXTS)
NAMES: Final = Kind(
    "list of Python names",
    _names,
    {"type": "array", "items": {"type": "string", "pattern": rf"^{_NAME}(\.{_NAME})*$"}},
)
IGNORES: Final = Kind(
    "table of patterns, each with a list of rules", _ignores, {"type": "object", "additionalProperties": _SELECTORS}
)
OWNERS: Final = Kind(
    f"table of {', '.join(f'`{key}`' for key in OWNED)}, each with a list of patterns",
    _owners,
    {"type": "object", "properties": dict.fromkeys(OWNED, _TEXTS), "additionalProperties": False},
)
VERSION: Final = Kind(
    "version, or range of versions", problem_of, {"type": "string", "pattern": r"^\s*([<>]|===|[<>=!~]=)?\s*\d"}
)
FILE: Final = Kind("path of a file", _file, {"type": "string", "minLength": 1})

KEYS: Final = (
    Key(
        "extend",
        FILE,
        "Another configuration that holds where this one says nothing. Its path starts at the folder of this "
        "file; `~` is the home folder. Keys of this file replace those of the other; the lists and tables of "
        "`extend-…` keys add up. The other may extend a third. Of a `pyproject.toml` the table "
        "`[tool.lint-sessions]` is read, of a file of any other name its top level. All patterns start at the "
        "folder of the nearest file, wherever they are written.",
        'extend = "../lint-sessions.toml"',
        unset="no other file",
    ),
    Key(
        "select",
        RULES,
        "The rules that run, in place of those that are on by default: codes, names, prefixes of codes, or `ALL`. "
        'The more specific selector wins, and `ignore` between equals: `select = ["LS3"]` with `ignore = '
        '["LS301"]` runs all of LS3 but LS301, and `select = ["LS301"]` with `ignore = ["LS3"]` runs LS301.',
        'select = ["LS1", "LS301", "missing-rollback"]',
        unset="the rules that are on by default",
    ),
    Key("ignore", RULES, "Rules that do not run.", 'ignore = ["LS309", "depends-called"]', ()),
    Key(
        "extend-select",
        RULES,
        "Rules that run besides those selected: the way to turn on a rule that is opt-in.",
        'extend-select = ["LS404"]',
        (),
    ),
    Key(
        "extend-ignore",
        RULES,
        "Rules that do not run either: adds to the `ignore` of a file that is extended, where `ignore` would "
        "replace it.",
        'extend-ignore = ["LS503"]',
        (),
        adds_to="ignore",
    ),
    Key(
        "per-file-ignores",
        IGNORES,
        "Rules that do not run on some files. A pattern with `!` before it stands for all files that it does not "
        "match.",
        'per-file-ignores = { "tests/*" = ["LS301"] }',
        {},
    ),
    Key(
        "extend-per-file-ignores",
        IGNORES,
        "More of `per-file-ignores`: adds to that of a file that is extended.",
        'extend-per-file-ignores = { "scripts/*" = ["LS3"] }',
        {},
        adds_to="per-file-ignores",
    ),
    Key(
        "exclude",
        PATTERNS,
        "Files and folders that are not searched, as in `.gitignore`. Replaces what is left out by default. Files "
        "named on the command line are checked all the same, unless `--force-exclude` is given.",
        'exclude = ["venv", "generated/*_pb2.py"]',
        EXCLUDE,
    ),
    Key(
        "extend-exclude",
        PATTERNS,
        "Files and folders that are not searched besides those of `exclude`.",
        'extend-exclude = ["migrations"]',
        (),
    ),
    Key(
        "factories",
        NAMES,
        "Names that are session factories where their definition cannot be found, besides the well-known ones "
        "such as `SessionLocal`. With dots: of one module only.",
        'factories = ["make_db", "app.db.Local"]',
        (),
    ),
    Key(
        "providers",
        NAMES,
        "Names of functions that give a session to a framework, where their definition cannot be found, besides "
        "the well-known ones such as `get_db`.",
        'providers = ["db_for_request"]',
        (),
    ),
    Key(
        "owners",
        OWNERS,
        "For LS405: the only files that may `commit` (or enter a `begin()` block), roll back (`rollback`) or "
        "`open` sessions. What is not named, every file may.",
        'owners = { commit = ["app/services/"], open = ["app/db.py", "scripts/"] }',
        {},
    ),
    Key(
        "fastapi-version",
        VERSION,
        "The FastAPI that the project runs with. Without it, it is read from `uv.lock`, `poetry.lock` or "
        "`pdm.lock`, else from `requirements*.txt`, `pyproject.toml` or conda's `environment.yml`. A range counts "
        "for what all its versions share; where nothing is said the newest is assumed.",
        'fastapi-version = ">=0.106,<0.118"',
        unset="as the project's dependencies say",
    ),
    Key(
        "extend-safe-fixes",
        RULES,
        "Rules whose unsafe fixes count as safe here, so that `--fix` applies them.",
        'extend-safe-fixes = ["LS102"]',
        (),
    ),
    Key(
        "extend-unsafe-fixes",
        RULES,
        "Rules whose safe fixes count as unsafe here. The more specific selector wins over `extend-safe-fixes`, "
        "and this one between equals.",
        'extend-unsafe-fixes = ["LS4"]',
        (),
    ),
)
BY_NAME: Final = {key.name: key for key in KEYS}
