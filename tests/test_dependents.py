"""Which files a change of `changed()` in `app/deps.py` can concern."""

from __future__ import annotations

from pathlib import Path

import pytest

from lint_sessions.project.dependents import Dependents
from lint_sessions.source.document import Document

CHANGED = "from app.db import Local, helper\n\n\ndef changed():\n    return helper(Local)\n\n\ndef other():\n    pass\n"


def concerned(files: dict[str, str]) -> list[str]:
    documents = {
        path: Document.from_bytes(path, source.encode())
        for name, source in ({"deps": CHANGED} | files).items()
        for path in [Path("app", f"{name}.py")]
    }
    path = Path("app/deps.py")
    found = Dependents(documents).of([(path, documents[path].blocks[1])], {path: {"helper", "Local"}})
    return sorted(found.as_posix().removeprefix("app/").removesuffix(".py") for found in found - {path})


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param({"a": "from app.deps import changed\n"}, ["a"], id="imports it"),
        pytest.param({"a": "from .deps import (\n    changed as c,\n)\n"}, ["a"], id="by another name, in rows"),
        pytest.param({"a": "from app import deps\n\ndeps.changed()\n"}, ["a"], id="by way of its module"),
        pytest.param({"a": "def f():\n    from app.deps import changed\n"}, ["a"], id="inside a function"),
        pytest.param({"a": "from app.deps import *\n\nchanged()\n"}, ["a"], id="a star"),
        pytest.param({"a": "from app.deps import other\n"}, [], id="something else of the module"),
        pytest.param({"a": "def changed():\n    pass\n"}, [], id="something else of that name"),
        pytest.param(
            {"a": "from app.deps import changed\n\n\ndef f():\n    changed()\n", "b": "from app.a import f\n\nf()\n"}, ["a", "b"], id="what uses its user"
        ),
        pytest.param(
            {"a": "from app.deps import changed\n\n\ndef f():\n    pass\n", "b": "from app.a import f\n\nf()\n"}, ["a"], id="not what uses something else of it"
        ),
        pytest.param(
            {"api/__init__": "from app.deps import changed as give\n", "b": "from app.api import give\n"}, ["api/__init__", "b"], id="passed on by a package"
        ),
        pytest.param(
            {"a": "from app.deps import changed\n\nDep = Annotated[int, Depends(changed)]\n", "b": "from app.a import Dep\n"}, ["a", "b"], id="bound to a name"
        ),
        pytest.param(
            {"a": "from app.deps import changed\n\n\nclass A:\n    def f(self):\n        changed()\n", "b": "from app.a import A\n\nA().f()\n"},
            ["a", "b"],
            id="in a method",
        ),
        pytest.param({"db": "Local = 1\n\n\ndef helper(x):\n    pass\n"}, ["db"], id="what the changed row calls"),
        pytest.param({"db": "def unused(x):\n    pass\n"}, [], id="not what it does not call"),
    ],
)  # fmt: skip
def test_concerned(files: dict[str, str], found: list[str]) -> None:
    assert concerned(files) == found
