"""The JSON Schema of the configuration, for editors that complete and check TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from lint_sessions.config import toml
from lint_sessions.config.keys import KEYS, SELECTOR, Key
from lint_sessions.config.selection import selectors

DRAFT = "http://json-schema.org/draft-07/schema#"
"""What SchemaStore asks for, and all that Taplo and VS Code know of."""


def schema(known: Iterable[tuple[str, str]]) -> str:
    """The text of the schema of a `lint-sessions.toml`, or of `[tool.lint-sessions]`, for the `known` rules."""
    selector = {"type": "string", "enum": selectors(known), "description": "A code, a name, a prefix of codes, or ALL."}
    record = {
        "$schema": DRAFT,
        "title": "lint-sessions",
        "description": "A lint-sessions.toml, or [tool.lint-sessions] in a pyproject.toml.",
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: _property(key) for key in KEYS},
        "definitions": {SELECTOR: selector},
    }
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def _property(key: Key) -> Mapping[str, object]:
    default = {} if key.default is None else {"default": key.default}
    examples = [toml.value(key.example, key.name)]
    return {"description": key.meaning, **key.kind.schema, **default, "examples": examples}
