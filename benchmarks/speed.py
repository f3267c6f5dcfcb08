"""How long `lint-sessions check` takes beside other linters, in the same run and as ratios; what is wanted of it, too.

    python -m pip install -r benchmarks/requirements.txt
    python benchmarks/speed.py                                    trees of 50, 500, 5,000 and 20,000 modules
    python benchmarks/speed.py --modules 500 TREE                 one made here, and one of yours
    python benchmarks/speed.py --output docs/performance.md       writes the tables between the marks in that file

Trees are made by `monorepo.py`; those given are copied, and only the copy is touched. Each command runs once uncounted
and then `--runs` times, in turn with all others, so that what else the machine does meets all alike. A command that
took longer than `--patience` seconds is not repeated: its one run counts, and the table says so. What is compared is
compared round by round; a ratio is told as the median of the rounds, with the least and the most.

Time is that of the clock, and user and system time of the process and of all that it waited for. Memory is that of the
largest single process (`ru_maxrss`, never less than what this script takes itself), and, in a run of its own since
looking costs time, the most that the process and its children had at once, by their proportional set sizes, looked at
20 times a second. The latter needs Linux, the rest `os.wait4`. Nothing here fails because something is slow: it tells.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Final

import monorepo

PEERS: Final = ("ruff", "flake8", "pylint", "fixit")
SLOW: Final = {"flake8": 50, "pylint": 50, "fixit": 50}
"""Modules of the largest tree that a peer is given, where that is not all."""
LARGE: Final = 3_000
"""Modules from which a tree is a large one."""
MARKS: Final = ("<!-- speed -->", "<!-- end of speed -->")
_NOT_COPIED: Final = shutil.ignore_patterns(
    *(".git", "node_modules", "*.lock", "*.json", "*.png", "*.jpg", "*.svg", "*.ipynb", ".lint_sessions_cache")
)
# flake8 runs every plugin that is installed, whatever is selected, and has no way to leave one out.
_FLAKE8: Final = """import sys
from importlib import metadata
all_of_them = metadata.distributions
metadata.distributions = lambda **a: (d for d in all_of_them(**a) if d.metadata["name"] not in sys.argv[1].split(","))
del sys.argv[1]
from flake8.main.cli import main
sys.exit(main())
"""
_Rounds = Sequence[float]


@dataclass(frozen=True)
class Command:
    """What is timed."""

    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    """What is done before each run, and not timed."""


@dataclass(frozen=True)
class Run:
    """One run: seconds of the clock and of the processor, and megabytes of the largest process."""

    wall: float
    processor: float
    megabytes: float


@dataclass(frozen=True)
class Tree:
    """What is linted, and what came of it."""

    name: str
    modules: int
    lines: int
    runs: Mapping[str, Sequence[Run]]
    stages: str
    """As `--timing` tells them."""
    parsed_files: int
    parsed_lines: int
    together: float
    """Megabytes of all processes of a cold run; 0 where that was not measured."""

    def wall(self, name: str) -> float:
        return median(run.wall for run in self.runs[name])

    def processor(self, name: str) -> float:
        return median(run.processor for run in self.runs[name])


@dataclass(frozen=True)
class Wish:
    """What is wanted, and how near it is: the measured time through the wanted one, round by round."""

    tree: str
    wanted: str
    wall: _Rounds
    processor: _Rounds

    def row(self) -> str:
        reached = "yes" if median(self.wall) <= 1 else "no"
        return f"| {self.tree} | {self.wanted} | {_spread(self.wall)} | {_spread(self.processor)} | {reached} |"


def main(arguments: Sequence[str]) -> int:
    asked = _parser().parse_args(arguments)
    peers = [peer for peer in asked.peers.split(",") if peer]
    if missing := [peer for peer in peers if _version(peer) is None]:
        told = f"{', '.join(missing)}: not installed: python -m pip install -r benchmarks/requirements.txt"
        print(told, file=sys.stderr)
        return 2
    trees: list[Tree] = []
    plain, text = plain_is_plain(), ""
    sources: list[Path | int] = [*map(Path, asked.trees), *(int(size) for size in asked.modules.split(",") if size)]
    for source in sources:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, "tree")
            if isinstance(source, Path):
                shutil.copytree(source, place, ignore=_NOT_COPIED, ignore_dangling_symlinks=True)
            else:
                monorepo.write(place, source, asked.seed)
            name = source.name if isinstance(source, Path) else f"{source:,} modules"
            trees.append(measured(name, place, Path(folder, "cache"), peers, asked))
        # After each tree: the next may take long.
        text = "\n".join(report(trees, peers, plain, asked))
        if asked.output is not None:
            _put(asked.output, text)
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Time lint-sessions beside other linters.")
    parser.add_argument("trees", nargs="*", metavar="TREE")
    parser.add_argument("--modules", default="50,500,5000,20000", help="sizes of trees to make; '' for none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of {', '.join(PEERS)}; ruff is R of the wishes")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--patience", type=float, default=60, help="seconds that a run may take to be repeated")
    parser.add_argument("--output", type=Path)
    return parser


# --- measuring --------------------------------------------------------------------------------------------------------


def measured(name: str, place: Path, cache: Path, peers: Sequence[str], asked: argparse.Namespace) -> Tree:
    """Time everything on the tree in a folder."""
    files = sorted(place.rglob("*.py"))
    lines = sum(file.read_bytes().count(b"\n") for file in files)
    chosen = [peer for peer in peers if len(files) <= SLOW.get(peer, len(files))]
    commands = commands_for(files, cache, chosen)
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    once: dict[str, Run] = {}
    for warm in ("warm", "flake8 with ours"):  # fills the cache
        if warm in commands:
            timed(commands[warm], place)
    for turn in range(asked.runs + 1):
        for what, command in commands.items():
            if turn and once[what].wall > asked.patience:
                runs[what] = [once[what]]
                continue
            told = "first" if not turn else f"{turn} of {asked.runs}"
            print(f"{name}: {what}, {told}", end="", file=sys.stderr, flush=True)
            run = timed(command, place)
            print(f": {run.wall:.2f} s", file=sys.stderr)
            if turn:
                runs[what].append(run)
            else:
                once[what] = run
    stages, parsed_files, parsed_lines = _stages(place)
    together = together_in(commands["cold"], place) if sys.platform == "linux" else 0
    return Tree(name, len(files), lines, runs, stages, parsed_files, parsed_lines, together)


def commands_for(files: Sequence[Path], cache: Path, peers: Sequence[str]) -> dict[str, Command]:
    """What is timed on a tree of these files, by name; in this order, in each round."""
    own = _own()
    python = sys.executable
    keeping = ["check", "--exit-zero", "--cache-dir", str(cache)]
    middle = files[len(files) // 2]
    edit = _Edit(middle)
    commands = {
        "L": Command([python, "-c", "import libcst"]),
        "S": Command([python, "-c", "import argparse, json, re"]),
        "version": Command([*own, "--version"]),
        "help": Command([*own, "--help"]),
        "cold": Command([*own, "check", "--exit-zero", "--no-cache"]),
        "warm": Command([*own, *keeping]),
        "one changed": Command([*own, *keeping], before=edit.do),
        "_undone": Command([*own, *keeping], before=edit.undo),
    }
    if "ruff" in peers:
        select = ["--select", "FAST,B,SIM,ASYNC"]
        commands["ruff"] = Command(
            [python, "-m", "ruff", "check", "--isolated", "--no-cache", "--exit-zero", *select, "."]
        )
    if "flake8" in peers:
        start, options = [python, "-c", _FLAKE8], ("--isolated", "--exit-zero", "--jobs", "2")
        others = "flake8-bugbear,flake8-async"
        folder = {"LINT_SESSIONS_CACHE_DIR": f"{cache}-of-flake8"}
        commands["flake8"] = Command([*start, "lint-sessions", *options, "--select", "B,ASYNC", "."])
        commands["flake8 alone"] = Command([*start, f"lint-sessions,{others}", *options, "."])
        commands["flake8 with ours"] = Command([*start, others, *options, "."], folder)
    if "pylint" in peers:
        commands["pylint"] = Command([python, "-m", "pylint", "--exit-zero", "--jobs", "2", "--recursive=y", "."])
    if "fixit" in peers:
        commands["fixit"] = Command([python, "-m", "fixit", "lint", "."])
    return commands


class _Edit:
    """A file that is changed before each run, never twice the same, and put back."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._data = file.read_bytes()
        self._times = 0

    def do(self) -> None:
        self._times += 1
        self._file.write_bytes(self._data + f"\n\ndef changed_{self._times}(value):\n    return value\n".encode())

    def undo(self) -> None:
        self._file.write_bytes(self._data)


