"""Files and folders as an analysis sees them; what an answer rests on is written down, and can be looked at again.

All that may change a finding is read and asked for here, and nowhere else (held by `tests/test_disk.py`). While a
`Witness` is present it notes what was found: the contents of a file, the entries of a folder, what kind of thing a path
leads to, also that something is not there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from pathlib import Path
from typing import Final

Fact = tuple[str, str]
"""What was asked, and of which absolute path: `read`, `list`, `kind`, `real`."""
Seen = list["int | str"]
"""What was found: a digest of it, and behind that the stamp of the file or folder, if that tells of each change."""

CACHE_MARK: Final = "CACHEDIR.TAG"
"""By https://bford.info/cachedir: a folder with such a file holds what can be made anew."""
_FRESH: Final = 2_000_000_000
"""Nanoseconds. What was changed so short a time ago may change again and keep its stamp: its contents are compared."""


class Witness:
    """The facts that an answer rests on."""

    def __init__(self) -> None:
        self.facts: dict[Fact, Seen] = {}
        self.is_torn = False
        """Whether something changed while it was being read: then no state of the disk has all these facts."""

    def note(self, fact: Fact, seen: Seen) -> None:
        known = self.facts.setdefault(fact, seen)
        if known[0] != seen[0]:
            self.is_torn = True

    def join(self, facts: Mapping[Fact, Seen], *, is_torn: bool) -> None:
        """Take in what another process has noted."""
        self.is_torn |= is_torn
        for fact, seen in facts.items():
            self.note(fact, seen)


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


def present() -> Witness | None:
    """Whoever notes what is asked."""
    return _present.get()


def hold(facts: Iterable[tuple[Fact, Seen]]) -> bool:
    """Whether the disk still says the same to each question."""
    return all(_still(what, path, seen) for (what, path), seen in facts)


def _still(what: str, path: str, seen: Seen) -> bool:
    if len(seen) > 1:
        try:
            if _stamp(os.stat(path)) == seen[1:]:
                return True
        except OSError:
            pass
    return _ANSWERS[what](path)[0] == seen[0]


# --- questions --------------------------------------------------------------------------------------------------------


def read_bytes(path: Path) -> bytes:
    """The contents of a file. Raises OSError, or ValueError for a path that can be none."""
    witness = _present.get()
    if witness is None:
        return path.read_bytes()
    absolute = os.path.abspath(path)
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            data = file.read()
            after = os.fstat(file.fileno())
    except OSError as error:
        witness.note(("read", absolute), [_failure(error)])
        raise
    witness.is_torn |= _stamp(before) != _stamp(after)
    witness.note(("read", absolute), [_digest(data), *_lasting(after)])
    return data


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name; nothing in one that is marked as a cache, be it ours. Raises OSError."""
    witness = _present.get()
    try:
        before = os.stat(folder) if witness is not None else None
        found = _scanned(folder)
    except OSError as error:
        if witness is not None:
            witness.note(("list", os.path.abspath(folder)), [_failure(error)])
        raise
    if witness is not None and before is not None:
        witness.note(("list", os.path.abspath(folder)), [_listed(found), *_lasting(before)])
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


def _kind(path: Path) -> str:
    witness = _present.get()
    found = _kind_of(path)
    if witness is not None:
        witness.note(("kind", os.path.abspath(path)), [found])
    return found


# --- answers ----------------------------------------------------------------------------------------------------------


def _kind_of(path: str | Path) -> str:
    try:
        return "folder" if os.path.isdir(path) else "file" if os.path.isfile(path) else "other" * os.path.exists(path)
    except ValueError:
        return ""


def _contents_now(path: str) -> Seen:
    try:
        with open(path, "rb") as file:
            return [_digest(file.read())]
    except OSError as error:
        return [_failure(error)]


def _entries_now(path: str) -> Seen:
    try:
        return [_listed(_scanned(path))]
    except OSError as error:
        return [_failure(error)]


_ANSWERS: Final[Mapping[str, Callable[[str], Seen]]] = {
    "read": _contents_now,
    "list": _entries_now,
    "kind": lambda path: [_kind_of(path)],
    "real": lambda path: [os.path.realpath(path)],
}


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _scanned(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as scanned:
        found = sorted(scanned, key=lambda entry: entry.name)
    return [] if any(entry.name == CACHE_MARK for entry in found) else found


def _listed(found: Iterable[os.DirEntry[str]]) -> str:
    kinds = ((entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in found)
    return _digest(
        "\0".join(f"{name}/{folder:d}{link:d}" for name, folder, link in kinds).encode("utf-8", "surrogatepass")
    )


def _failure(error: OSError) -> str:
    return f"error {error.errno}"


def _stamp(found: os.stat_result) -> Seen:
    return [found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns]


def _lasting(found: os.stat_result) -> Seen:
    is_fresh = max(found.st_mtime_ns, found.st_ctime_ns) > time.time_ns() - _FRESH
    return [] if is_fresh else _stamp(found)
