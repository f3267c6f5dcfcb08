"""The published schema says of a configuration what the command says of it."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from lint_sessions.config import Config, ConfigError, Configs, toml
from lint_sessions.config.keys import KEYS, Key
from lint_sessions.config.schema import schema
from lint_sessions.registry import known

SCHEMA = json.loads(schema(known()))
VALUES = (
    "1", "true", "1.5", "1979-05-27", "''", "'LS3'", "'x 1'", "'0.115'", "'>= 0.106, < 0.118'", "[]", "['LS301', 'LS3', 'ALL']", "['unclosed-session']",
    "['LS999']", "['ls3']", "[1]", "['a', 1]", "[['LS3']]", "['a b']", "['a.b_1', '_c']", "['1a']", "['a..b']", "['größe.x']", "{}",
    "{ a = ['LS3'] }", "{ a = 'LS3' }", "{ a = ['LS999'] }", "{ a = [1] }", "{ commit = ['a'], open = [] }",
    "{ commit = 'a' }", "{ comit = [] }",
)  # fmt: skip
"""Of each kind some that are right for one key and wrong for others."""


def accepts_schema(table: object) -> bool:
    return not [*jsonschema.Draft7Validator(SCHEMA).iter_errors(table)]


def accepts_command(folder: Path, text: str) -> bool:
    (folder / "lint-sessions.toml").write_text(text, "utf-8")
    try:
        Configs().of_folder(folder).check_selectors(known())
    except ConfigError:
        return False
    return True


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_every_key_is_described_once() -> None:
    configured = {field.name for field in fields(Config)} - {"root", "file", "isolated", "command", "said"}
    assert {key.field for key in KEYS if not key.adds_to} - {"extend"} == configured
    assert list(SCHEMA["properties"]) == [key.name for key in KEYS]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_the_defaults_are_those_of_the_code(key: Key) -> None:
    default = getattr(Config(Path()), key.field, ())
    assert (default or None) == (key.default or None)
    assert bool(key.unset) is (key.default is None)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_the_example_is_right(key: Key, tmp_path: Path) -> None:
    assert accepts_schema({key.name: toml.value(key.example, key.name)})
    if key.name == "extend":
        (tmp_path / "lint-sessions.toml").touch()
        tmp_path /= "inner"
        tmp_path.mkdir()
    assert accepts_command(tmp_path, key.example)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", [*(key.name for key in KEYS if key.name != "extend"), "slect"])
def test_schema_and_command_agree(name: str, value: str, tmp_path: Path) -> None:
    text = f"{name} = {value}"
    assert accepts_schema({name: toml.value(text, name)}) is accepts_command(tmp_path, text)


@pytest.mark.parametrize("text", ["fastapi-version = '1 or 2'", "factories = ['x²']", "extend = 'nowhere.toml'"])
def test_what_only_the_command_can_tell(text: str, tmp_path: Path) -> None:
    name = text.partition(" ")[0]
    assert accepts_schema({name: toml.value(text, name)})
    assert not accepts_command(tmp_path, text)


@pytest.mark.parametrize("value", ["a", ["a", 'q"\\ ü\n'], {}, {"a b": ["x"], "é": []}])
def test_what_is_written_is_read_again(value: object) -> None:
    assert toml.value(f"key = {toml.written(value)}", "key") == value