def timed(command: Command, place: Path) -> Run:
    """Run a command in a folder."""
    command.before()
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            command.words, cwd=place, env=_environment(command), stdout=subprocess.DEVNULL, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        # fixit and pylint tell of findings by bits, even if asked not to.
        if process.returncode and "fixit" not in command.words:
            said.seek(0)
            raise SystemExit(f"{' '.join(command.words)}: exit status {process.returncode}\n{said.read().decode()}")
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / scale)


def _environment(command: Command) -> dict[str, str]:
    unset = ("PYTHONPATH", "LINT_SESSIONS_CACHE_DIR", "FORCE_COLOR")
    return {**{name: value for name, value in os.environ.items() if name not in unset}, **command.environment}


def together_in(command: Command, place: Path) -> float:
    """The most megabytes that a command and its children had at once."""
    process = subprocess.Popen(
        command.words, cwd=place, env=_environment(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    most = 0
    while process.poll() is None:
        most = max(most, sum(map(_proportional, _family(process.pid))))
        time.sleep(0.05)
    return most / (1 << 10)


def _family(process: int) -> Iterator[int]:
    yield process
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text("ascii")
    except OSError:
        return
    for child in children.split():
        yield from _family(int(child))


def _proportional(process: int) -> int:
    """Kilobytes of a process, pages that it shares counted in part."""
    try:
        found = re.search(r"^Pss: +(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text("ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _stages(place: Path) -> tuple[str, int, int]:
    """By stage, the files and the lines that LibCST has parsed in a cold run."""
    words = [*_own(), "check", "--exit-zero", "--no-cache", "--quiet", "--timing"]
    said = subprocess.run(words, cwd=place, capture_output=True, text=True, check=True).stderr
    stages = re.search(r"processor time: (.*)", said)
    parsed = re.search(r"by LibCST: ([\d,]+) of [\d,]+ files, ([\d,]+) of", said)
    if stages is None or parsed is None:
        raise SystemExit(f"--timing told something else: {said}")
    return stages[1], *(int(number.replace(",", "")) for number in parsed.groups())  # type: ignore[return-value]


def plain_is_plain() -> bool:
    """Whether LibCST is left alone where there is nothing to look at."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "plain.py").write_text("def double(value):\n    return value + value\n" * 20, "utf-8")
        words = [sys.executable, "-X", "importtime", "-m", "lint_sessions", "check", "--no-cache"]
        said = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stderr
    return re.search(r"\| +libcst$", said, re.MULTILINE) is None


def _own() -> list[str]:
    script = Path(sys.executable).parent / "lint-sessions"
    return [str(script)] if script.is_file() else [sys.executable, "-m", "lint_sessions"]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


# --- telling ----------------------------------------------------------------------------------------------------------


def report(trees: Sequence[Tree], peers: Sequence[str], plain: bool, asked: argparse.Namespace) -> Iterator[str]:
    """The tables."""
    packages = ("lint-sessions", "libcst", *peers, "flake8-bugbear", "flake8-async")
    found = ", ".join(f"{package} {told}" for package in packages if (told := _version(package)))
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    yield f"{cores} cores, Python {sys.version.split()[0]}, {found}; medians of {asked.runs} runs."
    yield ""
    yield "| tree | wanted, in time | by the clock, part of what is wanted | by the processor | reached |"
    yield "| --- | --- | ---: | ---: | --- |"
    yield from (wish.row() for tree in trees for wish in wishes(tree))
    yield ""
    yield "| tree | wanted | measured | reached |"
    yield "| --- | --- | ---: | --- |"
    yield f"| no gate opens | libcst not imported | {'not imported' if plain else 'imported'} | {_yes(plain)} |"
    for tree in trees:
        share = tree.parsed_lines / tree.lines
        bound = "at most 5 % of the lines parsed" if tree.modules >= LARGE else "(lines parsed)"
        yield f"| {tree.name} | {bound} | {share:.0%} | {_yes(share <= 0.05) if tree.modules >= LARGE else ''} |"
        if tree.modules >= 20_000:
            yield f"| {tree.name} | at most 300 MB | {tree.together:.0f} MB | {_yes(tree.together <= 300)} |"
    yield ""
    yield "| tree | command | seconds | of processor | largest process | times as long as a cold run | runs |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for tree in trees:
        for name, runs in tree.runs.items():
            if not name.startswith("_"):
                yield _row(tree, name, runs)
    yield ""
    yield "| tree | lines | cold: processor seconds for 1,000 modules | MB, largest process | MB, all processes |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for tree in trees:
        rate, largest = tree.processor("cold") / tree.modules * 1000, max(run.megabytes for run in tree.runs["cold"])
        yield f"| {tree.name} | {tree.lines:,} | {rate:.1f} | {largest:.0f} | {_or_not(tree.together)} |"
    yield ""
    yield "| tree | files parsed by LibCST | lines | processor seconds by stage of a cold run |"
    yield "| --- | ---: | ---: | --- |"
    for tree in trees:
        parsed = f"{tree.parsed_files:,} of {tree.modules:,} | {tree.parsed_lines:,} of {tree.lines:,}"
        yield f"| {tree.name} | {parsed} | {tree.stages} |"


def wishes(tree: Tree) -> Iterator[Wish]:
    """What is wanted on a tree, by what was timed on it."""
    runs = tree.runs

    def wish(words: str, name: str, *bound: tuple[float, str]) -> Wish:
        rounds = min(len(runs[one]) for one in (name, *(other for _, other in bound)))
        kinds = []
        for kind in ("wall", "processor"):
            wanted = [sum(times * getattr(runs[one][i], kind) for times, one in bound) for i in range(rounds)]
            kinds.append([getattr(runs[name][i], kind) / wanted[i] for i in range(rounds)])
        return Wish(tree.name, words, *kinds)

    if "ruff" in runs:
        times = 2 if tree.modules >= LARGE else 8
        yield wish(f"cold: at most L + {times} R", "cold", (1, "L"), (times, "ruff"))
        yield wish("warm: at most 1.5 S + 0.5 R", "warm", (1.5, "S"), (0.5, "ruff"))
        if tree.modules >= LARGE:
            yield wish("one file changed: at most L + 0.5 R", "one changed", (1, "L"), (0.5, "ruff"))
    for name in ("version", "help"):
        yield wish(f"--{name}: at most 1.5 S", name, (1.5, "S"))
    if "flake8 alone" in runs:
        yield wish("flake8 with the plugin, warm: at most 1.05 of it", "flake8 with ours", (1.05, "flake8 alone"))
    for peer in ("flake8", "pylint", "fixit"):
        if peer in runs:
            yield wish(f"cold: at most a 50th of {peer}", "cold", (1 / 50, peer))


def _row(tree: Tree, name: str, runs: Sequence[Run]) -> str:
    megabytes = max(run.megabytes for run in runs)
    times = tree.wall(name) / tree.wall("cold")
    walls = _spread([run.wall for run in runs])
    figures = f"{tree.processor(name):.2f} | {megabytes:.0f} MB | {times:.2f} | {len(runs)}"
    return f"| {tree.name} | {name} | {walls} | {figures} |"


def _spread(rounds: _Rounds) -> str:
    spread = f" ({min(rounds):.2f} to {max(rounds):.2f})" if len(rounds) > 1 else ""
    return f"{median(rounds):.2f}{spread}"


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"


def _or_not(megabytes: float) -> str:
    return f"{megabytes:.0f}" if megabytes else "not measured"


def _put(file: Path, text: str) -> None:
    """Write the tables between the marks of a file; as a file of their own where it has none."""
    start, end = MARKS
    old = file.read_text("utf-8") if file.is_file() else f"{start}\n{end}\n"
    before, _, rest = old.partition(start)
    after = rest.partition(end)[2]
    file.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
