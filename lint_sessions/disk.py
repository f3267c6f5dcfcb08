"""Files and folders as an analysis sees them; what an answer rests on is written down, and can be looked at again.

All that may change a finding is read and asked for here, and nowhere else (held by `tests/test_disk.py`). While a
`Witness` is present it notes what was found: the contents of a file, the entries of a folder, what kind of thing a path
leads to, also that something is not there.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

Fact = tuple[str, str]
"""What was asked, and of which absolute path: `read`, `list`, `kind`, `real`."""
Seen = list["int | str"]
"""What was found: a digest of it, and behind that the stamp of the file or folder, if that tells of each change."""

_PROJECT_MARKS: Final = (".git", "setup.cfg", "setup.py", "pyproject.toml")
CACHE_MARK: Final = "CACHEDIR.TAG"
"""By https://bford.info/cachedir: a folder with such a file holds what can be made anew."""
_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR)
_SHOWN: Final = (".py", ".txt")
"""How the names of the files end that a listing shows: modules and requirements. Others come and go."""
_FRESH: Final = 2_000_000_000
"""Nanoseconds. What was changed so short a time ago may change again and keep its stamp: its contents are compared."""


class Witness:
    """The facts that an answer rests on."""

    def __init__(self) -> None:
        self.facts: dict[Fact, Seen] = {}
        self.folders: dict[str, Seen] = {}
        """The stamps of folders in which something was found not to be, from before it was asked for."""
        self.is_torn = False
        """Whether something changed while it was being read: then no state of the disk has all these facts."""

    def note(self, fact: Fact, seen: Seen) -> None:
        known = self.facts.setdefault(fact, seen)
        if known[0] != seen[0]:
            self.is_torn = True

    def note_absent(self, path: str) -> None:
        """Nothing is at a path. It is not there as long as its folder does not change, unless it is a broken link."""
        folder = os.path.dirname(path)
        stamp = _stamp_of(folder)
        broken = _broken(path)
        if not broken:
            self._note_folder(folder, stamp)
        self.note(("kind", path), [broken])

    def _note_folder(self, folder: str, stamp: Seen) -> None:
        if self.folders.setdefault(folder, stamp) != stamp:
            self.folders[folder] = []

    def join(self, other: Witness) -> None:
        """Take in what another process has noted."""
        self.is_torn |= other.is_torn
        for fact, seen in other.facts.items():
            self.note(fact, seen)
        for folder, stamp in other.folders.items():
            self._note_folder(folder, stamp)

    def record(self) -> list[Any]:
        """The facts for JSON: files by their folders, what is not there by its folder, and all others."""
        files: dict[str, dict[str, Seen]] = {}
        absent: dict[str, tuple[Seen, list[str]]] = {}
        others = []
        for (what, path), seen in self.facts.items():
            folder, name = os.path.split(path)
            if what == "read":
                files.setdefault(folder, {})[name] = seen
            elif what == "kind" and seen == [""] and folder in self.folders:
                absent.setdefault(folder, (self.folders[folder], []))[1].append(name)
            elif what != "kind" or seen != ["file"] or ("read", path) not in self.facts:  # else it can be read
                others.append([what, path, *seen])
        return [files, absent, others]


_present: ContextVar[Witness | None] = ContextVar("_present", default=None)


@contextmanager
def witnessed() -> Iterator[Witness]:
    """Note all that is asked of the disk meanwhile."""
    witness = Witness()
    token = _present.set(witness)
    try:
        yield witness
    finally:
        _present.reset(token)


def witness_from_here() -> Witness:
    """Note all that is asked of the disk until this process ends."""
    witness = Witness()
    _present.set(witness)
    return witness


def present() -> Witness | None:
    """Whoever notes what is asked."""
    return _present.get()


