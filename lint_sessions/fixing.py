"""The fix loop: apply fixes pass by pass until nothing changes, and take back what does harm.

A pass applies, in all files at once, the fixes that stay clear of each other, and then checks again what they can have
changed. A pass is good if each changed file still parses and nothing is found that was not there before; else its fixes
are tried one by one, and the one that does harm is left out and told of.
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lint_sessions import engine
from lint_sessions.config import Config
from lint_sessions.edits import apply
from lint_sessions.engine import Analysis, Problem
from lint_sessions.fault import confession
from lint_sessions.finding import UNUSED_SUPPRESSION, Edit, Finding, Fix, Safety
from lint_sessions.project.dependents import Dependents, words_of
from lint_sessions.registry import rules
from lint_sessions.source.document import Block, Document, SourceError, SyntaxProblem

MAX_PASSES = 10
"""Passes before the fix loop stops."""


@dataclass(frozen=True)
class Fixed:
    """What came of the fixes; nothing is written yet."""

    changed: tuple[tuple[Document, Document], ...]
    """Each file that has changed, before and after."""
    applied: tuple[Finding, ...]
    """The findings whose fixes were applied."""
    findings: tuple[Finding, ...]
    """What is left to report, in all files."""
    faults: tuple[Problem, ...]
    """Fixes of ours that do harm and were left out, and loops that do not end."""

    def after(self, document: Document) -> Document:
        """What has become of a document."""
        return next((after for before, after in self.changed if before is document), document)


@dataclass(frozen=True)
class State:
    """All files of the run, as one pass leaves them, and what is found in each."""

    analysis: Analysis
    findings: Mapping[Path, tuple[Finding, ...]]

    def document(self, finding: Finding) -> Document:
        return self.analysis.documents[finding.path]

    @property
    def all(self) -> Iterator[Finding]:
        for found in self.findings.values():
            yield from found


class Harm(Exception):
    """Why a pass is not good, in one line; and the file it shows in. A limit of ours is no fault."""

    def __init__(self, path: Path, why: str, *, is_limit: bool = False) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why
        self.is_limit = is_limit


def fix(findings: Iterable[Finding], analysis: Analysis, *, unsafe: bool) -> Fixed:
    """Apply the fixes of what was found in the documents of `analysis`, to a fixpoint. Writes nothing."""
    by_path = _by_path(findings)
    loop = Loop(State(analysis, {path: tuple(by_path.get(path, ())) for path in analysis.documents}), unsafe=unsafe)
    loop.run()
    before, after = analysis.documents, loop.state.analysis.documents
    changed = tuple((before[path], after[path]) for path in before if before[path].text != after[path].text)
    left = tuple(sorted(map(loop.as_left, loop.state.all), key=lambda f: f.order))
    return Fixed(changed, tuple(loop.applied), left, tuple(loop.faults))


def fix_document(document: Document, config: Config, *, unsafe: bool) -> Fixed:
    """Fix one document, whatever its file holds, in the midst of its project."""
    analysis = Analysis(config)
    analysis.documents[document.path] = document
    return fix(engine.check_document(document, config, analysis=analysis), analysis, unsafe=unsafe)


Kind = tuple[Path, str, str]
"""Findings of one kind: their file, their rule, and the function or class they stand in. After a pass they are compared
by that: rows move, and the same misuse may be told in other words once another one is mended."""


@dataclass
class Loop:
    """The passes: where they have come to, and what was said on the way."""

    state: State
    unsafe: bool
    applied: list[Finding] = field(default_factory=list)
    faults: list[Problem] = field(default_factory=list)
    refused: set[tuple[Kind, str]] = field(default_factory=set)

    def run(self) -> None:
        for _ in range(MAX_PASSES):
            chosen = apart(self.state, self._offered())
            if not chosen:
                return
            self.state = self._good(self.state, chosen)
        for path in {finding.path: None for finding in self._offered()}:
            message = f"is not done after {MAX_PASSES} passes of fixes; please report this fault of lint-sessions"
            self.faults.append(Problem(path, message, fault=True))

    def as_left(self, finding: Finding) -> Finding:
        """A finding as it is reported at the end: without a fix that does harm."""
        return replace(finding, fix=None) if self._is_refused(finding) else finding

    def _offered(self) -> list[Finding]:
        return [
            finding
            for finding in self.state.all
            if finding.fix is not None
            and finding.fix.edits
            and (self.unsafe or finding.fix.safety is Safety.SAFE)
            and not self._is_refused(finding)
        ]

    def _is_refused(self, finding: Finding) -> bool:
        return bool(self.refused) and (kind(self.state, finding), finding.message) in self.refused

    def _good(self, base: State, chosen: Sequence[Finding]) -> State:
        """The state after those of the chosen fixes that do no harm."""
        good, kept = base, list[Finding]()
        groups = [list(chosen)]
        while groups:
            group = groups.pop(0)
            try:
                good = after(base, [*kept, *group])
            except Harm as harm:
                if len(group) == 1:
                    self._refuse(group[0], harm)
                else:
                    groups = [*_parts(group, harm), *groups]
            else:
                kept += group
        self.applied += kept
        return good

    def _refuse(self, finding: Finding, harm: Harm) -> None:
        self.refused.add((kind(self.state, finding), finding.message))
        where = "" if harm.path == finding.path else f" of {harm.path}"
        what_next = "fix it by hand" if harm.is_limit else "please report this fault of lint-sessions"
        message = (
            f"the fix of {finding.code} {finding.name} in row {finding.start.row} was not applied: "
            f"{harm.why}{where}; {what_next}"
        )
        self.faults.append(Problem(finding.path, message, fault=not harm.is_limit))


def _parts(group: list[Finding], harm: Harm) -> tuple[list[Finding], list[Finding]]:
    """Two parts to be tried on their own: most of the time harm shows in the file in which it is done."""
    suspects = [finding for finding in group if finding.path == harm.path]
    others = [finding for finding in group if finding.path != harm.path]
    half = len(group) // 2
    return (others, suspects) if suspects and others else (group[:half], group[half:])


# --- one pass -----------------------------------------------------------------------------------------------------


def after(base: State, chosen: Sequence[Finding]) -> State:
    """The state after these fixes, which stay clear of each other. Raises Harm."""
    changed = {
        path: _edited(
            base.analysis.documents[path],
            dict.fromkeys(edit for f in found if f.fix is not None for edit in f.fix.edits),
        )
        for path, found in _by_path(chosen).items()
    }
    analysis = base.analysis.after(changed)
    findings = dict(base.findings)
    for path in concerned(base, chosen):
        try:
            findings[path] = engine.check_document(analysis.documents[path], analysis.config, analysis=analysis)
        except Exception as error:
            raise Harm(path, confession(error)) from error
    state = State(analysis, findings)
    _refuse_silence(base, state, chosen)
    _refuse_new_findings(base, state, chosen)
    return state


def _by_path(findings: Iterable[Finding]) -> dict[Path, list[Finding]]:
    by_path: dict[Path, list[Finding]] = {}
    for finding in findings:
        by_path.setdefault(finding.path, []).append(finding)
    return by_path


def _edited(document: Document, edits: Iterable[Edit]) -> Document:
    try:
        changed = Document.from_bytes(document.path, document.encode(apply(document.text, edits)))
        _ = changed.module
    except (SourceError, SyntaxProblem) as error:
        raise Harm(document.path, f"the file could not be read afterwards: {error}") from error
    if _compiles(document) and not _compiles(changed):
        raise Harm(document.path, "Python would refuse the file afterwards")
    return changed


def _compiles(document: Document) -> bool:
    """Whether Python takes the file, which is more than to parse it: a generator that is a coroutine returns nothing,
    say. Where the running Python is older than the file's, it takes neither text, and nothing is learnt."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(document.data, "<document>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _refuse_silence(before: State, state: State, chosen: Sequence[Finding]) -> None:
    """Raise Harm if a function can't be followed any more: nothing is found in it then, and nothing is known to be
    mended."""
    mended = {(place, name) for place, _, name in (kind(before, finding) for finding in chosen)}
    for scope in state.analysis.summaries.given_up:
        if (scope.module.path, scope.qualified_name) in mended:
            why = f"{scope.qualified_name} would be too intricate to be followed"
            raise Harm(scope.module.path, why, is_limit=True)


