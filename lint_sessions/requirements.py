"""Which versions of FastAPI and SQLAlchemy a project may run with, as its lock file or its dependencies say."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions import disk

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

LOCK_FILES = ("uv.lock", "poetry.lock", "pdm.lock")
OTHER_FRAMEWORKS = ("litestar", "starlite")
"""Frameworks that drive generators in a way of their own."""

BEFORE_RESPONSE = "0.106"
"""From here on what follows the `yield` of a dependency runs before the response is sent,"""
MUST_RAISE = "0.110"
"""from here on a dependency that takes an exception and does not raise it turns it into a 500,"""
AFTER_RESPONSE = "0.118"
"""from here on what follows the `yield` runs after the response again,"""
FUNCTION_SCOPE = "0.121"
"""unless the dependency is declared with `scope="function"`,"""
UNWRAPS = "0.123.5"
"""and from here on a context manager among the dependencies fails, where it was handed over before."""
_CHANGES = (BEFORE_RESPONSE, MUST_RAISE, AFTER_RESPONSE, FUNCTION_SCOPE, UNWRAPS)
SESSION_ENTERED = "1.4"
"""From here on a `Session` of SQLAlchemy is a context manager."""

_PIN = re.compile(r"===?\s*(\d+(?:\.\w+)*)(\.\*)?")
_ANY = ">=0"
_NAMES = ("fastapi", "sqlalchemy", *OTHER_FRAMEWORKS)
_LOCKED_NAME = re.compile(rf'^name = "({"|".join(_NAMES)})"\s*$', re.MULTILINE | re.IGNORECASE)
_LOCKED_VERSION = re.compile(r'^version = "([^"]+)"', re.MULTILINE)
_MEMBER = re.compile(r'^source = \{ (?:editable|virtual) = "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class FastAPI:
    """The versions that a project may run with; `specifiers` are alternatives, none of them stands for the newest."""

    specifiers: tuple[str, ...] = ()
    used: bool = True
    """False where the project depends on another framework, and not on FastAPI."""

    def is_from(self, lowest: str, below: str | None = None) -> bool:
        """Whether all its versions are `lowest` or newer, and older than `below`."""
        from packaging.version import Version

        end = Version(below) if below is not None else None
        return all(Version(lowest) <= version and (end is None or version < end) for version in self._probes)

    @property
    def name(self) -> str:
        """What a message calls it: `FastAPI 0.115.2`, `FastAPI >=0.121`, `newest FastAPI`."""
        if not self.specifiers:
            return "newest FastAPI"
        pins = [_PIN.fullmatch(specifier) for specifier in self.specifiers]
        words = (pin[1] if pin else text.replace(" ", "") for pin, text in zip(pins, self.specifiers, strict=True))
        return f"FastAPI {' or '.join(words)}"

    @cached_property
    def _probes(self) -> tuple[Version, ...]:
        return _versions(self.specifiers, _CHANGES)


def _versions(specifiers: Iterable[str], changes: Sequence[str]) -> tuple[Version, ...]:
    """Versions that are allowed and between which nothing changes: the ends of the ranges, and those next to each
    change; where nothing is specified, the newest."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    found: set[Version] = set()
    for text in specifiers:
        allowed = SpecifierSet(text)
        found.update(v for v in _around(allowed, changes) if allowed.contains(v, prereleases=True))
    return tuple(found) or (Version("9999"),)


def _around(allowed: SpecifierSet, changes: Sequence[str]) -> Iterator[Version]:
    """The versions at which a range may end, or something changes, each with the ones before and after it."""
    from packaging.version import Version

    named = [*changes, *(spec.version.removesuffix(".*") for spec in allowed), "9999"]
    for text in named:
        major, minor, micro = (*Version(text).release, 0, 0)[:3]
        yield Version(text)
        yield Version(f"{major}.{minor}.{micro + 1}")
        if micro > 0:
            yield Version(f"{major}.{minor}.{micro - 1}")
        elif minor > 0:
            yield Version(f"{major}.{minor - 1}.999")


