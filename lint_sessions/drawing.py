"""The map of what was asked for: its files checked, traced, drawn and written."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from lint_sessions import engine
from lint_sessions.fault import confession
from lint_sessions.finding import INVALID_SYNTAX
from lint_sessions.linting import configs_of, groups_of
from lint_sessions.map.dot import dot
from lint_sessions.map.mermaid import mermaid
from lint_sessions.map.model import Map
from lint_sessions.map.page import page
from lint_sessions.map.record import record
from lint_sessions.map.trace import trace
from lint_sessions.progress import Progress
from lint_sessions.report import shown_path, source_root, text
from lint_sessions.report.output import show
from lint_sessions.run import UNUSABLE, Run
from lint_sessions.write import WriteError, put

MOST: Final = 80
"""Definitions that are still drawn one by one where nobody can open and close a module."""
PAGE: Final = "session-map.html"
_WRITERS: Final[Mapping[str, Callable[[Map, Path], str]]] = {
    "html": page,
    "mermaid": lambda drawn, _: mermaid(drawn),
    "dot": lambda drawn, _: dot(drawn),
    "json": lambda drawn, root: json.dumps(record(drawn, root), indent=2, ensure_ascii=False) + "\n",
}


def draw(asked: Namespace) -> int:
    """Draw what was asked for; the exit status."""
    run = Run(asked, Progress(wanted=True))
    with closing(run.progress):
        drawn = _traced(run)
    if drawn is None:
        return run.status(found=False) or UNUSABLE
    form: str = asked.output_format
    many = form in ("mermaid", "dot") and len(drawn.nodes) > MOST
    shown = drawn.by_module() if asked.by == "module" or (many and asked.by is None) else drawn
    written = _WRITERS[form](shown, run.root)
    target = asked.output_file or (PAGE if form == "html" else None)
    if target is None:
        sys.stdout.write(written)
        return run.status(found=False)
    try:
        put(Path(target), written.encode("utf-8", "surrogatepass"))
    except WriteError as error:
        run.problem(target, str(error))
        return run.status(found=False)
    count = text.number(sum(1 for _ in drawn.findings), "problem")
    nodes, modules = text.number(len(drawn.nodes), "definition"), text.number(len(drawn.modules), "module")
    show([f"Wrote {target}: {nodes} in {modules}, {count}."], sys.stdout)
    return run.status(found=False)


def _traced(run: Run) -> Map | None:
    """The map; None where there are no files to look at, or nothing is configured that can be used."""
    configs = configs_of(run)
    if isinstance(configs, int):
        return None
    groups = groups_of(configs, run)
    if not groups:
        if not run.unusable:
            run.problem(", ".join(run.asked.paths) or ".", "no Python files here; name a folder that has some")
        return None
    run.root = source_root([config.root for config in groups])
    maps = []
    for config, paths in groups.items():
        analysis = engine.Analysis(config)
        try:
            report = engine.check_files(tuple(paths), config, fixes=False, progress=run.progress, analysis=analysis)
            maps.append(trace(analysis, paths, report.findings, run.root))
        except Exception as error:
            run.fault(", ".join(map(shown_path, paths)), confession(error))
            continue
        for problem in report.problems:
            (run.fault if problem.fault else run.problem)(shown_path(problem.path), problem.message)
        for finding in report.findings:
            if finding.code == INVALID_SYNTAX[0]:
                run.problem(f"{shown_path(finding.path)}:{finding.start.row}", finding.message)
    return Map.of((n for one in maps for n in one.nodes), (e for one in maps for e in one.edges))
