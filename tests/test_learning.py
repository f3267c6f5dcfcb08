"""What teaches: the pages in a terminal, explanations behind findings, the demonstration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lint_sessions import pages
from lint_sessions.cli import main
from lint_sessions.commands import demo

Run = Callable[..., tuple[int, str, str]]

LEAK = "from sqlalchemy import create_engine\nfrom sqlalchemy.orm import sessionmaker\n\nSessionLocal = sessionmaker(create_engine('sqlite:///db'))\n\n\ndef read():\n    db = SessionLocal()\n    return db.execute('q').all()\n"


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*argv: str) -> tuple[int, str, str]:
        status = main(argv)
        return (status, *capfd.readouterr())

    return run


class TestRule:
    @pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.code)
    def test_every_page_fits_a_terminal(self, run: Run, page: pages.Page) -> None:
        status, out, err = run("rule", page.code)
        assert (status, err) == (0, "")
        code = {line.strip() for _, body in page.sections for line in body.splitlines()}
        assert [line for line in out.splitlines() if len(line) > 80 and line.strip() not in code] == []
        assert "```" not in out
        assert all(word in " ".join(out.split()) for word in (page.code, page.name, " ".join(page.summary.split())))

    def test_what_was_measured(self, run: Run) -> None:
        out = run("rule", "LS301")[1]
        assert re.search(r"^app\.py +pool timeouts +2 +0$", out, re.MULTILINE)
        assert re.search(r"^Counted with python 3[\d.]+, fastapi", out, re.MULTILINE)

    def test_every_rule_with_a_proof_has_it_shipped(self) -> None:
        assert {p.code for p in pages.pages() if p.observed is None} == {"LS000", "LS001"} - {
            p.code for p in pages.pages() if p.observed is not None
        }

    def test_several_by_code_name_and_prefix(self, run: Run) -> None:
        out = run("rule", "ls50", "unclosed-session", "LS301", "--output-format", "json")[1]
        codes = [record["code"] for record in json.loads(out)]
        assert codes[:2] == ["LS501", "LS502"]
        assert codes[-1] == "LS301"
        assert len(set(codes)) == len(codes)

    def test_for_a_program(self, run: Run) -> None:
        [record] = json.loads(run("rule", "LS301", "--output-format", "json")[1])
        assert record["fix"] == "safe"
        assert record["sections"]["Why is this bad?"]
        assert record["observed"]["misuse"]["app"]["pool timeouts"] == 2

    def test_as_the_page_is_published(self, run: Run) -> None:
        page = next(page for page in pages.pages() if page.code == "LS301")
        assert run("rule", "LS301", "--output-format", "markdown")[1] == pages.markdown(page)

    def test_colours_take_the_place_of_marks(self, run: Run) -> None:
        out = run("rule", "LS301", "--color", "always")[1]
        assert "\033[1mWhy is this bad?\033[0m" in out
        assert "\033[36mwith\033[0m" in out


class TestExplain:
    def test_each_rule_once_behind_the_findings(self, run: Run) -> None:
        Path("a.py").write_text(LEAK + LEAK.partition("\n\n\n")[2].replace("read", "again"))
        status, out, _ = run("check", "--explain", "a.py")
        assert status == 1
        assert out.count("LS301 unclosed-session: Session is left open on some path.") == 1
        assert "Measured in app.py: pool timeouts 2, and 0 once it is fixed." in " ".join(out.split())
        assert "More: lint-sessions rule LS301" in out
        assert out.index("a.py:8:10") < out.index("More:") < out.index("Found 2 problems")

    def test_nothing_found_nothing_explained(self, run: Run) -> None:
        Path("a.py").write_text("x = 1\n")
        assert run("check", "--explain", "a.py") == (0, "All checks passed: 1 file.\n", "")

    def test_not_for_programs(self, run: Run) -> None:
        status, _, err = run("check", "--explain", "--output-format", "json")
        assert status == 2
        assert (
            err
            == "lint-sessions: command line: --explain is for people: use it with text, concise, grouped, not with json\n"
        )

    def test_people_on_github_who_ask(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        Path("a.py").write_text(LEAK)
        assert "More: lint-sessions rule LS301" in run("check", "--explain", "a.py")[1]


class TestStatistics:
    def test_by_fixability(self, run: Run) -> None:
        Path("a.py").write_text(
            LEAK
            + "\n\ndef broken():\n    db = SessionLocal()\n    db.execute('q')\n    print(locals())\n    yield db\n"
        )
        out = run("check", "--statistics-by", "fixability", "--select", "LS301,LS101", "a.py")[1]
        assert re.match(r"\d+  \[.\] (no|safe|unsafe) fix\n", out)
        records = json.loads(
            run("check", "--statistics-by", "fixability", "--select", "LS301,LS101", "--output-format", "json", "a.py")[
                1
            ]
        )
        assert sum(record["count"] for record in records) > 1
        assert {record["fixability"] for record in records} <= {"no fix", "safe fix", "unsafe fix"}


class TestDemo:
    def test_lint_failing_run_fix_clean_run(self, run: Run) -> None:
        status, out, err = run("demo", "there")
        assert (status, err) == (0, "")
        steps = [
            "LS301 [*]",
            "GET /users/3: 500, TimeoutError",
            "2 of 2 connections are still taken, though nobody uses them.",
        ]
        steps += [
            "+    with SessionLocal() as db:",
            "Fixed 1 problem in 1 file.",
            "GET /users/4: 404",
            "0 of 2 connections are still taken.",
            "lint-sessions rule LS301",
        ]
        places = [out.find(step) for step in steps]
        assert -1 not in places
        assert places == sorted(places)
        assert "with SessionLocal() as db:" in Path("there/app.py").read_text()
        assert Path.cwd() != Path("there").resolve()

    def test_without_a_framework(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(demo, "NEEDED", ("fastapi_that_is_absent", "sqlalchemy"))
        status, out, _ = run("demo")
        assert status == 0
        assert "try_it.py\n" not in out
        assert "install fastapi_that_is_absent: pip install 'lint-sessions[demo]'" in out
        assert Path("lint-sessions-demo/app.py").is_file()

    def test_a_folder_in_use_is_left_alone(self, run: Run) -> None:
        Path("mine").mkdir()
        Path("mine/app.py").write_text("x = 1\n")
        assert run("demo", "mine") == (
            2,
            "",
            "lint-sessions: mine is not empty; name another folder: lint-sessions demo DIR\n",
        )
        assert Path("mine/app.py").read_text() == "x = 1\n"
        status, _, err = run("demo", "mine/app.py/inner")
        assert (status, err.startswith("lint-sessions: mine/app.py/inner cannot be written to: ")) == (2, True)