class Requirements:
    """What the projects below a root depend on; each folder is read once, when first asked for."""

    def __init__(self, root: Path, fastapi_version: str | None = None) -> None:
        root = Path(os.path.abspath(root))
        # A checkout may have at its top what holds for all its parts.
        self._top = next((folder for folder in (root, *root.parents) if disk.exists(folder / ".git")), root)
        self._given = FastAPI((exact(fastapi_version),)) if fastapi_version is not None else None
        self._found: dict[Path, FastAPI] = {}
        self._read: dict[Path, _Folder] = {}

    def fastapi(self, path: Path) -> FastAPI:
        """FastAPI as the nearest folder above a file that says something of it has it."""
        if self._given is not None:
            return self._given
        folder = Path(os.path.abspath(path)).parent
        if folder not in self._found:
            self._found[folder] = self._of(folder)
        return self._found[folder]

    def enters_sessions(self, path: Path) -> bool:
        """Whether a `Session` is a context manager in all versions of SQLAlchemy that a file may run with."""
        from packaging.version import Version

        said = next((found for at in self._above(path.parent) if (found := self._specifiers(at, "sqlalchemy"))), ())
        return all(Version(SESSION_ENTERED) <= version for version in _versions(said, (SESSION_ENTERED,)))

    def _of(self, folder: Path) -> FastAPI:
        for place in self._above(folder):
            said = self._specifiers(place, "fastapi")
            if said is not None:
                return FastAPI(said)
            if not _given_names(self._at(place)).isdisjoint(OTHER_FRAMEWORKS):
                return FastAPI(used=False)
        return FastAPI()

    def _above(self, folder: Path) -> list[Path]:
        """A folder and those around it, up to the top of the checkout."""
        folder = Path(os.path.abspath(folder))
        above = [folder, *folder.parents]
        return above[: above.index(self._top) + 1] if self._top in above else [folder]

    def _specifiers(self, folder: Path, name: str) -> tuple[str, ...] | None:
        """What a folder, or the workspace that it is a member of, says of a package; None where it says nothing."""
        said = self._at(folder)
        locked, declared = (_of_package(told, name) for told in (said.locked, said.declared))
        if not locked and not declared:
            return None
        return _narrowest(locked or self._in_workspace(folder, name) or declared)

    def _in_workspace(self, member: Path, name: str) -> tuple[str, ...]:
        """What a workspace that a folder is a member of has locked."""
        above = (self._at(folder) for folder in member.parents if disk.is_file(folder / "uv.lock"))
        return next((_of_package(said.locked, name) for said in above if member in said.members), ())

    def _at(self, folder: Path) -> _Folder:
        if folder not in self._read:
            self._read[folder] = _read(folder)
        return self._read[folder]


_Said = tuple[tuple[str, str], ...]
"""Names of packages, each with a specifier: `""` where the package has no version there."""


@dataclass(frozen=True)
class _Folder:
    """What the files of one folder say."""

    locked: _Said
    declared: _Said
    members: frozenset[Path]
    """The folders of the workspace that the lock file is for."""


def _of_package(said: _Said, package: str) -> tuple[str, ...]:
    return tuple(version for name, version in said if name == package)


def _given_names(folder: _Folder) -> set[str]:
    return {name for name, _ in (*folder.locked, *folder.declared)}


def exact(version: str) -> str:
    """The specifier that a version or a specifier means: `0.115` is any 0.115, `0.115.2` only that."""
    if not re.fullmatch(r"\d+(\.\d+)*", version):
        return version
    return f"=={version}" if version.count(".") > 1 else f"=={version}.*"


