"""One stem everywhere: a rule has its fixtures, cases, page, row in the README; and the versions agree."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lint_sessions import __version__, cli, engine, pages
from lint_sessions.config import Config
from lint_sessions.finding import INVALID_SYNTAX, UNUSED_SUPPRESSION
from lint_sessions.registry import rules
from lint_sessions.rule import Rule
from lint_sessions.source.document import Document

ROOT = Path(__file__).parents[1]
STEMS = sorted(path.stem for path in (ROOT / "rules").glob("*.py") if path.stem != "__init__")
OF_THE_ENGINE = [name.replace("-", "_") for _, name in (INVALID_SYNTAX, UNUSED_SUPPRESSION)]
ALL_RULES = "idioms"
"""Cases that concern every rule."""

each_rule = pytest.mark.parametrize("stem", STEMS)
each_page = pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.code)


def test_every_module_is_a_rule() -> None:
    assert sorted(rule.rule_name().replace("-", "_") for rule in rules()) == STEMS


def test_codes_and_names_are_unique() -> None:
    words = [word for page in pages.pages() for word in (page.code, page.name)]
    assert len(words) == len(set(words))


@each_rule
@pytest.mark.parametrize("file", ["app.py", "fixed.py", "probe.py", "lookalike_*.py", "observed.json"])
def test_a_rule_has_its_fixtures(stem: str, file: str) -> None:
    assert list((ROOT / "fixtures" / stem).glob(file))


@each_rule
def test_a_rule_has_its_cases(stem: str) -> None:
    assert (ROOT / "tests" / "rules" / f"{stem}.md").is_file()


def test_nothing_is_left_of_a_rule_that_is_gone() -> None:
    stems = {*STEMS, *OF_THE_ENGINE}
    assert {path.parent.name for path in (ROOT / "fixtures").glob("*/*.py")} <= stems
    assert {path.stem for path in (ROOT / "tests" / "rules").glob("*.md")} <= {*stems, ALL_RULES}


@each_page
def test_a_docstring_has_all_sections(page: pages.Page) -> None:
    assert [title for title, _ in page.sections] == list(pages.SECTIONS)
    assert all(body for _, body in page.sections)
    assert re.fullmatch(r"[A-Z`][^\n]{10,90}\.", page.summary)
    for title in ("Example", "Use instead"):
        assert "```python\n" in dict(page.sections)[title]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_a_message_is_a_short_clause(rule: type[Rule]) -> None:
    assert len(rule.message) < 100
    assert not rule.message.endswith(".")
    assert "should" not in rule.message


@each_page
@pytest.mark.parametrize("title", ["Example", "Use instead"])
def test_an_example_is_found_and_what_to_use_instead_is_not(page: pages.Page, title: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", dict(page.sections)[title], re.MULTILINE | re.DOTALL)
    assert blocks
    found = {
        finding.code
        for number, block in enumerate(blocks)
        for finding in engine.check_document(
            Document.from_bytes(tmp_path / f"example_{number}.py", block.encode()),
            Config(tmp_path, extend_select=(page.code,), owners=(("commit", ("services/",)),)),
        )
    }
    assert page.code in found if title == "Example" else not found


def test_pages_and_readme_are_in_step() -> None:
    stale = [str(path.relative_to(ROOT)) for path in pages.stale(ROOT)]
    assert not stale, "run: python -m lint_sessions.pages"


def test_versions_agree() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(?!Unreleased)([^]]+)\]", changelog, re.MULTILINE)
    assert newest
    assert newest[1] == __version__
    assert f"rev: v{__version__}\n" in (ROOT / "README.md").read_text("utf-8")


def test_the_readme_has_the_commands_that_are_tested() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "\npython3 -m pip install . && lint-sessions check fixtures\n" in readme
    assert "\npython3 -m pip install '.[test]' && python3 -m pytest\n" in readme
    assert "python3 -m pip install '.[test]' && python3 -m pytest\n" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_readme_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file that the README's first block is about, and its module for sessions."""
    monkeypatch.chdir(tmp_path)
    Path("app").mkdir()
    Path("app/db.py").write_text("from sqlalchemy.orm import sessionmaker\n\nSessionLocal = sessionmaker()\n", "utf-8")
    Path("app/users.py").write_text(
        "from app.db import SessionLocal\n\n\n"
        "def names(query):\n    db = SessionLocal()\n    names = db.scalars(query).all()\n"
        "    db.close()\n    return names\n",
        "utf-8",
    )
    readme = (ROOT / "README.md").read_text("utf-8")
    assert cli.main(["check", "app/users.py"]) == 1
    printed = capsys.readouterr().out
    assert printed.partition("\n\n")[0] == readme.split("```\n")[1].rstrip("\n")


