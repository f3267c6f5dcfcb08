"""How a fix imports what it needs. `use()` at the end of each text is where that is needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from projects import SmallProject

from lint_sessions.edits import apply
from lint_sessions.imports import reach, standard
from lint_sessions.project.scopes import leaves
from lint_sessions.project.types import FunctionType

USE = "\n\ndef use():\n    pass\n"
CM = "from contextlib import contextmanager\n"


def asked(
    tmp_path: Path, text: str, *, provider: bool = False, others: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, str] | None:
    """The name for `contextlib.contextmanager`, or for `db.get_db`, in the last function; and the text above that."""
    files = {
        "app/__init__.py": "",
        "app/main.py": text,
        "app/db.py": "def get_db():\n    yield\n\n\nLocal = 1\n",
        **others,
    }
    project = SmallProject(tmp_path, files)
    module, types = project.module("app/main.py"), project.analysis.types
    *_, (block, scope) = leaves(module.blocks, types.module_scope(module))
    inner = types.name(block.name or "", scope)
    assert isinstance(inner, FunctionType)
    if provider:
        found = reach(types, FunctionType(project.function("get_db", "app/db.py")), block, inner.scope)
    else:
        found = standard(types, "contextlib", "contextmanager", block, inner.scope)
    if found is None:
        return None
    name, edits = found
    new = apply(module.document.text, edits)
    compile(new, "<new>", "exec")
    return name, new.removesuffix(text[block.start :])


@pytest.mark.parametrize(
    ("above", "becomes"),
    [
        pytest.param("", "\n\n" + CM, id="an empty file"),
        pytest.param('"""Doc."""\n', '"""Doc."""\n\n' + CM, id="below the docstring"),
        pytest.param('"""Doc.\n\nMore."""\nx = 1\n', '"""Doc.\n\nMore."""\n\n' + CM + "x = 1\n", id="a docstring of rows"),
        pytest.param("import fastapi\n", CM + "\nimport fastapi\n", id="above what is not of the standard library"),
        pytest.param("import fastapi\nimport os\n", CM + "\nimport fastapi\nimport os\n", id="in no order at all"),
        pytest.param("import os\nimport fastapi\n", "import os\n" + CM + "import fastapi\n", id="below a plain import"),
        pytest.param("import os  # why\n\nimport fastapi\n", "import os  # why\n" + CM + "\nimport fastapi\n", id="a comment"),
        pytest.param("from os import path\n", CM + "from os import path\n", id="in order"),
        pytest.param("from abc import ABC\nfrom os import path\n", "from abc import ABC\n" + CM + "from os import path\n", id="between"),
        pytest.param(
            "from __future__ import annotations\n\nfrom fastapi import Depends\n",
            "from __future__ import annotations\n\n" + CM + "\nfrom fastapi import Depends\n",
            id="below what must come first",
        ),
        pytest.param(
            '"""Doc."""\nfrom __future__ import annotations\n', '"""Doc."""\nfrom __future__ import annotations\n\n' + CM, id="a docstring, and that"
        ),
        pytest.param(
            "#!/usr/bin/env python\n# (c) somebody\nimport fastapi\n",
            "#!/usr/bin/env python\n# (c) somebody\n" + CM + "\nimport fastapi\n",
            id="below the comments that begin the file",
        ),
        pytest.param(
            "#!/usr/bin/env python\n\n# third party\nimport fastapi\n",
            "#!/usr/bin/env python\n\n" + CM + "\n# third party\nimport fastapi\n",
            id="above the comment of what follows",
        ),
        pytest.param("# coding: utf-8\nx = 1\n", "# coding: utf-8\n" + CM + "\n\nx = 1\n", id="the coding line stays first"),
        pytest.param("x = 1\nimport os\n", CM + "\n\nx = 1\nimport os\n", id="not among late imports"),
        pytest.param(
            "from contextlib import closing, suppress\n", "from contextlib import closing, contextmanager, suppress\n", id="one more name"
        ),
        pytest.param("from contextlib import suppress, closing\n", "from contextlib import suppress, closing, contextmanager\n", id="names without order"),
        pytest.param("from contextlib import aclosing\n", "from contextlib import aclosing, contextmanager\n", id="one more name at the end"),
        pytest.param("from contextlib import ExitStack as E\n", "from contextlib import ExitStack as E, contextmanager\n", id="classes go first"),
        pytest.param(
            "from contextlib import (\n    closing,\n    suppress,\n)\n",
            "from contextlib import (\n    closing,\n    contextmanager,\n    suppress,\n)\n",
            id="rows in parentheses",
        ),
        pytest.param(
            "from contextlib import (\n    aclosing,\n    closing\n)\n",
            "from contextlib import (\n    aclosing,\n    closing,\n    contextmanager\n)\n",
            id="at their end, without a comma",
        ),
        pytest.param(
            "from contextlib import (\n    closing,  # why\n)\n",
            "from contextlib import (\n    contextmanager,\n    closing,  # why\n)\n",
            id="a comment keeps its name",
        ),
        pytest.param(
            "from contextlib import (closing, suppress)\n", "from contextlib import (closing, contextmanager, suppress)\n", id="parentheses on one row"
        ),
        pytest.param(
            "from contextlib import aclosing, \\\n    suppress\n",
            "from contextlib import aclosing, \\\n    contextmanager, suppress\n",
            id="a continued row",
        ),
        pytest.param(
            "from contextlib import aclosing, \\\n    closing\n",
            "from contextlib import aclosing, \\\n    closing, contextmanager\n",
            id="a continued row, at its end",
        ),
        pytest.param(
            "from contextlib import closing; x = 1\n", "from contextlib import closing; x = 1\n" + CM, id="not alone on its row"
        ),
        pytest.param("try:\n    from contextlib import closing\nexcept ImportError:\n    pass\n", CM + "\n\ntry:\n    from contextlib import closing\nexcept ImportError:\n    pass\n", id="an import that is tried"),
        pytest.param("import fastapi\r\n", "from contextlib import contextmanager\r\n\r\nimport fastapi\r\n", id="CRLF"),
    ],
)  # fmt: skip
def test_an_import_is_added_where_it_belongs(tmp_path: Path, above: str, becomes: str) -> None:
    assert asked(tmp_path, above + USE) == ("contextmanager", becomes + USE[:2])


@pytest.mark.parametrize(
    ("above", "name"),
    [
        pytest.param(CM, "contextmanager", id="the name"),
        pytest.param("from contextlib import contextmanager as cm\n", "cm", id="another name"),
        pytest.param("import contextlib\n", "contextlib.contextmanager", id="the module"),
        pytest.param("import contextlib as cl\n", "cl.contextmanager", id="the module by another name"),
        pytest.param("import os, contextlib\n", "contextlib.contextmanager", id="beside another"),
        pytest.param("contextmanager = 1\nimport contextlib\n", "contextlib.contextmanager", id="the name means something else"),
    ],
)  # fmt: skip
def test_what_is_imported_already_is_used(tmp_path: Path, above: str, name: str) -> None:
    assert asked(tmp_path, above + USE) == (name, above + USE[:2])


MODULE = "import contextlib\n"


@pytest.mark.parametrize(
    ("above", "use", "becomes"),
    [
        pytest.param("def contextmanager():\n    pass\n", USE, MODULE + "\n\ndef contextmanager():\n    pass\n", id="a function"),
        pytest.param("from .db import contextmanager\n", USE, MODULE + "\nfrom .db import contextmanager\n", id="an import of the project"),
        pytest.param("import os\n", "\n\ndef use(contextmanager):\n    pass\n", MODULE + "import os\n", id="a parameter"),
        pytest.param("import os\n", "\n\ndef use():\n    contextmanager = 1\n", MODULE + "import os\n", id="a local name"),
        pytest.param("import abc\nfrom os import path\n", "\n\ndef use(contextmanager):\n    pass\n", "import abc\n" + MODULE + "from os import path\n", id="plain imports go first"),
        pytest.param(
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from contextlib import contextmanager\n",
            USE,
            MODULE + "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from contextlib import contextmanager\n",
            id="only for the type checker",
        ),
    ],
)  # fmt: skip
def test_where_the_name_is_taken_the_module_is_imported(tmp_path: Path, above: str, use: str, becomes: str) -> None:
    assert asked(tmp_path, above + use) == ("contextlib.contextmanager", becomes + use[:2])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("contextmanager = contextlib = 1\n" + USE, id="both"),
        pytest.param(CM + "\n\ndef use(contextmanager, contextlib):\n    pass\n", id="both in the function"),
        pytest.param("contextlib = None\n\n\ndef use(contextmanager):\n    pass\n", id="one here, one there"),
    ],
)
def test_where_both_names_are_taken_there_is_no_way(tmp_path: Path, text: str) -> None:
    assert asked(tmp_path, text) is None


@pytest.mark.parametrize(
    ("above", "found"),
    [
        pytest.param("from .db import Local\n", ("get_db", "from .db import Local, get_db\n"), id="one more name"),
        pytest.param("from app.db import (\n    Local,\n)\n", ("get_db", "from app.db import (\n    Local,\n    get_db,\n)\n"), id="in rows"),
        pytest.param("from app.db import get_db\n", ("get_db", "from app.db import get_db\n"), id="imported"),
        pytest.param("from app import db\n", None, id="the module, which takes another kind of name"),
        pytest.param("import app.db\n", ("app.db.get_db", "import app.db\n"), id="the module with its path"),
        pytest.param("import os\n", None, id="not imported at all"),
        pytest.param("from .db import Local\nget_db = 1\n", None, id="the name means something else"),
        pytest.param("from .db import *\n", None, id="a star"),
    ],
)  # fmt: skip
def test_a_function_of_the_project(tmp_path: Path, above: str, found: tuple[str, str] | None) -> None:
    expected = None if found is None else (found[0], found[1] + USE[:2])
    assert asked(tmp_path, above + USE, provider=True) == expected


OTHERS = {
    "app/__init__.py": "",
    "app/db.py": "def get_db():\n    yield\n",
    "app/users.py": "from app.db import get_db\n",
}


@pytest.mark.parametrize(
    ("above", "becomes"),
    [
        pytest.param("import os\n", "import os\nfrom app.db import get_db\n", id="after the others"),
        pytest.param(
            "import os\n\nfrom app.a import x\nfrom app.users import y\nfrom fastapi import Depends\n",
            "import os\n\nfrom app.a import x\nfrom app.db import get_db\nfrom app.users import y\nfrom fastapi import Depends\n",
            id="among those of its package",
        ),
        pytest.param("import os\nx = 1\nimport re\n", "import os\nfrom app.db import get_db\nx = 1\nimport re\n", id="not late"),
        pytest.param("from .users import y  # why\r\n", "from .users import y  # why\r\nfrom app.db import get_db\r\n", id="CRLF, a comment"),
        pytest.param("", "\n\nfrom app.db import get_db\n", id="no import at all"),
    ],
)  # fmt: skip
def test_a_function_of_the_project_is_imported_as_others_do_it(tmp_path: Path, above: str, becomes: str) -> None:
    assert asked(tmp_path, above + USE, provider=True, others=OTHERS) == ("get_db", becomes + USE[:2])


@pytest.mark.parametrize(
    ("others", "above"),
    [
        pytest.param(OTHERS | {"app/users.py": "from .db import get_db\n"}, "", id="by where they are only"),
        pytest.param(OTHERS | {"app/db.py": "import app.main\n\n\ndef get_db():\n    yield\n"}, "", id="its module imports this one"),
        pytest.param(
            OTHERS
            | {"app/db.py": "from . import users\n\n\ndef get_db():\n    yield\n"}
            | {"app/users.py": "from app.db import get_db\n\nif 1:\n    from .main import use\n"},
            "",
            id="by way of another one",
        ),
        pytest.param(OTHERS, "def get_db(): ...\n", id="the name means something else"),
    ],
)  # fmt: skip
def test_where_that_is_not_safe_there_is_no_way(tmp_path: Path, others: dict[str, str], above: str) -> None:
    assert asked(tmp_path, above + USE, provider=True, others=others) is None