def problem_of(version: object) -> str | None:
    """What is wrong with a configured version or range; None when nothing is."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        if isinstance(version, str) and version and SpecifierSet(exact(version)) is not None:
            return None
    except InvalidSpecifier:
        pass
    return f"must be a version or a range such as '>=0.106,<0.118', not {version!r}"


def _narrowest(specifiers: Iterable[str]) -> tuple[str, ...]:
    """The pinned versions, else the ranges; what cannot be read may be any version."""
    told = dict.fromkeys(text if problem_of(text) is None else _ANY for text in specifiers if text)
    return tuple(text for text in told if _PIN.fullmatch(text)) or tuple(told)


def _read(folder: Path) -> _Folder:
    return _Folder(tuple(_locked(folder)), tuple(_declared(folder)), _members(folder))


def _locked(folder: Path) -> Iterator[tuple[str, str]]:
    """The packages of the lock files that matter here; a lock file is long, so it is searched and not parsed."""
    for file in LOCK_FILES:
        for package in _text(folder / file).split("[[package]]")[1:]:
            name = _LOCKED_NAME.search(package)
            version = _LOCKED_VERSION.search(package) if name is not None else None
            if name is not None and version is not None:
                yield name[1].lower(), f"=={version[1]}"


def _members(folder: Path) -> frozenset[Path]:
    """The folders that a `uv.lock` is for: `source = { editable = "backend" }`."""
    inner = _MEMBER.findall(_text(folder / "uv.lock"))
    return frozenset(Path(os.path.abspath(folder / path)) for path in inner)


def _declared(folder: Path) -> Iterator[tuple[str, str]]:
    for place, start in ((folder, "requirements"), (folder / "requirements", "")):
        for name in _names(place):
            if name.startswith(start) and name.endswith(".txt"):
                yield from _lines(_text(place / name).splitlines())
    pyproject = _toml(folder / "pyproject.toml")
    project = _table(pyproject, "project")
    for declared in (project.get("dependencies"), *_table(project, "optional-dependencies").values()):
        yield from _lines(map(str, declared if isinstance(declared, list) else ()))
    for name, value in _table(pyproject, "tool", "poetry", "dependencies").items():
        for one in value if isinstance(value, list) else [value]:
            version = str((one.get("version") if isinstance(one, Mapping) else one) or "")
            yield from ((name.lower(), _of_poetry(part.strip())) for part in version.split("||"))
    for file in (folder / "environment.yml", folder / "environment.yaml"):
        entries = (re.match(r"\s*-\s*['\"]?([^'\"#]+)", line) for line in _text(file).splitlines())
        # Conda's `fastapi=0.110` is any 0.110.
        yield from _lines(re.sub(r"(?<![<>=!~])=([\d.]+)\s*$", r"==\1.*", entry[1]) for entry in entries if entry)


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The names and specifiers of requirements, extras and markers left out."""
    for line in lines:
        found = re.match(r"\s*([A-Za-z][\w.-]*)\s*(?:\[[^]]*\])?\s*\(?\s*([^;#()\\@]*)", line)
        if found:
            yield found[1].lower(), re.split(r"\s--", found[2])[0].strip()


def _of_poetry(version: str) -> str:
    """Poetry's `^0.110.0`, `~0.110` and `*` as specifiers."""
    found = re.fullmatch(r"([\^~]?)\s*((\d+)(?:\.(\d+))?(?:\.\d+)?)", version)
    if found is None:
        return "" if version == "*" else version
    sign, lowest, major, minor = found.groups()
    if not sign:
        return exact(lowest)
    keeps_minor = minor is not None and (sign == "~" or int(major) == 0)
    return f">={lowest},<{f'{major}.{int(minor) + 1}' if keeps_minor else int(major) + 1}"


def _toml(file: Path) -> Mapping[str, object]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    text = _text(file)
    try:
        return tomllib.loads(text) if any(name in text.lower() for name in _NAMES) else {}
    except tomllib.TOMLDecodeError:
        return {}


def _table(table: Mapping[str, object], *keys: str) -> Mapping[str, object]:
    for key in keys:
        inner = table.get(key)
        if not isinstance(inner, Mapping):
            return {}
        table = inner
    return table


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in disk.entries(folder)]
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return disk.read_bytes(file).decode("utf-8-sig", "replace")
    except OSError:
        return ""
