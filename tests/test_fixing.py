"""The fix loop, on findings made up of words: what a fix makes of a word, and what is found in that then."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from lint_sessions import engine, fixing
from lint_sessions.config import Config
from lint_sessions.engine import Analysis
from lint_sessions.finding import Edit, Finding, Fix, Safety
from lint_sessions.project.types import FunctionType
from lint_sessions.source.document import Document

WORDS = {
    # word: rule, what its fix puts there
    "BAD": ("LS301", "GOOD"),
    "BREAKS": ("LS101", "("),
    "REFUSED": ("LS105", "await 1"),
    "SPAWNS": ("LS302", "BAD"),
    "DOUBLES": ("LS303", "DOUBLES + DOUBLES"),
    "STAYS": ("LS304", "STAYS + 1"),
    "HIDES": ("LS104", "LATER"),
    "LATER": ("LS404", "GOOD"),
    "FAILS": ("LS306", "BROKEN"),
    "SPANS": ("LS307", "GOOD"),
    "ELSEWHERE": ("LS308", "HELD"),
    "IMPORTS": ("LS202", "GOOD"),
    "TANGLES": ("LS309", "TANGLED"),
}


def check_document(document: Document, _config: Config, *, analysis: Analysis, **_: object) -> tuple[Finding, ...]:
    text = document.text
    if "BROKEN" in text:
        raise ValueError("no such luck")
    found = []
    for match in re.finditer("|".join(WORDS), text):
        code, new = WORDS[match[0]]
        edits = [Edit(match.start(), match.end(), new)]
        if match[0] == "SPANS":
            block = next(b for b in document.blocks if b.start <= match.start() < b.end)
            edits.insert(0, Edit(block.start, block.start, ""))
        if match[0] == "IMPORTS" and "import good" not in text:
            edits.insert(0, Edit(0, 0, "import good\n"))
        start, end = document.position(match.start()), document.position(match.end())
        found.append(Finding(document.path, start, end, code, "n", match[0], (), Fix("t", Safety.SAFE, tuple(edits))))
    if "TANGLED" in text:
        made = analysis.types.name("f", analysis.types.module_scope(analysis.project.add(document)))
        assert isinstance(made, FunctionType)
        analysis.summaries.given_up.append(made.scope)
    if "use(held)" in text and any("HELD" in other.text for other in analysis.documents.values()):
        start = document.position(text.index("use(held)"))
        found.append(Finding(document.path, start, start, "LS206", "n", "m"))
    return tuple(found)


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "check_document", check_document)


def fixed(root: Path, **files: str) -> tuple[dict[str, str], fixing.Fixed]:
    config = Config(root)
    analysis = Analysis(config)
    for name, text in files.items():
        (root / f"{name}.py").write_text(text, "utf-8")
    report = engine.check([root], config, analysis=analysis)
    outcome = fixing.fix(report.findings, analysis, unsafe=False)
    return {path.stem: outcome.after(document).text for path, document in analysis.documents.items()}, outcome


def faults(outcome: fixing.Fixed) -> list[str]:
    return [fault.message.removesuffix("; please report this fault of lint-sessions") for fault in outcome.faults]


def codes(findings: Iterable[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_all_files_in_one_pass(tmp_path: Path) -> None:
    texts, outcome = fixed(tmp_path, a="x = BAD\n", b="y = BAD + BAD\n", c="z = 1\n")
    assert texts == {"a": "x = GOOD\n", "b": "y = GOOD + GOOD\n", "c": "z = 1\n"}
    assert [before.path.stem for before, _ in outcome.changed] == ["a", "b"]
    assert (codes(outcome.applied), outcome.findings, outcome.faults) == (["LS301"] * 3, (), ())
    assert (tmp_path / "a.py").read_text("utf-8") == "x = BAD\n"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        pytest.param("BREAKS", "the fix of LS101 n in row 2 was not applied: the file could not be read afterwards", id="unparsable"),
        pytest.param("REFUSED", "the fix of LS105 n in row 2 was not applied: Python would refuse the file", id="refused by Python"),
        pytest.param("SPAWNS", "the fix of LS302 n in row 2 was not applied: LS301 n would then be found in f", id="new finding"),
        pytest.param("DOUBLES", "the fix of LS303 n in row 2 was not applied: LS303 n would still be found in f", id="one more"),
        pytest.param("STAYS", "the fix of LS304 n in row 2 was not applied: LS304 n would still be found in f", id="not mended"),
        pytest.param("TANGLES", "the fix of LS309 n in row 2 was not applied: f would be too intricate", id="given up"),
        pytest.param("FAILS", "the fix of LS306 n in row 2 was not applied: ValueError in ", id="a fault in the check"),
    ],
)  # fmt: skip
def test_a_fix_that_does_harm_is_left_out_and_the_others_go_on(tmp_path: Path, word: str, says: str) -> None:
    """Beside it in its file, in its function, and in another file."""
    texts, outcome = fixed(tmp_path, a=f"def f():\n    x = {word}\n    y = BAD\n\n\nz = BAD\n", b="BAD\n")
    assert texts == {"a": f"def f():\n    x = {word}\n    y = GOOD\n\n\nz = GOOD\n", "b": "GOOD\n"}
    [fault] = faults(outcome)
    assert fault.startswith(says)
    assert [(problem.path.stem, problem.fault) for problem in outcome.faults] == [("a", word != "TANGLES")]
    assert outcome.faults[0].message.endswith(
        ("report this fault of lint-sessions", "fix it by hand")[word == "TANGLES"]
    )
    assert [(finding.code, finding.fix) for finding in outcome.findings] == [(WORDS[word][0], None)]


def test_harm_in_another_file(tmp_path: Path) -> None:
    texts, outcome = fixed(tmp_path, a="held = ELSEWHERE\n", b="from a import held\n\nuse(held)\nx = BAD\n", c="BAD\n")
    assert texts == {"a": "held = ELSEWHERE\n", "b": "from a import held\n\nuse(held)\nx = GOOD\n", "c": "GOOD\n"}
    [fault] = faults(outcome)
    assert fault.startswith("the fix of LS308 n in row 1 was not applied: LS206 n would then be found of ")
    assert outcome.faults[0].path.stem == "a"


def test_many_fixes_that_do_harm(tmp_path: Path) -> None:
    text = "".join(f"def f{i}():\n    {'BREAKS' if i % 3 else 'BAD'}\n" for i in range(9))
    texts, outcome = fixed(tmp_path, a=text)
    assert texts == {"a": text.replace("BAD", "GOOD")}
    assert len(outcome.faults) == 6


def test_a_finding_may_move_and_change_its_words(tmp_path: Path) -> None:
    """What another rule has deferred to the mended one is no harm; it is fixed on the next pass."""
    texts, outcome = fixed(tmp_path, a="def f():\n    x = HIDES\n")
    assert texts == {"a": "def f():\n    x = GOOD\n"}
    assert (codes(outcome.applied), outcome.faults) == (["LS104", "LS404"], ())


def test_fixes_that_overlap_take_turns(tmp_path: Path) -> None:
    texts, outcome = fixed(tmp_path, a="def f():\n    SPANS\n    SPANS\n    BAD\n")
    assert texts == {"a": "def f():\n    GOOD\n    GOOD\n    GOOD\n"}
    assert outcome.faults == ()


def test_an_import_that_several_fixes_want_is_added_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixing, "MAX_PASSES", 1)
    texts, outcome = fixed(tmp_path, a="x = 1\n\n\ndef f():\n" + "    IMPORTS\n" * 3)
    assert texts == {"a": "import good\nx = 1\n\n\ndef f():\n" + "    GOOD\n" * 3}
    assert codes(outcome.applied) == ["LS202"] * 3


def test_no_end_after_ten_passes_is_said(tmp_path: Path) -> None:
    texts, outcome = fixed(tmp_path, a="def f():\n" + "    SPANS\n" * 12, b="BAD\n")
    assert texts["a"].count("GOOD") == fixing.MAX_PASSES
    assert faults(outcome) == ["is not done after 10 passes of fixes"]
    assert codes(outcome.findings) == ["LS307", "LS307"]


def test_only_what_a_fix_concerns_is_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file itself, what mentions the changed definition, what mentions that, and what the changed row mentions."""
    checked: list[str] = []

    def noted(document: Document, config: Config, *, analysis: Analysis, **_: object) -> tuple[Finding, ...]:
        checked.append(document.path.stem)
        return check_document(document, config, analysis=analysis)

    monkeypatch.setattr(engine, "check_document", noted)
    fixed(
        tmp_path,
        changed="from called import callee\n\n\ndef get():\n    return callee(BAD)\n",
        user="from changed import get as fetch\n\n\ndef use():\n    return fetch()\n",
        users_user="from user import use\n\n\nclass Deep:\n    def far(self):\n        return use()\n",
        far="from users_user import Deep\n\nDeep().far()\n",
        called="def callee(x):\n    return x\n",
        other="def get():\n    return 1\n",
    )
    assert sorted(checked[:6]) == ["called", "changed", "far", "other", "user", "users_user"]
    assert sorted(checked[6:]) == ["called", "changed", "far", "user", "users_user"]