def hold(record: list[Any]) -> tuple[bool, bool]:
    """Whether the disk still says the same to each question of a record; and whether the record was brought up to date,
    since the stamps are other ones. Raises ValueError, LookupError or TypeError for what is no such record."""
    files, absent, others = record
    renewed = False
    for folder, names in files.items():
        start = folder.rstrip(os.sep) + os.sep
        for name, seen in names.items():
            # As in `_again`, without the calls: there may be thousands of files.
            try:
                found = os.stat(start + name)
                if [found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns] == seen[1:]:
                    continue
            except (OSError, ValueError):
                pass
            now = _contents_now(start + name)
            if now[0] != seen[0]:
                return False, False
            renewed |= now != seen
            names[name] = now
    for number, (what, path, *seen) in enumerate(others):
        now = _again(what, path, seen)
        if now[0] != seen[0]:
            return False, False
        renewed |= now != seen
        others[number] = [what, path, *now]
    for folder, (stamp, names) in absent.items():
        now = _stamp_of(folder)
        if not stamp or now != stamp:
            if any(os.path.lexists(os.path.join(folder, name)) for name in names):
                return False, False
            renewed |= now != stamp
            absent[folder] = now, names
    return True, renewed


def facts_of(record: list[Any]) -> dict[Fact, Seen]:
    """The facts of a record. Raises ValueError, LookupError or TypeError for what is no such record."""
    files, absent, others = record
    facts: dict[Fact, Seen] = {}
    for folder, names in files.items():
        facts |= {("read", os.path.join(folder, name)): seen for name, seen in names.items()}
    for folder, (_, missing) in absent.items():
        facts |= {("kind", os.path.join(folder, name)): [""] for name in missing}
    return facts | {(what, path): seen for what, path, *seen in others}


def changed(facts: dict[Fact, Seen]) -> list[Fact]:
    """The questions to which the disk says something else now. The stamps of the others are brought up to date."""
    found = []
    for fact, seen in facts.items():
        now = _again(*fact, seen)
        if now[0] == seen[0]:
            facts[fact] = now
        else:
            found.append(fact)
    return found


def _again(what: str, path: str, seen: Seen) -> Seen:
    """What is found now: the very same where the stamp tells it."""
    if len(seen) > 1:
        try:
            if _stamp(os.stat(path)) == seen[1:]:
                return seen
        except (OSError, ValueError):
            pass
    return _ANSWERS[what](path)


# --- questions --------------------------------------------------------------------------------------------------------


def read_bytes(path: Path) -> bytes:
    """The contents of a file. Raises OSError, or ValueError for a path that can be none."""
    witness = _present.get()
    if witness is None:
        return path.read_bytes()
    absolute = os.path.abspath(path)
    try:
        data, before, after = _contents(path)
    except OSError as error:
        if error.errno in _ABSENT:
            witness.note_absent(absolute)
        else:
            witness.note(("read", absolute), [_failure(error)])
        raise
    witness.is_torn |= _stamp(before) != _stamp(after)
    witness.note(("read", absolute), [_digest(data), *_lasting(after)])
    return data


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """The folders, links, modules and text files in a folder, by name; nothing in one that is marked as a cache, be it
    ours, and no folder of compiled modules. Raises OSError."""
    witness = _present.get()
    try:
        before = os.stat(folder) if witness is not None else None
        found = _scanned(folder)
    except OSError as error:
        if witness is not None:
            absolute = os.path.abspath(folder)
            if error.errno in _ABSENT:
                witness.note_absent(absolute)
            else:
                witness.note(("list", absolute), [_failure(error)])
        raise
    if witness is not None and before is not None:
        witness.note(("list", os.path.abspath(folder)), _listing(found, _lasting(before)))
    return found


def exists(path: Path) -> bool:
    """Whether a path leads to anything."""
    return _kind(path) != ""


def is_dir(path: Path) -> bool:
    """Whether a path leads to a folder."""
    return _kind(path) == "folder"


def is_file(path: Path) -> bool:
    """Whether a path leads to a regular file."""
    return _kind(path) == "file"


