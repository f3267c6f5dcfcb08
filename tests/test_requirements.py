"""Which FastAPI a project may run with, by what its files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from lint_sessions.requirements import (
    AFTER_RESPONSE,
    BEFORE_RESPONSE,
    FUNCTION_SCOPE,
    MUST_RAISE,
    FastAPI,
    Requirements,
    problem_of,
)

LOCK = '[[package]]\nname = "starlette"\nversion = "0.46.0"\n\n[[package]]\nname = "fastapi"\nversion = "0.115.2"\n'


@pytest.mark.parametrize("lock", ["uv", "poetry", "pdm"])
def test_a_lock_file_has_the_last_word(tmp_path: Path, lock: str) -> None:
    (tmp_path / f"{lock}.lock").write_text(LOCK, "utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["fastapi>=0.90"]\n', "utf-8")
    assert Requirements(tmp_path).fastapi(tmp_path / "app.py") == FastAPI(("==0.115.2",))


def test_the_keys_of_a_lock_file_stand_in_any_order(tmp_path: Path) -> None:
    package = '[[package]]\ncategory = "main"\nname = "fastapi"\noptional = false\nversion = "0.70.0"\n'
    (tmp_path / "poetry.lock").write_text(package + '\n[[package]]\nname = "h11"\nversion = "0.14.0"\n', "utf-8")
    assert Requirements(tmp_path).fastapi(tmp_path / "app.py") == FastAPI(("==0.70.0",))


def test_a_lock_file_with_two_versions(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(LOCK + LOCK.replace("0.115.2", "0.121.0"), "utf-8")
    assert Requirements(tmp_path).fastapi(tmp_path / "app.py") == FastAPI(("==0.115.2", "==0.121.0"))


@pytest.mark.parametrize(
    ("name", "text", "specifiers"),
    [
        ("requirements.txt", "starlette\nFastAPI[all]==0.110.0  # web\n", ("==0.110.0",)),
        ("requirements.txt", "fastapi ~= 0.110 ; python_version > '3.8'\n", ("~= 0.110",)),
        ("requirements.txt", "fastapi==0.110.0 --hash=sha256:0\n", ("==0.110.0",)),
        ("requirements.txt", "fastapi-users==13.0\nfastapi\n", ()),
        ("requirements-dev.txt", "fastapi<0.118,>=0.106\n", ("<0.118,>=0.106",)),
        ("requirements/base.txt", "fastapi==0.99.1\n", ("==0.99.1",)),
        ("pyproject.toml", '[project]\ndependencies = ["fastapi[standard]>=0.121"]\n', (">=0.121",)),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = "^0.110.1"\n', (">=0.110.1,<0.111",)),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = {version = "~0.95", extras = ["all"]}\n',
         (">=0.95,<0.96",)),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = "*"\n', ()),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = "~0"\n', (">=0,<1",)),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = "^0.103 || ^0.110"\n',
         (">=0.103,<0.104", ">=0.110,<0.111")),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = [{version = "0.99.1"}, {version = "<1"}]\n',
         ("==0.99.1",)),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = "somewhere"\n', (">=0",)),
        ("pyproject.toml", '[project.optional-dependencies]\nweb = ["fastapi==0.118.0"]\n', ("==0.118.0",)),
        ("requirements.txt", "fastapi @ git+https://example.org/fastapi\n", ()),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = "0.115.2"\n', ("==0.115.2",)),
        ("environment.yml", "dependencies:\n  - python=3.11\n  - fastapi=0.103\n", ("==0.103.*",)),
        ("environment.yml", "dependencies:\n  - pip:\n    - fastapi==0.103.2\n", ("==0.103.2",)),
        ("environment.yaml", "dependencies:\n  - fastapi >=0.118\n", (">=0.118",)),
    ],
)  # fmt: skip
def test_what_a_file_declares(tmp_path: Path, name: str, text: str, specifiers: tuple[str, ...]) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text, "utf-8")
    assert Requirements(tmp_path).fastapi(tmp_path / "app.py") == FastAPI(specifiers)


def test_a_pin_counts_for_more_than_a_range(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("fastapi==0.110.0\n", "utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["fastapi>=0.90"]\n', "utf-8")
    assert Requirements(tmp_path).fastapi(tmp_path / "app.py") == FastAPI(("==0.110.0",))


def test_the_nearest_folder_that_says_something(tmp_path: Path) -> None:
    inner = tmp_path / "services" / "web"
    (inner / "app").mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("fastapi==0.99.0\n", "utf-8")
    requirements = Requirements(tmp_path)
    assert requirements.fastapi(inner / "app" / "db.py") == FastAPI(("==0.99.0",))
    (inner / "requirements.txt").write_text("fastapi==0.120.0\n", "utf-8")
    assert requirements.fastapi(inner / "app" / "db.py") == FastAPI(("==0.99.0",)), "each folder is read once"
    assert Requirements(tmp_path).fastapi(inner / "app" / "db.py") == FastAPI(("==0.120.0",))


def test_nothing_above_the_checkout_counts(tmp_path: Path) -> None:
    inner = tmp_path / "checkout" / "backend"
    inner.mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("fastapi==0.99.0\n", "utf-8")
    assert Requirements(inner).fastapi(inner / "db.py") == FastAPI(), "the root ends it"
    (tmp_path / "checkout" / ".git").mkdir()
    (tmp_path / "checkout" / "requirements.txt").write_text("fastapi==0.110.0\n", "utf-8")
    assert Requirements(inner).fastapi(inner / "db.py") == FastAPI(("==0.110.0",)), "or the checkout it lies in"
    assert Requirements(inner).fastapi(tmp_path / "other" / "db.py") == FastAPI(), "for what lies in it"


def test_the_lock_file_of_a_workspace_is_for_its_members(tmp_path: Path) -> None:
    for name in ("backend", "tools"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text('[project]\ndependencies = ["fastapi>=0.90"]\n', "utf-8")
    member = '[[package]]\nname = "app"\nversion = "1"\nsource = { editable = "backend" }\n\n'
    (tmp_path / "uv.lock").write_text(member + LOCK, "utf-8")
    requirements = Requirements(tmp_path)
    assert requirements.fastapi(tmp_path / "backend" / "app.py") == FastAPI(("==0.115.2",))
    assert requirements.fastapi(tmp_path / "tools" / "app.py") == FastAPI((">=0.90",))
    assert requirements.fastapi(tmp_path / "shared" / "db.py") == FastAPI(("==0.115.2",))


def test_the_configuration_overrides(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("fastapi==0.99.0\n", "utf-8")
    assert Requirements(tmp_path, "0.121.1").fastapi(tmp_path / "app.py") == FastAPI(("==0.121.1",))
    assert Requirements(tmp_path, "0.121").fastapi(tmp_path / "app.py") == FastAPI(("==0.121.*",))


def test_another_framework(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("litestar==2.0\n", "utf-8")
    assert not Requirements(tmp_path).fastapi(tmp_path / "app.py").used


@pytest.mark.parametrize("text", ["[[package", "package = 'fastapi'\n", '[project]\ndependencies = "fastapi"\n'])
def test_a_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text(text, "utf-8")
    assert Requirements(tmp_path).fastapi(tmp_path / "app.py") == FastAPI()


def test_a_version_that_cannot_be_read_may_be_any(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text('[[package]]\nname = "fastapi"\nversion = "zero"\n', "utf-8")
    assert Requirements(tmp_path).fastapi(tmp_path / "app.py") == FastAPI((">=0",))


@pytest.mark.parametrize(
    ("specifiers", "before", "must_raise", "after", "scope"),
    [
        ((), False, True, True, True),
        (("==0.103.2",), True, False, False, False),
        (("==0.106.0",), False, False, False, False),
        (("==0.110.0",), False, True, False, False),
        (("==0.117.*",), False, True, False, False),
        (("==0.118.*",), False, True, True, False),
        ((">=0.110",), False, True, False, False),
        ((">=0.100",), False, False, False, False),
        ((">=0.100,<0.106",), True, False, False, False),
        ((">=0.118",), False, True, True, False),
        (("~=0.121.0",), False, True, True, True),
        (("==0.118.0", "==0.103.0"), False, False, False, False),
    ],
)
def test_a_range_takes_what_all_its_versions_share(
    specifiers: tuple[str, ...], before: bool, must_raise: bool, after: bool, scope: bool
) -> None:
    fastapi = FastAPI(specifiers)
    assert fastapi.is_from("0", BEFORE_RESPONSE) is before
    assert fastapi.is_from(MUST_RAISE) is must_raise
    assert fastapi.is_from(AFTER_RESPONSE) is after
    assert fastapi.is_from(FUNCTION_SCOPE) is scope


@pytest.mark.parametrize(
    ("specifiers", "name"),
    [
        ((), "newest FastAPI"),
        (("==0.115.2",), "FastAPI 0.115.2"),
        (("==0.115.*",), "FastAPI 0.115"),
        ((">= 0.106, <0.118",), "FastAPI >=0.106,<0.118"),
        (("==0.103.0", "==0.104.*"), "FastAPI 0.103.0 or 0.104"),
    ],
)
def test_what_a_message_calls_it(specifiers: tuple[str, ...], name: str) -> None:
    assert FastAPI(specifiers).name == name


@pytest.mark.parametrize("version", ["0.115", "0.115.2", ">=0.106,<0.118", "~=0.110.0"])
def test_what_can_be_configured(version: str) -> None:
    assert problem_of(version) is None


@pytest.mark.parametrize("version", ["", "newest", 0.115, ["0.115"]])
def test_what_cannot(version: object) -> None:
    assert problem_of(version) == f"must be a version or a range such as '>=0.106,<0.118', not {version!r}"


@pytest.mark.parametrize(
    ("text", "enters"),
    [
        ("", True),
        ("sqlalchemy\n", True),
        ("SQLAlchemy==1.3.24\n", False),
        ("sqlalchemy<1.4\n", False),
        ("sqlalchemy>=1.3.16,<2\n", False),
        ("sqlalchemy==1.4.0\n", True),
        ("sqlalchemy>=1.4,<2.1\n", True),
        ("sqlalchemy-utils==0.3\n", True),
    ],
)
def test_whether_sessions_are_context_managers(tmp_path: Path, text: str, enters: bool) -> None:
    (tmp_path / "requirements.txt").write_text(text, "utf-8")
    assert Requirements(tmp_path).enters_sessions(tmp_path / "app.py") is enters


def test_a_lock_file_says_which_sqlalchemy_it_is(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.poetry.dependencies]\nSQLAlchemy = "^1.3.16"\n', "utf-8")
    assert not Requirements(tmp_path).enters_sessions(tmp_path / "app.py")
    (tmp_path / "poetry.lock").write_text('[[package]]\nname = "sqlalchemy"\nversion = "1.4.36"\n', "utf-8")
    assert Requirements(tmp_path).enters_sessions(tmp_path / "app.py")