class TestPages:
    DOCSTRING = """Session is lost.

    ## What it does
    Finds it.

    ## Example
    ```python
    ## not a title
    x = 1
    ```
    """

    def page(self) -> pages.Page:
        class LostSession(Rule):
            __doc__ = TestPages.DOCSTRING
            code = "LS999"
            default = False

        return pages.page_of(LostSession)

    def test_a_docstring_becomes_a_page(self) -> None:
        observed = pages.Observed({"app": {"lost": 2}}, {"app": {"lost": 0}}, {"python": "3.14"})
        assert pages.markdown(replace(self.page(), observed=observed)) == (
            "# lost-session (LS999)\n\n"
            "Code `LS999` · opt-in · fix: none\n\n"
            "Session is lost.\n\n"
            "## What it does\n\nFinds it.\n\n"
            "## Example\n\n```python\n## not a title\nx = 1\n```\n\n"
            "## Observed\n\n"
            "| application | what was counted | as it is | fixed |\n"
            "| --- | --- | ---: | ---: |\n"
            "| [app.py](../../fixtures/lost_session/app.py) | lost | 2 | 0 |\n\n"
            "Recorded with python 3.14.\n"
        )

    def test_and_a_row(self) -> None:
        row = "| [LS999](docs/rules/LS999-lost-session.md) | `lost-session` | Session is lost | opt-in | none |"
        assert pages.table([self.page()]).splitlines()[-1] == row

    def test_what_is_out_of_step_is_named_and_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        checkout = tmp_path / "checkout"
        (checkout / "docs" / "rules").mkdir(parents=True)
        (checkout / "docs" / "rules" / "LS998-gone.md").touch()
        (checkout / "pyproject.toml").touch()
        (checkout / "fixtures" / "unclosed_session").mkdir(parents=True)
        (checkout / "fixtures" / "unclosed_session" / "app.py").write_text("x = 1\n")
        (checkout / "lint_sessions" / "demo").mkdir(parents=True)
        (checkout / "README.md").write_text(f"a\n{pages.TABLE_START}\nold\n{pages.TABLE_END}\nz\n", "utf-8")
        monkeypatch.setattr(pages, "__file__", str(checkout / "lint_sessions" / "pages.py"))
        monkeypatch.setattr(pages, "rules", lambda: ())
        assert pages.main(["--check"]) == 1
        out_of_step = capsys.readouterr().out.split()
        assert out_of_step == [
            "README.md",
            "docs/configuration.md",
            "docs/lint-sessions.schema.json",
            "docs/rules/LS000-invalid-syntax.md",
            "docs/rules/LS001-unused-suppression.md",
            "docs/rules/LS998-gone.md",
            "lint_sessions/demo/app.py.txt",
            "lint_sessions/observed.json",
        ]
        assert pages.main([]) == 0
        assert pages.main(["--check"]) == 0
        written = sorted(path.name for path in (checkout / "docs" / "rules").iterdir())
        assert written == ["LS000-invalid-syntax.md", "LS001-unused-suppression.md"]
        assert (checkout / "README.md").read_text("utf-8").startswith(f"a\n{pages.TABLE_START}\n| code |")

    def test_wrong_usage(self) -> None:
        assert pages.main(["--chek"]) == 2
