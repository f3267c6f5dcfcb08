"""The linter's fixes against execution: the harm is gone, and runs without harm are what they were."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from textwrap import dedent

import pytest
from oracle import fixing
from oracle.fix_report import RUNS, explain, fix_batch
from oracle.fixing import check
from oracle.preludes import PRELUDE
from oracle.programs import program

from lint_sessions.engine import Analysis
from lint_sessions.finding import Finding, Safety
from lint_sessions.fixing import Fixed, fix
from lint_sessions.source.document import Document

PROGRAMS = 120
SECONDS = 9.0
"""For the programs without asyncio, and again for those with it."""


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_fixed_programs(is_async: bool) -> None:
    tally = fix_batch(1, range(PROGRAMS), is_async=is_async, seconds=SECONDS)
    print(tally)
    assert tally.fixed > tally.programs / 10
    assert not tally.broken, "\n\n".join(
        explain(fixed, found.kind) for _, fixed in tally.broken[:3] for found in fixed.broken[:1]
    )


# --- the oracle bites -------------------------------------------------------------------------------------------------


def _forgets_close(text: str) -> str:
    """The close that the fix has added is not there."""
    return re.sub(r"^( *)(await )?\w+\.close\(\)$", r"\1pass", text, flags=re.MULTILINE)


def _forgets_rollback(text: str) -> str:
    return re.sub(r"^( *)(await )?\w+\.rollback\(\)$", r"\1pass", text, flags=re.MULTILINE)


def _drops_statement(text: str) -> str:
    """A statement of the program is gone."""
    return re.sub(r"^( *)\w+\.(commit|execute)\(.*\)(  # @\d+)$", r"\1pass\3", text, flags=re.MULTILINE)


def _returns_early(text: str) -> str:
    """The function ends before its last statement."""
    rows = text.splitlines()
    last = rows[-1]
    indent = len(last) - len(last.lstrip())
    return "\n".join([*rows[:-1], " " * indent + "raise RuntimeError()", last, ""])


@pytest.mark.parametrize("mutate", [_forgets_close, _forgets_rollback, _drops_statement, _returns_early])
def test_a_broken_fix_is_found_out(mutate: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(findings: Iterable[Finding], analysis: Analysis, *, unsafe: bool) -> Fixed:
        result = fix(findings, analysis, unsafe=unsafe)
        document = next(iter(analysis.documents.values()))
        text = mutate(result.after(document).text)
        return replace(result, changed=((document, Document.from_bytes(document.path, text.encode())),))

    monkeypatch.setattr(fixing, "fix", broken)
    for number in range(400):
        for fixed in check(program(2, number).text, RUNS):
            if fixed.mended and fixed.broken:
                return
    pytest.fail("400 programs do not tell the broken fix from the sound one")


# --- single programs --------------------------------------------------------------------------------------------------


def _fixed(function: str) -> list[fixing.Fixed]:
    return check(f"{PRELUDE}\n\n{dedent(function).strip()}\n")


def test_rollback_that_undoes_what_is_sound_is_not_offered() -> None:
    """`work` raises what leaves the session sound: the row added before is stored on such a run."""
    made = _fixed("""
        def f(item):
            with SessionLocal() as db:
                db.add(item)
                try:
                    work(1)
                    db.flush()
                except Exception:
                    pass
                db.commit()
    """)
    assert made == []


def test_rollback_that_undoes_what_the_handler_is_for_is_unsafe() -> None:
    made = _fixed("""
        def f(item):
            with SessionLocal() as db:
                try:
                    db.add(item)
                    work(1)
                    db.flush()
                except Exception:
                    pass
                db.commit()
    """)
    assert [(fixed.unsafe, fixed.broken) for fixed in made] == [(True, ())]
    assert made[0].applied == {("Roll back first", Safety.UNSAFE)}


def test_rollback_after_nothing_but_a_failed_flush_is_safe() -> None:
    made = _fixed("""
        def f(item):
            with SessionLocal() as db:
                db.add(item)
                try:
                    db.flush()
                except IntegrityError:
                    pass
                db.execute(select(Item))
                db.commit()
    """)
    assert [(fixed.unsafe, fixed.broken) for fixed in made] == [(False, ())]
    assert made[0].applied == {("Roll back first", Safety.SAFE)}
