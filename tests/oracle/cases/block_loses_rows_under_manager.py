# The same inside a begin() block, which then ends well with its rows lost.
# Expected: LS401.
# mypy: ignore-errors
# ruff: noqa: F401, I001, SIM105
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


@contextmanager
def quiet(db: Session):
    try:
        yield
    except SQLAlchemyError:  # LS401
        pass


def f(item):
    with SessionLocal.begin() as db, quiet(db):
        db.flush()
