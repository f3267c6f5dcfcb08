"""The reference page of the configuration."""

from __future__ import annotations

import textwrap

from lint_sessions.config.keys import KEYS, Key
from lint_sessions.config.toml import written

_HEAD = """\
# Configuration

<!-- Written by python -m lint_sessions.pages. -->

`lint-sessions config FILE` shows what holds for a file, and the file and row that says so.

## Where it stands

In a `lint-sessions.toml` or `.lint-sessions.toml` with the keys below at its top level, or in the table
`[tool.lint-sessions]` of a `pyproject.toml`:

```toml
[tool.lint-sessions]
extend-select = ["LS4"]
per-file-ignores = { "tests/*" = ["LS301"] }
```

The nearest file at or above what is checked holds for it, alone; a `pyproject.toml` without our table is passed by. In
one folder `.lint-sessions.toml` goes before `lint-sessions.toml`, and that before `pyproject.toml`. The folder of the
file that holds is the root that patterns start at; they are those of `.gitignore`. To share keys between files, name
one in [`extend`](#extend).

The command line stands above all files: `--select`, `--ignore` and `--extend-select` go on from what they say, and
`--isolated` reads none. `--config FILE` reads that file for all that is checked, wherever it stands; patterns then
start at the root of the project. The flake8 plugin reads the nearest files.

An unknown key, a value of the wrong type and a rule that does not exist are errors, with exit status 2.

## Keys
"""

_FOOT = """\
## In an editor

[lint-sessions.schema.json](lint-sessions.schema.json) describes these keys to editors. Those that use Taplo (VS Code
with Even Better TOML, Neovim, Helix and others) take it from the first row of a `lint-sessions.toml`, by its address or
by a path from the folder of that file:

```toml
#:schema ./lint-sessions.schema.json
```

or, without a row in the file, from a `.taplo.toml`:

```toml
[[rule]]
include = ["**/lint-sessions.toml", "**/.lint-sessions.toml"]
schema = { path = "lint-sessions.schema.json" }
```

or from VS Code's settings: `"evenBetterToml.schema.associations": { "lint-sessions\\.toml$": "file:///…" }`.

The schema has the form that SchemaStore takes (draft 7), and is not listed there yet. In a `pyproject.toml` the keys
stand in a table, which a schema of your own can point to; Taplo wants the whole address there:

```json
{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "properties": {
    "tool": { "properties": { "lint-sessions": { "$ref": "file:///…/lint-sessions.schema.json" } } }
  }
}
```
"""


def reference() -> str:
    """The page: where a configuration is read from, and each key."""
    return "\n".join([_HEAD, *map(_section, KEYS), _FOOT])


def _section(key: Key) -> str:
    default = key.unset or f"`{written(key.default)}`"
    rows = [
        f"### `{key.name}`",
        "\n".join(textwrap.wrap(key.meaning, 120, break_long_words=False, break_on_hyphens=False)),
        f"- Type: {key.kind.name}",
        "\n".join(textwrap.wrap(f"- Default: {default}", 120, subsequent_indent="  ", break_on_hyphens=False)),
        f"```toml\n{key.example}\n```",
    ]
    return "\n\n".join(rows).replace(f"{key.kind.name}\n\n", f"{key.kind.name}\n") + "\n"
