"""Runs the cases of `tests/rules/*.md`.

A `##` title begins a case. Its first `python` block is the source; comments `# error: [LS101]` at the ends of rows are
all the findings of all rules that are on by default, and of the page's own. Blocks that begin with `# file: app/db.py` are the modules of one project; a `text` block that begins so is another file of it. A block
`python fixed` is what the safe fixes make of the source, `python unsafe-fixed` what all fixes make of it; each may name
its file in the same way. A `toml` block is the configuration.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import libcst as cst
import pytest

from lint_sessions import engine, fixing
from lint_sessions.config import Config, Configs
from lint_sessions.source.document import Document

TITLE = re.compile(r"^## (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```python( fixed| unsafe-fixed)?\n(?:# file: (\S+)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)
OTHER = re.compile(r"^```text\n# file: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ERROR = re.compile(r"  # error: ((?:\[LS\d{3}\] ?)+)$", re.MULTILINE)
ONLY = "example.py"


class Case(NamedTuple):
    rule: str
    sources: dict[str, str]
    errors: list[tuple[str, int, str]]
    fixed: dict[str, str]
    others: dict[str, str]
    unsafe: bool
    table: str


def cases(*, fixed: bool = False) -> list[object]:
    """All cases; or those that say what comes of the fixes."""
    return [
        pytest.param(found, id=f"{page.stem}: {title}")
        for page in sorted(Path(__file__).parent.glob("rules/*.md"))
        for title, text in pairs(TITLE.split(page.read_text(encoding="utf-8"))[1:])
        if (found := case(page.stem, text)).fixed or not fixed
    ]


def pairs(parts: list[str]) -> list[tuple[str, str]]:
    return list(zip(parts[::2], parts[1::2], strict=True))


def case(stem: str, text: str) -> Case:
    blocks = [(tag.strip(), file or ONLY, code) for tag, file, code in BLOCK.findall(text)]
    marked = {file: code for tag, file, code in blocks if not tag}
    return Case(
        rule=stem.replace("_", "-"),
        sources={file: ERROR.sub("", code) for file, code in marked.items()},
        errors=sorted(error for file, code in marked.items() for error in errors(file, code)),
        fixed={file: code for tag, file, code in blocks if tag},
        others=dict(OTHER.findall(text)),
        unsafe=any(tag == "unsafe-fixed" for tag, _, _ in blocks),
        table="".join(TABLE.findall(text)),
    )


def errors(file: str, code: str) -> list[tuple[str, int, str]]:
    return [
        (file, row, found)
        for row, text in enumerate(code.split("\n"), 1)
        for mark in ERROR.findall(text)
        for found in re.findall(r"LS\d{3}", mark)
    ]


@pytest.mark.parametrize("case", cases())
def test_case(case: Case, tmp_path: Path) -> None:
    assert case.sources, "a case without source"
    for file, code in (case.sources | case.others).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(code, encoding="utf-8", newline="")
    assert found(tmp_path, config(case, tmp_path)) == case.errors
    for file in case.sources:
        check_fixes(case, tmp_path, file)


def config(case: Case, root: Path) -> Config:
    # The cases of all other rules bind no engine, which would tell nothing there.
    ignored = () if case.rule == "unbound-session" else ("LS307",)
    if not case.table:
        return Config(root, extend_select=(case.rule,), ignore=ignored)
    (root / "lint-sessions.toml").write_text(case.table, encoding="utf-8")
    return replace(Configs().of_folder(root), extend_select=(case.rule,), ignore=ignored)


def found(root: Path, config: Config) -> list[tuple[str, int, str]]:
    report = engine.check([root], config)
    assert report.problems == ()
    return sorted((str(f.path.relative_to(root).as_posix()), f.start.row, f.code) for f in report.findings)


def check_fixes(case: Case, root: Path, file: str) -> None:
    """The fixed text is the expected one, parses, has nothing left to fix, and is not fixed a second time."""
    document = Document.read(root / file)
    fixed = fixing.fix_document(document, config(case, root), unsafe=case.unsafe)
    assert fixed.faults == ()
    after = fixed.after(document)
    if file in case.fixed:
        assert after.text == case.fixed[file]
    if after is document:
        return
    cst.parse_module(after.text)
    assert fixing.fix_document(after, config(case, root), unsafe=case.unsafe).changed == ()
    left = [finding.start.row for finding in engine.check_document(after, config(case, root))]
    assert len(left) < len([error for error in case.errors if error[0] == file])


@pytest.mark.parametrize("case", cases(fixed=True))
def test_fixes_keep_the_shape_of_a_file(case: Case, tmp_path: Path) -> None:
    """With a byte order mark, tabs and CRLF they come to the same."""

    def shaped(code: str) -> bytes:
        return codecs.BOM_UTF8 + code.replace("    ", "\t").replace("\n", "\r\n").encode()

    for file, code in (case.sources | case.others).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(shaped(code) if file in case.sources else code.encode())
    for file, expected in case.fixed.items():
        document = Document.read(tmp_path / file)
        fixed = fixing.fix_document(document, config(case, tmp_path), unsafe=case.unsafe)
        assert (fixed.after(document).data, fixed.faults) == (shaped(expected), ())
