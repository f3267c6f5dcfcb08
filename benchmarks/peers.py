"""What other linters say of the misuse in fixtures/: whose rules' applications they report at the row of the harm.

    python -m pip install -r benchmarks/requirements.txt
    python benchmarks/peers.py            prints the table of docs/comparison.md

Every application carries marks (`# LS301`) on the rows that our rules report. A peer is taken to find one if it reports
something on that row by a code that it does not report anywhere in the fixed application: a remark on style stands in
both. That is kind to it, since nobody asks whether it says what is wrong. Each runs with all that it has.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
MARK = re.compile(r"# (LS\d{3}(?:, LS\d{3})*)$")
Row = tuple[str, str]
"""A file, and the text of a row in it."""

_RUFF = ("--isolated", "--preview", "--select", "ALL", "--ignore", "E501", "--output-format", "concise")
_PYLINT = ("--enable=all", "--disable=line-too-long", "--score=n", "--msg-template={path}:{line}:{column}: {msg_id}")
PEERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Ruff": ("ruff", ("-m", "ruff", "check", *_RUFF)),
    "flake8-bugbear": ("flake8-bugbear", ("-m", "flake8", "--isolated", "--select", "B0,B90,B91")),
    "flake8-async": ("flake8-async", ("-m", "flake8", "--isolated", "--select", "ASYNC")),
    "Pylint": ("pylint", ("-m", "pylint", *_PYLINT)),
}
"""By name: the package, and how it is run with all its rules but the length of lines."""
PLACE = re.compile(r"^(?P<file>[^:\n]+\.py):(?P<row>\d+):\d+: (?P<code>[A-Z]+\d+|[\w-]+)", re.MULTILINE)


def main() -> int:
    """Print how many of our rules' misuses each peer reports; the exit status."""
    marks = dict(_marks())
    rules = sorted({rule for found in marks.values() for rule in found})
    print(f"| linter | rules whose misuse it reports, of {len(rules)} | marked rows, of {len(marks)} |")
    print("| --- | ---: | ---: |")
    for name, (package, arguments) in PEERS.items():
        try:
            told = f"{name} {version(package)}"
        except PackageNotFoundError:
            print(f"{name} is not installed: python -m pip install -r benchmarks/requirements.txt", file=sys.stderr)
            return 2
        still = {(row[0], code) for row, code in _reported(arguments, "fixed*.py", like="app")}
        found = {row for row, code in _reported(arguments, "app*.py") if (row[0], code) not in still}
        rows = [row for row in marks if row in found]
        hit = sorted({rule for row in rows for rule in marks[row]})
        which = f" ({', '.join(hit)})" if hit else ""
        print(f"| {told} | {len(hit)}{which} | {len(rows)} |", flush=True)
    ours = _ours()
    print(f"| lint-sessions {version('lint-sessions')} | {len({r for _, r in ours})} | {len({p for p, _ in ours})} |")
    return 0


def _marks() -> Iterator[tuple[Row, list[str]]]:
    """The rows that have a mark, with the rules it names."""
    for path in sorted(FIXTURES.glob("*/app*.py")):
        for text in path.read_text("utf-8").splitlines():
            if mark := MARK.search(text):
                yield _row(path, text), mark[1].split(", ")


def _row(path: Path, text: str, like: str = "") -> Row:
    name = f"{like}{path.name.removeprefix('fixed')}" if like else path.name
    return f"{path.parent.name}/{name}", MARK.sub("", text).strip()


def _reported(arguments: tuple[str, ...], files: str, like: str = "") -> set[tuple[Row, str]]:
    """The rows on which a peer has anything to say, with its codes."""
    paths = sorted(FIXTURES.glob(f"*/{files}"))
    done = subprocess.run(
        [sys.executable, *arguments, *map(str, paths)], capture_output=True, text=True, check=False, cwd=FIXTURES
    )
    rows = set()
    for found in PLACE.finditer(done.stdout):
        path = FIXTURES / found["file"]
        lines = path.read_text("utf-8").splitlines()
        if 0 < int(found["row"]) <= len(lines):
            rows.add((_row(path, lines[int(found["row"]) - 1], like), found["code"]))
    return rows


def _ours() -> set[tuple[Row, str]]:
    """What this linter reports under the code that the mark names, in a copy that is a project of its own."""
    marks, found = dict(_marks()), set()
    arguments = ("check", "--select", "ALL", "--output-format", "json", "--exit-zero", "--no-cache")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "fixtures")
        shutil.copytree(FIXTURES, copy)
        (copy / "lint-sessions.toml").write_text('[owners]\ncommit = ["*.py", "!/stray_commit/app*.py"]\n', "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "lint_sessions", *arguments], capture_output=True, text=True, check=False, cwd=copy
        )
        for record in json.loads(done.stdout):
            path, row = Path(record["filename"]), record["location"]["row"]
            at = _row(path, path.read_text("utf-8").splitlines()[row - 1])
            if record["code"] in marks.get(at, ()):
                found.add((at, record["code"]))
    return found


if __name__ == "__main__":
    sys.exit(main())
