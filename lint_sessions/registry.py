"""All rules: every module of `lint_sessions.rules` holds exactly one `Rule`; sorted by code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from itertools import pairwise
from types import ModuleType

from lint_sessions.finding import INVALID_SYNTAX, UNUSED_SUPPRESSION
from lint_sessions.rule import Rule


class RegistryError(Exception):
    """A module of `lint_sessions.rules` that cannot serve as a rule; the message names it."""


@cache
def rules() -> tuple[type[Rule], ...]:
    package = importlib.import_module("lint_sessions.rules")
    modules = [f"{package.__name__}.{found.name}" for found in pkgutil.iter_modules(package.__path__)]
    found = sorted((_rule_of(_load(module)) for module in modules), key=lambda rule: rule.code)
    for one, next_one in pairwise(found):
        if one.code == next_one.code:
            raise RegistryError(f"{one.__module__} and {next_one.__module__} both have the code {one.code}")
    return tuple(found)


def known() -> tuple[tuple[str, str], ...]:
    """The code and name of all that a selector can name."""
    return (INVALID_SYNTAX, UNUSED_SUPPRESSION, *((rule.code, rule.rule_name()) for rule in rules()))


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise RegistryError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _rule_of(module: ModuleType) -> type[Rule]:
    name = module.__name__
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Rule) and value.__module__ == name
    ]
    if len(found) != 1:
        names = ", ".join(rule.__name__ for rule in found) or "none"
        raise RegistryError(f"{name} must hold exactly one rule, but has {names}")
    rule = found[0]
    if not re.fullmatch(r"LS\d{3}", getattr(rule, "code", "")):
        raise RegistryError(f"{name}: the code of {rule.__name__} must be LS and three digits")
    if rule.rule_name().replace("-", "_") != name.rpartition(".")[2]:
        raise RegistryError(f"{name}: {rule.__name__} must stand in {rule.rule_name().replace('-', '_')}.py")
    return rule