def realpath(path: str | Path) -> str:
    """Where a path leads to in the end, links followed."""
    witness = _present.get()
    found = os.path.realpath(path)
    if witness is not None:
        witness.note(("real", os.path.abspath(path)), [found])
    return found


def project_around(folder: Path) -> Path | None:
    """The nearest folder that looks like a project, the folder itself included."""
    above = (folder, *folder.parents)
    return next((place for place in above if any(exists(place / mark) for mark in _PROJECT_MARKS)), None)


def _kind(path: Path) -> str:
    witness = _present.get()
    found = _kind_of(path)
    if witness is not None:
        if found or "\0" in str(path):
            witness.note(("kind", os.path.abspath(path)), [found])
        else:
            witness.note_absent(os.path.abspath(path))
    return found


# --- answers ----------------------------------------------------------------------------------------------------------


def _kind_of(path: str | Path) -> str:
    try:
        return "folder" if os.path.isdir(path) else "file" if os.path.isfile(path) else "other" * os.path.exists(path)
    except ValueError:
        return ""


def _broken(path: str) -> str:
    """A word for a link that leads nowhere; nothing where there is not even that."""
    return "broken" * os.path.lexists(path)


def _contents(path: str | Path) -> tuple[bytes, os.stat_result, os.stat_result]:
    """What is in a file, and what the file was before and after it was read. Raises OSError or ValueError."""
    with open(path, "rb") as file:
        before = os.fstat(file.fileno())
        data = file.read()
        return data, before, os.fstat(file.fileno())


def _contents_now(path: str) -> Seen:
    try:
        data, before, after = _contents(path)
        return [_digest(data), *(_lasting(after) if _stamp(before) == _stamp(after) else [])]
    except OSError as error:
        return [_failure(error)]


def _entries_now(path: str) -> Seen:
    try:
        stamp = _stamp_of(path)
        return _listing(_scanned(path), stamp)
    except OSError as error:
        return [_failure(error)]


_ANSWERS: Final[Mapping[str, Callable[[str], Seen]]] = {
    "read": _contents_now,
    "list": _entries_now,
    "kind": lambda path: [_kind_of(path) or _broken(path)],
    "real": lambda path: [os.path.realpath(path)],
}


def _digest(data: bytes) -> str:
    from hashlib import blake2b  # slow to import, and not needed while stamps tell

    return blake2b(data, digest_size=16).hexdigest()


def _scanned(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as scanned:
        found = sorted(scanned, key=lambda entry: entry.name)
    if any(entry.name == CACHE_MARK for entry in found):
        return []
    return [
        entry
        for entry in found
        if entry.name.endswith(_SHOWN)
        or (entry.name != "__pycache__" and (entry.is_dir(follow_symlinks=False) or entry.is_symlink()))
    ]


def _listing(found: Sequence[os.DirEntry[str]], stamp: Seen) -> Seen:
    """The fact of a listing. One that is empty is as soon made as checked, and a cache changes without an end."""
    return [_listed(found), *(stamp if found else [])]


def _listed(found: Sequence[os.DirEntry[str]]) -> str:
    if not found:
        return "empty"
    kinds = ((entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in found)
    return _digest(
        "\0".join(f"{name}/{folder:d}{link:d}" for name, folder, link in kinds).encode("utf-8", "surrogatepass")
    )


def _failure(error: OSError) -> str:
    return f"error {error.errno}"


def _stamp(found: os.stat_result) -> Seen:
    return [found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns]


def _stamp_of(folder: str) -> Seen:
    """The stamp of a folder; nothing where it does not tell of each change."""
    try:
        return _lasting(os.stat(folder))
    except (OSError, ValueError):
        return []


def _lasting(found: os.stat_result) -> Seen:
    is_fresh = max(found.st_mtime_ns, found.st_ctime_ns) > time.time_ns() - _FRESH
    return [] if is_fresh else _stamp(found)