def _refuse_new_findings(before: State, state: State, chosen: Sequence[Finding]) -> None:
    """Raise Harm if a finding is there that was not there before, or one that was to be mended is there still."""
    paths = [path for path, found in state.findings.items() if found is not before.findings[path]]
    mended = {kind(before, finding) for finding in chosen}
    allowed = Counter(kind(before, finding) for path in paths for finding in before.findings[path])
    allowed.subtract(Counter(kind(before, finding) for finding in chosen))
    for finding in (finding for path in paths for finding in state.findings[path]):
        place, code, name = kind(state, finding)
        allowed[place, code, name] -= 1
        if allowed[place, code, name] < 0 and not any((place, hider, name) in mended for hider in _hiders(code)):
            when = "still" if (place, code, name) in mended else "then"
            raise Harm(place, f"{code} {finding.name} would {when} be found{f' in {name}' if name else ''}")


def _hiders(code: str) -> frozenset[str]:
    """The rules that keep a rule silent until what they find is mended."""
    if code == UNUSED_SUPPRESSION[0]:
        return frozenset(rule.code for rule in rules())  # what a comment silenced is mended
    return next((rule.deferred_to for rule in rules() if rule.code == code), frozenset())


def kind(state: State, finding: Finding) -> Kind:
    document = state.document(finding)
    block = _block_at(document, document.offset(finding.start))
    return finding.path, finding.code, _qualified_name(block)


