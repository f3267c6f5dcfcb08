"""Each rule's applications do harm at run time, the linter says where, and the fixed ones do none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import cast

import harness
import pytest
from harness import FIXTURES

from lint_sessions import engine, fixing
from lint_sessions.config import Config
from lint_sessions.source.document import Document

MARK = re.compile(r"# (LS\d{3}(?:, LS\d{3})*)$")
# Nothing goes wrong by an implicit rollback alone, so other rules' applications are free to have one; and to commit.
CONFIG = Config(
    FIXTURES,
    extend_select=("ALL",),
    per_file_ignores=(("!/implicit_rollback/", ("LS404",)),),
    owners=(("commit", ("*.py", "!/stray_commit/app*.py")),),
)

# A connection that a misuse loses has a thread of its own (aiosqlite's), which may outlive the event loop.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def alone(stem: str) -> Config:
    """The same for one rule's applications, as a project of their own."""
    ignored = () if stem == "implicit_rollback" else (("*.py", ("LS404",)),)
    owners = (("commit", ("*.py", "!app*.py")),) if stem == "stray_commit" else ()
    return Config(FIXTURES / stem, extend_select=("ALL",), per_file_ignores=ignored, owners=owners)


APPS = [(stem, variant) for stem in harness.stems() for variant in harness.variants(stem)]
LOOKALIKES = sorted(FIXTURES.glob("*/lookalike_*.py"))

each_app = pytest.mark.parametrize(("stem", "variant"), APPS, ids=[f"{stem}/app{variant}" for stem, variant in APPS])


def recorded(stem: str, state: str, variant: str) -> dict[str, int]:
    observed = json.loads((FIXTURES / stem / "observed.json").read_text(encoding="utf-8"))
    return cast("dict[str, int]", observed[state][f"app{variant}"])


def marks(path: Path) -> list[tuple[Path, int, str]]:
    rows = path.read_text(encoding="utf-8").splitlines()
    found = ((row, MARK.search(text)) for row, text in enumerate(rows, 1))
    return [(path, row, code) for row, mark in found if mark for code in mark[1].split(", ")]


def findings(path: Path, config: Config) -> list[tuple[Path, int, str]]:
    report = engine.check([path], config)
    assert report.problems == ()
    return [(finding.path, finding.start.row, finding.code) for finding in report.findings]


@each_app
def test_misuse_does_harm(stem: str, variant: str) -> None:
    """The recorded numbers are exact, and not those of the fixed application."""
    assert harness.observe(stem, f"app{variant}.py") == recorded(stem, "misuse", variant)
    assert recorded(stem, "misuse", variant) != recorded(stem, "fixed", variant)


@each_app
def test_fixed_does_none(stem: str, variant: str) -> None:
    observed = harness.observe(stem, f"fixed{variant}.py")
    assert observed == recorded(stem, "fixed", variant)
    assert {name for name, value in observed.items() if value} <= {"answers 200", "answers 404"}


@pytest.mark.parametrize("path", LOOKALIKES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_lookalike_runs_clean(path: Path) -> None:
    assert harness.disturbances(path) == []


def test_findings_are_the_marks() -> None:
    """All rules over all fixtures: each application has its marks, nothing else has a finding."""
    expected = [mark for path in sorted(FIXTURES.glob("*/app*.py")) for mark in marks(path)]
    assert sorted(findings(FIXTURES, CONFIG)) == expected


@each_app
def test_alone_as_in_company(stem: str, variant: str) -> None:
    """A file checked by its own name has the findings that it has in its folder."""
    path = FIXTURES / stem / f"app{variant}.py"
    assert marks(path)
    assert findings(path, alone(stem)) == marks(path)


@each_app
def test_fix(stem: str, variant: str) -> None:
    """The fix makes the fixed application byte for byte; where that is made by hand, the fix leaves it alone."""
    document = Document.read(FIXTURES / stem / f"app{variant}.py")
    by_hand = variant in harness.probe(stem).BY_HAND
    expected = document.data if by_hand else (FIXTURES / stem / f"fixed{variant}.py").read_bytes()
    fixed = fixing.fix_document(document, alone(stem), unsafe=True)
    assert fixed.faults == ()
    assert fixed.after(document).data == expected


@pytest.mark.parametrize("stem", harness.stems())
def test_rule_has_all(stem: str) -> None:
    """Every application has its fixed form, every rule its look-alikes, and the probe says what it counts."""
    folder = FIXTURES / stem
    assert [path.stem.removeprefix("fixed") for path in sorted(folder.glob("fixed*.py"))] == harness.variants(stem)
    assert list(folder.glob("lookalike_*.py"))
    assert harness.probe(stem).harm.__doc__
