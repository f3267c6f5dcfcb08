"""By what a finding is known again."""

from __future__ import annotations

from pathlib import Path

import pytest

from lint_sessions.finding import Finding, Position
from lint_sessions.report import Sources
from lint_sessions.report.fingerprint import fingerprints, function
from lint_sessions.source.document import Document

ROOT = Path("/project")
FILE = ROOT / "app.py"
SOURCE = 'class Users:\n    def load(self):\n        db = make("a", 1)\n        db.get()\n'


def known(source: str, *words: str, path: Path = FILE, root: Path = ROOT, code: str = "LS301") -> list[str]:
    """The fingerprints of findings at words, each at its first place after the one before."""
    document = Document.from_bytes(path, source.encode())
    findings, at = [], 0
    for word in words:
        at = document.text.index(word, at)
        place = document.position(at), document.position(at + len(word))
        findings.append(Finding(path, *place, code, "unclosed-session", "m"))
        at += 1
    return list(fingerprints(findings, Sources([document]), root))


CALL = 'make("a", 1)'
BEFORE = known(SOURCE, CALL)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        pytest.param("import os\n\n\n" + SOURCE, CALL, id="rows-before"),
        pytest.param(SOURCE.replace("\n", "\r\n"), CALL, id="line-ends"),
        pytest.param(SOURCE.replace("    ", "\t"), CALL, id="indentation"),
        pytest.param(SOURCE.replace("        db = make", "        if 1:\n            db = make"), CALL, id="a-branch"),
        pytest.param(SOURCE.replace(CALL, 'make\\\n("a", 1)'), 'make\\\n("a", 1)', id="continued"),
        pytest.param(
            SOURCE.replace(CALL, "make(\n            'a',  # it's\n            1,\n        )"),
            "make(\n            'a',  # it's\n            1,\n        )",
            id="formatted",
        ),
    ],
)
def test_stays(source: str, word: str) -> None:
    assert known(source, word) == BEFORE


@pytest.mark.parametrize(
    ("source", "word"),
    [
        pytest.param(SOURCE.replace("load", "save"), CALL, id="another-function"),
        pytest.param(SOURCE.replace("Users", "Groups"), CALL, id="another-class"),
        pytest.param(SOURCE.replace("make", "made"), CALL.replace("make", "made"), id="another-text"),
    ],
)
def test_changes(source: str, word: str) -> None:
    assert known(source, word) != BEFORE


def test_of_another_rule_or_file() -> None:
    assert known(SOURCE, CALL, code="LS302") != BEFORE
    assert known(SOURCE, CALL, path=ROOT / "other.py") != BEFORE


def test_is_the_same_in_another_checkout() -> None:
    assert known(SOURCE, CALL, path=Path("/elsewhere/app.py"), root=Path("/elsewhere")) == BEFORE


def test_equal_ones_are_told_apart() -> None:
    twice = SOURCE + "        db = " + CALL + "\n"
    first, second = known(twice, CALL, CALL)
    assert [first] == BEFORE
    assert second != first


def test_of_comments() -> None:
    first, second = known("x = 1  # noqa: LS301\ny = 2  # noqa: LS401\n", "# noqa: LS301", "# noqa: LS401")
    assert [second] == known("y = 2  # noqa: LS401\n", "# noqa: LS401")
    assert first != second


def test_a_file_that_is_gone() -> None:
    lost = Finding(ROOT / "gone.py", Position(1, 1), Position(1, 2), "LS301", "n", "m")
    assert len(set(fingerprints([lost, lost], Sources(), ROOT))) == 2


@pytest.mark.parametrize(
    ("word", "name"), [("make", "Users.load"), ("class", "Users"), ("@dec", "plain"), ("x = 1", ""), ("inner", "plain")]
)
def test_function(word: str, name: str) -> None:
    source = SOURCE + "@dec\ndef plain():\n    def inner(): ...\nx = 1\n"
    document = Document.from_bytes(FILE, source.encode())
    place = document.position(source.index(word))
    assert function(Finding(FILE, place, place, "LS301", "n", "m"), document) == name
