# The same for a session that it knows nothing of.
# Expected: LS301, LS401.
# mypy: ignore-errors
# ruff: noqa: F401, I001, RUF059, SIM105
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def make_pair():
    db = SessionLocal()
    return db, flag.h3


@contextmanager
def quiet(db: Session):
    try:
        yield
    except SQLAlchemyError:  # LS401
        pass


def f(item):
    db = SessionLocal()  # LS301
    other, ok = make_pair()
    with quiet(other):
        db.flush()
    db.commit()
