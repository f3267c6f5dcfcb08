# A helper that only runs statements raises nothing but SQLAlchemyError.
# Expected: nothing.
# mypy: ignore-errors
# ruff: noqa: F401, I001, SIM105
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def use(db: Session):
    db.execute(select(Item))


def f():
    db = SessionLocal()
    try:
        use(db)
    except (ValueError, SQLAlchemyError):
        pass
    db.close()
