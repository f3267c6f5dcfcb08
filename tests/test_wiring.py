"""Who depends on what: the places that make a framework call a function."""

from __future__ import annotations

from pathlib import Path

import libcst as cst
import pytest
from projects import PRELUDE, SmallProject

from lint_sessions.project.types import ClassType, FunctionType

DEPS = (
    PRELUDE
    + """
from fastapi import Depends

def get_db():
    with SessionLocal() as db:
        yield db
"""
)
IMPORTS = (
    "from typing import Annotated\nimport fastapi\nfrom fastapi import Depends, FastAPI, Security\napp = FastAPI()\n"
)


def users(root: Path, source: str, name: str = "get_db", file: str = "deps.py") -> list[str]:
    project = SmallProject(root, {"deps.py": DEPS, "main.py": IMPORTS + source})
    kind = project.type_of(name, file)
    assert isinstance(kind, (FunctionType, ClassType))
    return [use.by for use in project.analysis.wiring.uses(kind.scope)]


@pytest.mark.parametrize(
    "source",
    [
        "from deps import get_db\ndef user(db=Depends(get_db)): ...",
        "from deps import get_db\ndef user(db=fastapi.Depends(dependency=get_db, use_cache=False)): ...",
        "from deps import get_db\ndef user(db=Security(get_db, scopes=[')'])): ...",
        "from deps import get_db as database\ndef user(db=Depends(database)): ...",
        "import deps\ndef user(db=Depends(deps.get_db)): ...",
        "import deps\ndef user(db: Annotated[object, Depends(deps.get_db)]): ...",
        "import deps\nuser = Annotated[object, Depends(deps.get_db)]",
        "import deps\nuser = fastapi.APIRouter(dependencies=[Depends(deps.get_db)])",
        "import deps\n@app.get('/', dependencies=[Depends(\n    # why (\n    deps.get_db,\n)])\ndef user(): ...",
        "from deps import *\ndef user(db=Depends(get_db)): ...",
        "from functools import partial\nimport deps\ndef user(db=Depends(partial(deps.get_db))): ...",
        "from fastapi import Depends as Inject\nimport deps\ndef user(db=Inject(deps.get_db)): ...",
        "import deps\ndef user():\n    def inner(db=Depends(deps.get_db)): ...",
        "import deps\ndef choose():\n    return deps.get_db\ndef user(db=Depends(choose())): ...",
    ],
)
def test_a_function_is_used(tmp_path: Path, source: str) -> None:
    assert users(tmp_path, source) == ["user"]


@pytest.mark.parametrize(
    "source",
    [
        "from deps import get_db\ndef user(db=get_db): ...",
        "from deps import get_db\n# def user(db=Depends(get_db)): ...",
        "from deps import get_db\ndef user():\n    '''Depends(get_db)'''",
        "from deps import get_db\ndef Depends(it): ...\ndef user(db=Depends(get_db)): ...",
        "def get_db(): ...\ndef user(db=Depends(get_db)): ...",
        "from deps import get_db\ndef user():\n    def get_db(): ...\n    def inner(db=Depends(get_db)): ...",
    ],
)
def test_or_it_is_not(tmp_path: Path, source: str) -> None:
    assert users(tmp_path, source) == []


def test_an_override_is_used(tmp_path: Path) -> None:
    source = "import deps\ndef other(): ...\napp.dependency_overrides[deps.get_db] = other  # here\n"
    assert len(users(tmp_path, source, "other", "main.py")) == 1


@pytest.mark.parametrize(
    "argument",
    ["it: Maker = Depends()", "it=Depends(Maker)", "it: Annotated[Maker, Depends()]", "it: 'X' = Depends(Maker)"],
)
def test_a_class_is_used(tmp_path: Path, argument: str) -> None:
    source = f"class Maker:\n    def __init__(self, limit: int = 1): ...\ndef user({argument}): ...\n"
    assert users(tmp_path, source, "Maker", "main.py") == ["user"]


def test_what_an_instance_does_is_used(tmp_path: Path) -> None:
    source = "class Maker:\n    def __call__(self): ...\n    def other(self): ...\nmaker = Maker()\ndef user(a=Depends(maker), b=Depends(maker.other)): ...\n"
    project = SmallProject(tmp_path, {"main.py": IMPORTS + source})
    maker = project.type_of("Maker")
    assert isinstance(maker, ClassType)
    for name in ("__call__", "other"):
        method = project.analysis.types.method(maker, name)
        assert method is not None
        assert [use.by for use in project.analysis.wiring.uses(method.scope)] == ["user"]


def test_of_a_name_inside_a_function_the_inner_one_is_used(tmp_path: Path) -> None:
    source = "def make():\n    def get_db(): ...\n    @app.get('/')\n    def read(db=Depends(get_db)): ...\n"
    project = SmallProject(tmp_path, {"main.py": IMPORTS + source})
    make = project.function("make")
    inner, read = (project.analysis.types.name(name, make) for name in ("get_db", "read"))
    assert isinstance(inner, FunctionType)
    assert isinstance(read, FunctionType)
    assert [use.by for use in project.analysis.wiring.uses(inner.scope)] == ["make"]
    assert project.analysis.wiring.is_route(read.scope)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("@app.get('/')\ndef it(): ...", True),
        ("router = fastapi.APIRouter()\n@router.post('/', status_code=201)\nasync def it(): ...", True),
        ("class Own(fastapi.APIRouter): ...\nrouter = Own()\n@router.api_route('/')\ndef it(): ...", True),
        ("def it(): ...\napp.add_api_route('/', it)", True),
        ("def it(): ...\napp.add_api_route('/', methods=['GET'], endpoint=it)", True),
        ("cache = {}\n@cache.get('/')\ndef it(): ...", False),
        ("@app.middleware('http')\ndef it(): ...", False),
        ("def it(): ...", False),
    ],
)
def test_routes(tmp_path: Path, source: str, expected: bool) -> None:
    project = SmallProject(tmp_path, {"main.py": IMPORTS + source})
    assert project.analysis.wiring.is_route(project.function("it")) is expected


def test_the_providers_of_a_factory(tmp_path: Path) -> None:
    other = """
from deps import SessionLocal as Local, AsyncLocal
def provide():
    db = Local()
    try:
        yield db
    finally:
        db.close()
async def another():
    async with AsyncLocal() as db:
        yield db
def numbers():
    with Local() as db:
        yield 1
def reader(name):
    with Local() as db:
        yield db
"""
    project = SmallProject(tmp_path, {"deps.py": DEPS, "main.py": other})
    scope = project.analysis.types.module_scope(project.module("main.py"))

    providers = project.analysis.wiring.providers_of(cst.Name("Local"), scope)
    assert sorted(provider.scope.name for provider in providers) == ["get_db", "provide"]
