"""Write a file: all of it or nothing, and never over someone else's change."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

_WRITABLE: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
"""Root may write to a read-only file too, but somebody has said not to."""


class WriteError(Exception):
    """One line that says why a file was left as it was."""


def replace(path: Path, before: bytes, after: bytes) -> None:
    """Put `after` in the place of `before`; a symlink stays one, and mode and ownership stay as they are.

    Another name of the same file (a hard link) keeps what was there before.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.read_bytes() == after:
            return  # by another name of it that was fixed as well
        _refuse_if_changed(target, before)
        if not os.access(target, os.W_OK) or not target.stat().st_mode & _WRITABLE:
            raise WriteError("is read-only, so it was left alone; make it writable, and run again")
        _replace(target, before, after)
    except OSError as error:
        raise WriteError(f"could not be written: {error.strerror or error}") from error


def put(path: Path, data: bytes) -> None:
    """Write a file of ours, be it there or not; a device or a pipe is written to."""
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        elif target.exists() and not os.access(target, os.W_OK):
            raise WriteError("is read-only; make it writable, or name another file")
        else:
            _replace(target, None, data)
    except OSError as error:
        hint = "" if target.parent.is_dir() else f"; make the folder {path.parent} first"
        raise WriteError(f"could not be written: {error.strerror or error}{hint}") from error


def _replace(target: Path, before: bytes | None, after: bytes) -> None:
    import tempfile  # slow to import, and most runs write nothing

    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after)
            file.flush()
            if target.exists():
                _copy_owner_and_mode(target, temporary)
            else:
                os.chmod(temporary, 0o666 & ~_umask())
            os.fsync(file.fileno())
        if before is not None:
            _refuse_if_changed(target, before)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _copy_owner_and_mode(source: Path, target: Path) -> None:
    wanted, found = source.stat(), target.stat()
    if (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid) and hasattr(os, "chown"):
        os.chown(target, wanted.st_uid, wanted.st_gid)
    # Last: changing the owner clears the set-id bits.
    os.chmod(target, wanted.st_mode & 0o7777)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refuse_if_changed(target: Path, before: bytes) -> None:
    if target.read_bytes() != before:
        raise WriteError("changed while it was being checked, so it was left alone; run again")
