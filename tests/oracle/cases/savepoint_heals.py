# Leaving a savepoint block rolls back to the savepoint: the session is sound again.
# Expected: nothing.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def f(db: Session, item):
    with db.begin_nested():
        try:
            db.add(item)
            db.execute(select(Item))
        except BaseException:
            pass
    db.commit()
