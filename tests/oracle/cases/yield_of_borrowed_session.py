# An exception arrives at the yield of a session that somebody else owns, too.
# Expected: LS301.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def provide(db: Session):
    try:
        yield db
    except IntegrityError:
        db = Session(engine)  # LS301
    finally:
        db.execute(select(Item))
