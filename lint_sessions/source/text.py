"""The text of a file: its bytes, decoded as Python does; needs nothing of what cuts or parses it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

from lint_sessions import disk

BOM: Final = codecs.BOM_UTF8
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_END: Final = re.compile(rb"\r\n?|\n")
_CODING: Final = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_NO_CODE: Final = re.compile(rb"[ \t\f]*(?:#|\Z)")


class SourceError(Exception):
    """A file that can't be read, or text that can't be written to it; one line that does not name the file."""


def read(path: Path) -> bytes:
    """What is in a file. Raises SourceError."""
    try:
        return disk.read_bytes(path)
    except FileNotFoundError:
        raise SourceError("no such file") from None
    except IsADirectoryError:
        raise SourceError("is a folder") from None
    except PermissionError:
        raise SourceError(
            "is a folder" if disk.is_dir(path) else "no permission to read it; allow it, or add it to extend-exclude"
        ) from None
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror or error}") from None
    except ValueError as error:
        raise SourceError(f"can't be read: {error}") from None


def decoded(data: bytes) -> tuple[str, str]:
    """The text, without a byte order mark, and its encoding. Raises SourceError."""
    if b"\0" in data:
        hint = "save it as UTF-8" if data.startswith(_UTF_16) else "add it to extend-exclude if it is none of yours"
        raise SourceError(f"contains NUL bytes, so it is no Python source; {hint}")
    encoding = _encoding(data)
    try:
        text = data.removeprefix(BOM).decode(encoding)
    except UnicodeDecodeError as error:
        row = len(_LINE_END.findall(data.removeprefix(BOM)[: error.start])) + 1
        hint = f"save it as {encoding}, or name its encoding in the first row, as in # coding: latin-1"
        raise SourceError(f"row {row} is not valid {encoding}: {error.reason}; {hint}") from None
    except (LookupError, ValueError) as error:
        raise SourceError(f"can't be decoded as {encoding}: {error}; save it as UTF-8") from None
    return text, encoding


def _encoding(data: bytes) -> str:
    """What PEP 263 says of the encoding, by the name that Python has for it. Raises SourceError."""
    named = None
    first, *rest = _LINE_END.split(data.removeprefix(BOM), maxsplit=2)[:2]
    for line in (first, *(rest if _NO_CODE.match(first) else [])):
        if named := _CODING.match(line):
            break
    if named is None:
        return "utf-8"
    name = named[1].decode("ascii", "replace").lower().replace("_", "-")
    # Editors write the line ends they want behind it: latin-1-unix.
    name = re.sub(r"\A(utf-8|latin-1|iso-8859-1|iso-latin-1)-.*", r"\1", name)
    try:
        encoding = codecs.lookup(name).name
    except (LookupError, ValueError):
        raise SourceError(f"unknown encoding: {name}; correct it in the first two rows") from None
    if data.startswith(BOM) and encoding != "utf-8":
        raise SourceError(f"begins with a UTF-8 byte order mark, but says that it is {name}; take out one of the two")
    return encoding
