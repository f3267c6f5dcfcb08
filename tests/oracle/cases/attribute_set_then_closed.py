# What was set before the close stays in memory.
# Expected: LS308.
# mode: instances
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from elsewhere import choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def f():
    db = SessionLocal()
    row = Item(name="new")
    db.add(row)
    db.commit()
    row.name = "changed"
    db.close()
    print(row.name)
    return row.id  # LS308
