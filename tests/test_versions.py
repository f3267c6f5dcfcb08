"""What a rule says of a misuse is what the project's version of FastAPI makes of it, and names that version."""

from __future__ import annotations

from pathlib import Path

import pytest
import versions

from lint_sessions import cli, engine
from lint_sessions.config import Config
from lint_sessions.finding import Finding, Safety

START = """from contextlib import contextmanager

from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session, sessionmaker

SessionLocal = sessionmaker()
app = FastAPI()
"""
ROUTE = """
@app.get("/")
def route(db: Session = Depends(get_db)):
    return db.get(object, 1)
"""
LATE = f"""{START}
def get_db():
    with SessionLocal() as db:
        yield db
        db.commit()
{ROUTE}"""
SWALLOWED = f"""{START}
def get_db():
    with SessionLocal() as db:
        try:
            yield db
        except Exception:
            db.rollback()
{ROUTE}"""
COMMIT_SWALLOWED = SWALLOWED.replace("yield db\n", "yield db\n            db.commit()\n")
ONE_SWALLOWED = SWALLOWED.replace("Exception", "SQLAlchemyError").replace(
    "\nfrom sqlalchemy.orm", "\nfrom sqlalchemy.exc import SQLAlchemyError\nfrom sqlalchemy.orm"
)
DECORATED = f"""{START}
@contextmanager
def get_db():
    with SessionLocal() as db:
        yield db
{ROUTE}"""


def finding(root: Path, source: str, code: str, version: str | None) -> Finding | None:
    (root / "app.py").write_text(source, "utf-8")
    report = engine.check([root], Config(root, select=(code,), fastapi_version=version))
    assert report.problems == ()
    assert len(report.findings) <= 1
    return report.findings[0] if report.findings else None


@pytest.mark.parametrize(
    ("source", "code", "version", "end", "safety"),
    [
        (LATE, "LS105", "0.104.1", "(FastAPI 0.104.1): it is 200 even if that fails", None),
        (LATE, "LS105", "0.118", "(FastAPI 0.118): it is 200 even if that fails", None),
        (LATE, "LS105", ">=0.121", "(FastAPI >=0.121): it is 200 even if that fails", Safety.UNSAFE),
        (LATE, "LS105", None, "(newest FastAPI): it is 200 even if that fails", Safety.UNSAFE),
        (SWALLOWED, "LS103", "0.104.1", "from FastAPI 0.110 on a route's 404 becomes 500 (here: FastAPI 0.104.1)",
         Safety.UNSAFE),
        (SWALLOWED, "LS103", ">=0.104", "from FastAPI 0.110 on a route's 404 becomes 500 (here: FastAPI >=0.104)",
         Safety.UNSAFE),
        (COMMIT_SWALLOWED, "LS103", "0.109.2", "a commit that fails there goes unnoticed (FastAPI 0.109.2)",
         Safety.UNSAFE),
        (SWALLOWED, "LS103", "0.110.0", "the route's 404 becomes 500 (FastAPI 0.110.0)", Safety.SAFE),
        (COMMIT_SWALLOWED, "LS103", "0.117", "the route's 404 becomes 500 (FastAPI 0.117)", Safety.SAFE),
        (ONE_SWALLOWED, "LS103", None, "an error of FastAPI's own hides it (newest FastAPI)", Safety.SAFE),
        (DECORATED, "LS107", "0.123.4", "it gets no session (FastAPI 0.123.4)", Safety.UNSAFE),
        (DECORATED, "LS107", "0.123.5", "every request fails (FastAPI 0.123.5)", Safety.SAFE),
    ],
)  # fmt: skip
def test_a_message_says_which_version_it_speaks_of(
    tmp_path: Path, source: str, code: str, version: str | None, end: str, safety: Safety | None
) -> None:
    found = finding(tmp_path, source, code, version)
    assert found is not None
    assert found.message.endswith(end)
    assert (found.fix.safety if found.fix else None) is safety


@pytest.mark.parametrize("version", ["0.106.0", "0.110", "0.117.1", ">=0.110", "<0.120"])
def test_no_commit_is_late_where_it_runs_before_the_response(tmp_path: Path, version: str) -> None:
    assert finding(tmp_path, LATE, "LS105", version) is None


def test_isolated_from_our_configuration_and_not_from_the_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.py").write_text(LATE, "utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["fastapi==0.121.0"]\n[tool.lint-sessions]\nfastapi-version = "0.110"\n', "utf-8"
    )
    assert cli.main(["check", "--select", "LS105", str(tmp_path)]) == 0
    assert cli.main(["check", "--select", "LS105", "--isolated", str(tmp_path)]) == 1
    assert "FastAPI 0.121.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "numbers", "fastapi", "judged"),
    [
        ("commit_after_response/app.py", {"answers 200": 1, "lost": 0}, "0.117.1", ("not reported", True)),
        ("commit_after_response/app.py", {"answers 200": 2, "lost": 1}, "0.117.1", ("not reported", False)),
        ("commit_after_response/app.py", "ImportError: no", "0.117.1", ("not reported", False)),
        ("commit_after_response/app.py", {"answers 200": 2, "lost": 1}, "0.121.0", ("reported", True)),
        ("commit_after_response/fixed.py", {"lost": 1}, "0.120.4", ("needs the scope of a newer FastAPI", True)),
        ("commit_after_response/fixed.py", {"lost": 1}, "0.121.0", ("fixed", False)),
        ("swallowed_exception/fixed.py", {"answers 404": 1, "answers 500": 0}, "0.104.1", ("fixed", True)),
    ],
)
def test_how_another_version_is_judged(
    file: str, numbers: dict[str, int] | str, fastapi: str, judged: tuple[str, bool]
) -> None:
    assert versions.judge(file, numbers, fastapi) == judged


def test_what_is_recorded_of_a_file() -> None:
    assert versions.recorded_of("commit_after_response/app_begin.py")["answers 200 without a row"] == 1
    assert versions.recorded_of("commit_after_response/fixed_begin.py")["answers 200 without a row"] == 0


def test_a_pair_of_versions_is_asked_for() -> None:
    assert versions.main(["0.117"]) == 2
