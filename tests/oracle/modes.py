"""The kinds of harm that programs are written and compared for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .choices import MAX_FAILURES
from .instances import InstanceWriter
from .statements import Writer
from .unawaited import UnawaitedWriter


@dataclass(frozen=True)
class Mode:
    """One kind of program: who writes its statements, and the rules whose word on it is compared."""

    name: str
    rules: tuple[str, ...]
    writer: type[Writer]
    salt: str
    """What makes its programs others than those of other modes with the same seed."""
    failures: int = MAX_FAILURES
    """Of one run, in the first search."""
    flavors: tuple[bool, ...] = (False, True)
    """Whether it has programs without asyncio, and with it."""


SESSIONS = Mode("sessions", ("LS101", "LS301", "LS302", "LS401", "LS402"), Writer, "")
UNAWAITED = Mode("unawaited", ("LS303", "LS504"), UnawaitedWriter, "/unawaited", 1, (True,))
INSTANCES = Mode("instances", ("LS308", "LS505"), InstanceWriter, "/instances", 1)
MODES = {mode.name: mode for mode in (SESSIONS, UNAWAITED, INSTANCES)}


def mode_of(text: str) -> Mode:
    """The mode that a program, or a case, is for."""
    line = _LINE.search(text)
    return MODES[line[1]] if line is not None else SESSIONS


_LINE = re.compile(r"^# mode: (\w+)$", re.MULTILINE)
