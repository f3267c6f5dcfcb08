"""The linter's word on a program, and where it disagrees with what the runs show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lint_sessions.config import Config
from lint_sessions.engine import Analysis, check_document
from lint_sessions.finding import Finding
from lint_sessions.source.document import Document

from .driver import MAX_RUNS, Observed, observe
from .modes import UNAWAITED, Mode, mode_of
from .world import Harm

ROOT = Path("oracle-program")
MORE_RUNS = 10
MORE_FAILURES = 5
"""Of a second search, where the first does not bear out what is reported."""


@dataclass(frozen=True)
class Verdict:
    """What the linter reports, by rule and row: of a session the row that acquires it, of a handler or use its own."""

    reported: frozenset[Harm]
    mode: Mode
    gave_up: bool = False


def lint(text: str) -> Verdict:
    found: set[Harm] = set()
    mode = mode_of(text)
    config = Config(ROOT, select=mode.rules)
    analysis = Analysis(config)
    document = Document.from_bytes(ROOT / "main.py", text.encode())
    for finding in check_document(document, config, fixes=False, analysis=analysis):
        found.add(harm_of(finding))
    return Verdict(frozenset(found), mode, any(runs.gave_up for runs in analysis.summaries._lifecycles.values()))


def harm_of(finding: Finding) -> Harm:
    """What a finding says goes wrong."""
    row = finding.trace[0].position.row if finding.code == "LS101" else finding.start.row
    return Harm(finding.code, row)


@dataclass(frozen=True)
class Disagreement:
    """One harm that the linter misses, or one finding that no run bears out."""

    harm: Harm
    reported: bool
    run: tuple[str, ...] = ()
    """The choices of the run that shows the harm."""

    @property
    def kind(self) -> str:
        return f"{self.harm.code} {'reported, and no run shows it' if self.reported else 'missed'}"


def shown(observed: Observed, mode: Mode) -> dict[Harm, list[str]]:
    """The harms that the rules of a mode should report, each with a run that shows it."""
    return {h: run for h, run in observed.harms.items() if h.code in mode.rules and h not in observed.cleared}


def compare(verdict: Verdict, observed: Observed) -> list[Disagreement]:
    """Where the two differ; a search that was cut short can't prove that nothing goes wrong."""
    if verdict.gave_up:
        return []
    mode, reported = verdict.mode, verdict.reported
    seen = shown(observed, mode)
    missed = [Disagreement(harm, False, tuple(run)) for harm, run in sorted(seen.items()) if harm not in reported]
    if mode is UNAWAITED:
        missed = missed if observed.exhausted else []  # another run may await what these do not
        reported = frozenset(harm for harm in reported if harm.row in observed.reached)  # it is a word on the text
    elif not observed.exhausted:
        return missed
    if observed.spoiled:
        return missed
    return [*missed, *(Disagreement(harm, True) for harm in sorted(reported - seen.keys() - observed.excused))]


def judge(text: str, limit: int = MAX_RUNS) -> tuple[list[Disagreement], Observed, Verdict]:
    """Run a program, lint it, compare; what no run bears out is looked for again in runs with more failures."""
    observed = observe(text, limit)
    verdict = lint(text)
    found = compare(verdict, observed)
    if any(d.reported for d in found):
        observed.add(observe(text, limit * MORE_RUNS, MORE_FAILURES))
        found = compare(verdict, observed)
    return found, observed, verdict
