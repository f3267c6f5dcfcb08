"""Fix copies of whole projects, first what is safe and then the rest, and see whether anything is broken by it.

python benchmarks/fix_trees.py OUT PROJECT…      each PROJECT is a folder; diffs and a table go to OUT

For each project and each kind of fix: every file must still be parsed by Python, `ruff check` (syntax errors, undefined
and redefined names), `ruff format` and, where it is installed, `black` must report nothing that they did not report
before, a second run must change nothing and leave nothing that it would fix, and no fix may have been refused by the
loop. Exits with 1 where something is broken. Only the rules that have a fix are run.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lint_sessions.registry import rules

KINDS = {"safe": ("--fix",), "unsafe": ("--fix", "--unsafe-fixes")}
TROUBLE = "E9,F63,F7,F821,F811,F823"
"""Syntax errors, names that are not there and names bound twice."""
NOT_COPIED = shutil.ignore_patterns(".git", "node_modules", "*.lock.json", "*.png", "*.jpg", "*.svg", "*.ipynb")


@dataclass
class Tally:
    """What came of the fixes of one kind."""

    projects: int = 0
    files: int = 0
    applied: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Fixes that the loop took back, by rule."""
    left: Counter[str] = field(default_factory=Counter)
    """Findings that had a fix of this kind and still stand."""
    broken: list[str] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    out, *projects = map(Path, arguments)
    out.mkdir(parents=True, exist_ok=True)
    tallies = {kind: Tally() for kind in KINDS}
    for project in projects:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / project.name
            shutil.copytree(project, copy, symlinks=True, ignore=NOT_COPIED)
            for kind, options in KINDS.items():
                fix(copy, kind, options, tallies[kind], out / f"{project.name}.{kind}.diff")
        print(f"{project.name}: done", flush=True)
    told = "\n".join(table(tallies))
    print(told)
    (out / "table.md").write_text(told + "\n", encoding="utf-8")
    return 1 if any(tally.broken for tally in tallies.values()) else 0


def table(tallies: Mapping[str, Tally]) -> Iterator[str]:
    """What was done, by rule, and what was broken."""
    safe, unsafe = tallies["safe"], tallies["unsafe"]
    yield f"{safe.projects} projects; files changed: {safe.files} by safe fixes, {unsafe.files} by the others"
    yield ""
    yield "| rule | safe | unsafe | refused | left |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for code in sorted(rule.code for rule in rules() if rule.fixable is not None):
        refused, left = safe.refused[code] + unsafe.refused[code], safe.left[code] + unsafe.left[code]
        yield f"| {code} | {safe.applied[code]} | {unsafe.applied[code]} | {refused} | {left} |"
    yield ""
    yield from (f"BROKEN {line}" for tally in tallies.values() for line in tally.broken)


def fix(copy: Path, kind: str, options: Sequence[str], tally: Tally, diff: Path) -> None:
    """Fix one project in place, and hold the result against what was there."""
    before = texts(copy)
    had = trouble(copy)
    run = lint(copy, *options, "--show-fixes", "--output-format", "json:left.json")
    after = texts(copy)
    changed = [path for path, text in after.items() if text != before.get(path)]
    tally.projects += 1
    tally.files += len(changed)
    for row in run.stdout.splitlines():
        words = row.split()
        if len(words) == 4 and words[1] == "x":
            tally.applied[words[2]] += int(words[0])
    name = f"{copy.name} ({kind})"
    faults = [row for row in run.stderr.splitlines() if "fault of lint-sessions" in row]
    tally.refused += Counter(code for row in faults for code in re.findall(r"the fix of (LS\d+)", row))
    tally.broken += [f"{name}: {row}" for row in faults]
    diff.write_text("".join(unified(before, after, changed)), encoding="utf-8")
    for path in changed:
        try:
            ast.parse((copy / path).read_bytes())
        except SyntaxError as error:
            tally.broken.append(f"{name}: {path} is not parsed any more: {error}")
    tally.broken += [f"{name}: {row}" for row in sorted((trouble(copy) - had).elements())]
    wanted = ("safe",) if kind == "safe" else ("safe", "unsafe")
    for finding in json.loads((copy / "left.json").read_text(encoding="utf-8")):
        if finding["fix"] is not None and finding["fix"]["applicability"] in wanted:
            tally.left[finding["code"]] += 1
            tally.broken.append(f"{name}: {finding['code']} stands in {finding['filename']} though it has a fix")
    (copy / "left.json").unlink()
    if changed:
        lint(copy, *options, paths=changed)
        tally.broken += [f"{name}: a second run changes {p}" for p, t in texts(copy).items() if t != after.get(p)]


def lint(copy: Path, *options: str, paths: Iterable[Path] = (Path(),)) -> subprocess.CompletedProcess[str]:
    codes = ",".join(rule.code for rule in rules() if rule.fixable is not None)
    command = [
        sys.executable,
        "-m",
        "lint_sessions",
        "check",
        "--isolated",
        "--no-cache",
        "--jobs",
        "1",
        "--select",
        codes,
        *options,
    ]
    return subprocess.run([*command, *map(str, paths)], cwd=copy, capture_output=True, text=True, check=False)


def texts(copy: Path) -> dict[Path, bytes]:
    return {path.relative_to(copy): path.read_bytes() for path in sorted(copy.rglob("*.py")) if path.is_file()}


def trouble(copy: Path) -> Counter[str]:
    """What Ruff complains of, without rows, which move."""
    command = ["ruff", "check", "--isolated", "--no-cache", "--select", TROUBLE, "--output-format", "json", "."]
    found = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    said = (f"{p['filename']}: {p['code']} {p['message']}" for p in json.loads(found.stdout or "[]"))
    problems = Counter(re.sub(r"line \d+", "another line", words) for words in said)
    command = ["ruff", "format", "--isolated", "--no-cache", "--check", "--quiet", "."]
    rows = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False).stderr.splitlines()
    if shutil.which("black") is not None:
        command = ["black", "--check", "--quiet", "."]
        rows += subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False).stderr.splitlines()
    parsed = re.compile(r"invalid-syntax|ailed to parse|annot (?:parse|format)")
    return problems + Counter(re.sub(r":\d+:\d+:.*", "", row) for row in rows if parsed.search(row))


def unified(before: dict[Path, bytes], after: dict[Path, bytes], changed: Iterable[Path]) -> Iterable[str]:
    for path in changed:
        old, new = (lines(files[path]) for files in (before, after))
        yield from difflib.unified_diff(old, new, str(path), str(path), n=6)


def lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").splitlines(keepends=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