def _block_at(document: Document, offset: int) -> Block | None:
    """The innermost block around an offset, or the last one before it."""
    found: Block | None = None
    blocks: Sequence[Block] = document.blocks
    while True:
        place = bisect_right(blocks, offset, key=lambda block: block.start) - 1
        if place < 0:
            return found
        found = blocks[place]
        blocks = found.children


def _qualified_name(block: Block | None) -> str:
    names = []
    while block is not None:
        names.append(block.name or "")
        block = block.parent
    return ".".join(reversed(names))


def concerned(before: State, chosen: Sequence[Finding]) -> list[Path]:
    """The files of the run in which these fixes can change what is found, or where it is said to happen."""
    changed, words = [], dict[Path, set[str]]()
    for finding in chosen:
        document = before.document(finding)
        block = _block_at(document, document.offset(finding.start))
        changed += [(finding.path, block)] if block is not None else []
        words.setdefault(finding.path, set()).update(_words_of_rows(document, finding.fix))
    found = Dependents(before.analysis.documents).of(changed, words)
    traced = {f.path for f in before.all if any(note.path in words for note in f.trace)}
    return [path for path in before.analysis.documents if path in found | traced]


def _words_of_rows(document: Document, fix: Fix | None) -> set[str]:
    """The words of the rows that a fix edits, as they were and as they will be."""
    words: set[str] = set()
    for edit in fix.edits if fix is not None else ():
        first, last = document.row(edit.start), document.row(edit.end)
        rows = document.text[document.offset_of_row(first) :].split("\n", last - first + 1)[: last - first + 1]
        words |= words_of("\n".join((*rows, edit.text)))
    return words


# --- edits --------------------------------------------------------------------------------------------------------


def apart(state: State, findings: Iterable[Finding]) -> list[Finding]:
    """The findings whose fixes do not touch each other; an outer one goes before an inner one."""
    found = [(finding, _spans(state.document(finding), finding)) for finding in findings if finding.fix is not None]
    chosen: list[Finding] = []
    taken: dict[Path, list[_Span]] = {}
    for finding, spans in sorted(found, key=lambda item: (item[0].path, item[1][-1].start, -item[1][-1].end)):
        others = taken.setdefault(finding.path, [])
        if not any(span.touches(other) for span in spans for other in others):
            chosen.append(finding)
            others += spans
    return chosen


@dataclass(frozen=True)
class _Span:
    """What a fix lays hold of in one top-level statement."""

    start: int
    end: int
    away: tuple[Edit, ...]
    """The edits, where they are away from the finding: an import that other fixes may want as well."""

    def touches(self, other: _Span) -> bool:
        is_shared = self.away and self.away == other.away
        return not is_shared and self.start <= other.end and other.start <= self.end


def _spans(document: Document, finding: Finding) -> list[_Span]:
    """From the first edit of a fix to its last, for each top-level statement; an import far above does not keep others
    from what lies between."""
    starts = [block.start for block in document.blocks]
    own = bisect_right(starts, document.offset(finding.start))
    by_block: dict[int, list[Edit]] = {}
    for edit in sorted(finding.fix.edits if finding.fix is not None else (), key=lambda e: (e.start, e.end)):
        by_block.setdefault(bisect_right(starts, edit.start), []).append(edit)
    return [
        _Span(edits[0].start, max(edit.end for edit in edits), tuple(edits) if block != own else ())
        for block, edits in by_block.items()
    ]
