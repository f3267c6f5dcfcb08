"""The linter against execution: what it reports is what goes wrong in some run on real SQLAlchemy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import libcst as cst
import pytest
from oracle.driver import observe
from oracle.modes import INSTANCES, SESSIONS, UNAWAITED, Mode, mode_of
from oracle.programs import program
from oracle.report import Tally, batch
from oracle.verdict import Verdict, compare, lint, shown
from oracle.world import Harm

from lint_sessions.flow import exploration, graph, instances, managers
from lint_sessions.flow.coroutines import Misuse
from lint_sessions.flow.evaluate import Evaluator
from lint_sessions.flow.graph import BasicBlock
from lint_sessions.flow.state import State

CASES = sorted((Path(__file__).parent / "oracle" / "cases").glob("[!_]*.py"))
PROGRAMS = 2_000
SECONDS = 30.0
"""For the programs without asyncio, and again for those with it."""
FEWER = 200
FEWER_SECONDS = 12.0
"""For the programs of each other mode."""
MARK = re.compile(r"# ((?:LS\d{3}\b,? ?)+)$")


def marks(text: str) -> set[Harm]:
    """What a case expects: the codes at the ends of its rows."""
    return {
        Harm(code, row)
        for row, line in enumerate(text.splitlines(), 1)
        if not line.startswith("#") and (mark := MARK.search(line))
        for code in re.findall(r"LS\d{3}", mark[1])
    }


def params() -> list[object]:
    made: list[object] = []
    for path in CASES:
        pending = path.read_text(encoding="utf-8").startswith("# pending")
        made.append(pytest.param(path, id=path.stem, marks=[pytest.mark.xfail] if pending else []))
    return made


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_case_runs_as_marked(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    observed = observe(text)
    assert observed.exhausted
    assert shown(observed, mode_of(text)).keys() == marks(text)


@pytest.mark.parametrize("path", params())
def test_case_is_linted_as_marked(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    verdict = lint(text)
    assert not verdict.gave_up
    assert verdict.reported == marks(text)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_programs(is_async: bool) -> None:
    agrees(batch(1, range(PROGRAMS // 2), is_async=is_async, seconds=SECONDS), 0.2)


@pytest.mark.parametrize(
    ("mode", "is_async", "share"),
    [(UNAWAITED, True, 0.2), (INSTANCES, False, 0.015), (INSTANCES, True, 0.2)],
    ids=["unawaited", "instances", "instances-async"],
)
def test_programs_of_other_modes(mode: Mode, is_async: bool, share: float) -> None:
    agrees(batch(1, range(FEWER), is_async=is_async, mode=mode, seconds=FEWER_SECONDS), share)


def agrees(tally: Tally, share: float) -> None:
    """No program of a batch disagrees, and so many show harm; of a few programs nobody can say how many."""
    print(tally)
    assert tally.harmful > (tally.programs - 50) * share
    assert not tally.found, "\n\n".join(
        f"{made.text}\n{', '.join(f'{d.kind} (row {d.harm.row})' for d in found)}" for made, found in tally.found[:3]
    )


# --- the oracle bites -------------------------------------------------------------------------------------------------


def _no_failures(patch: pytest.MonkeyPatch) -> None:
    """No exceptional edge leaves any call."""
    patch.setattr(Evaluator, "fail", lambda *_: None)


def _no_finally(patch: pytest.MonkeyPatch) -> None:
    """An exception goes past the finally."""

    def try_(self: graph._Builder, node: cst.Try, block: BasicBlock) -> BasicBlock | None:
        last = self.handlers(node, block)
        return self.suite(node.finalbody.body, self.after(last)) if node.finalbody is not None else last

    patch.setattr(graph._Builder, "try_", try_)


def _no_exit(patch: pytest.MonkeyPatch) -> None:
    """A context manager does nothing when an error leaves it."""

    def leave_error(_: Evaluator, item: cst.WithItem, state: State) -> tuple[list[State], list[State]]:
        return [], [state.unwait(item)]

    patch.setattr(exploration, "leave_error", leave_error)


def _no_handlers(patch: pytest.MonkeyPatch) -> None:
    """Handlers take whatever comes."""
    for module in (exploration, managers):
        patch.setattr(module, "dispatch", lambda _, __, state: ([state], []))


def _no_statements(patch: pytest.MonkeyPatch) -> None:
    """What is a statement of its own is not lost."""
    for rule in ("close_not_called", "unawaited_call"):
        patch.setattr(f"lint_sessions.rules.{rule}.discarded", lambda _: ())


def _no_later_await(patch: pytest.MonkeyPatch) -> None:
    """Nobody awaits what has a name."""
    patch.setattr("lint_sessions.rules.unawaited_call.misuse_of_name", lambda *_: Misuse.UNUSED)


def _no_expiry(patch: pytest.MonkeyPatch) -> None:
    """Nothing becomes of the instances of a session."""
    patch.setattr(State, "restage", lambda state, *_: state)


def _no_loading(patch: pytest.MonkeyPatch) -> None:
    """No query loads an instance again."""
    patch.setattr(instances, "touched", lambda state, _: state)


@pytest.mark.parametrize(
    ("mutate", "mode"),
    [
        *((mutate, SESSIONS) for mutate in (_no_failures, _no_finally, _no_exit, _no_handlers)),
        *((mutate, UNAWAITED) for mutate in (_no_statements, _no_later_await)),
        *((mutate, INSTANCES) for mutate in (_no_expiry, _no_loading)),
    ],
)
def test_a_broken_linter_is_found_out(mutate: Callable[[pytest.MonkeyPatch], None], mode: Mode) -> None:
    for number in range(300):
        text = program(2, number, is_async=mode is not SESSIONS, mode=mode).text
        observed = observe(text)
        sound = compare(lint(text), observed)
        with pytest.MonkeyPatch.context() as patch:
            mutate(patch)
            broken: Verdict = lint(text)
        if set(compare(broken, observed)) - set(sound):
            return
    pytest.fail("300 programs do not tell the broken linter from the sound one")
