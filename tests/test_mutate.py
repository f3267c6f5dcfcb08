"""The mutants of `benchmarks/mutate.py`: what is broken, and how what becomes of it is told."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lint_sessions.config import Config
from lint_sessions.engine import Analysis
from lint_sessions.source.document import Document

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "mutate.py"
HEAD = """from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

SessionLocal = sessionmaker(bind=create_engine("sqlite://"))
app = FastAPI()


"""
PROVIDER = """def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
"""
ROUTE = """@app.get("/")
def read(db: Session = Depends(get_db)):
    return db.scalar(text("select 1"))
"""
BLOCK = """def count():
    with SessionLocal() as db:
        # all of them
        found = db.scalar(text("select 1"))
    return found
"""


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutate", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    spec.loader.exec_module(module)
    return module


def test_what_is_broken_and_restored(mutate: ModuleType, tmp_path: Path) -> None:
    """Each mutant differs from the original; what becomes of it is what the texts say."""
    path = tmp_path / "app.py"
    path.write_text(f"{HEAD}{PROVIDER}\n\n{ROUTE}\n\n{BLOCK}", "utf-8")
    document = Document.read(path)
    analysis = Analysis(Config(tmp_path))
    made = {m.kind: (m, *mutate.outcome(m, analysis)) for m in mutate.mutants(document, [])}
    assert sorted(made) == ["call_provider", "drop_call", "finally_to_end", "with_to_assignment"]
    for mutant, what, fixed in made.values():
        assert mutant.broken.text != document.text
        assert (what, fixed.text) == ("same text", document.text)
    assert "Depends(get_db())" in made["call_provider"][0].broken.text
    assert "    yield db\n    db.close()\n" in made["finally_to_end"][0].broken.text
    broken = made["with_to_assignment"][0].broken.text
    assert (
        '    db = SessionLocal()\n    # all of them\n    found = db.scalar(text("select 1"))\n    db.close()\n'
        in broken
    )


def test_functions_with_findings_are_left_alone(mutate: ModuleType, tmp_path: Path) -> None:
    document = Document.from_bytes(tmp_path / "app.py", f"{HEAD}{PROVIDER}".encode())
    assert {mutant.function for mutant in mutate.mutants(document, [])} == {"get_db"}
    assert list(mutate.mutants(document, ["get_db"])) == []


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("x = 1\n", "x = 2\n", "other"),
        ("x = 1\n", "x  =  1  # one\n", "same tree"),
        ("with f() as db:\n    g()\n", "db = f()\ntry:\n    g()\nfinally:\n    db.close()\n", "same shape"),
        ("with f() as db:\n    g()\n", "db = f()\ntry:\n    g()\nfinally:\n    h.close()\n", "other"),
    ],
)
def test_how_texts_are_compared(mutate: ModuleType, before: str, after: str, what: str) -> None:
    documents = [Document.from_bytes(Path("a.py"), text.encode()) for text in (before, after)]
    assert mutate.compared(*documents) == what
