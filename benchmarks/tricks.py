"""What each trick buys: the time of a cold run in one process without it, through the time with all of them.

    python benchmarks/tricks.py [TREE]              default: a tree of 50 modules from monorepo.py

That the findings are the same without each is held by `tests/test_ways.py`, which throws the same switches.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Final

import monorepo
from speed import Command, timed

from lint_sessions import engine
from lint_sessions.config import Config
from lint_sessions.project.modules import Project
from lint_sessions.registry import rules
from lint_sessions.source.document import Block

Set = Callable[[object, str, object], None]
"""`setattr`, or one that can be undone."""
_ROUNDS: Final = 5


def no_gates(patch: Set) -> None:
    """Every rule is asked of every block."""
    for rule in rules():
        patch(rule, "gates", ())


def no_cutting(patch: Set) -> None:
    """Files are parsed as a whole."""
    patch(Block, "_parsed_alone", lambda _: None)


def no_index(patch: Set) -> None:
    """Every module is looked at, whatever words it has."""
    patch(Project, "mentioning", lambda project, _: list(project.modules))


def collecting(patch: Set) -> None:
    """Python looks for garbage."""
    patch(engine, "_keeping_all", nullcontext)


WAYS: Final[Mapping[str, Callable[[Set], None]]] = {
    "no gates": no_gates,
    "no cutting": no_cutting,
    "no index": no_index,
    "with the cycle collector": collecting,
}


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["--way"]:
        way, place = arguments[1], Path(arguments[2])
        if switch := WAYS.get(way):
            switch(setattr)
        gc.enable()
        engine.check([place], Config(place))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(arguments[0]).absolute() if arguments else Path(folder, "tree")
        if not arguments:
            monorepo.write(place, 50)
        names = ["all as it is", *WAYS]
        rounds = [
            [timed(Command([sys.executable, __file__, "--way", name, str(place)]), place).processor for name in names]
            for _ in range(_ROUNDS)
        ]
    print("| way | processor seconds | through the usual | least and most |", "| --- | ---: | ---: | ---: |", sep="\n")
    for i, name in enumerate(names):
        ratios = [seconds[i] / seconds[0] for seconds in rounds]
        spread = f"{median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f}"
        print(f"| {name} | {median(seconds[i] for seconds in rounds):.1f} | {spread} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
