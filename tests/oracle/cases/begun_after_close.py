# begin() takes no connection; the first statement after the close does.
# Expected: LS302.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def f(item):
    db = SessionLocal()
    db.close()
    with db.begin():
        pass
    db.execute(select(Item))  # LS302
