# A commit that expires nothing does not undo what a rollback has expired.
# Expected: LS505.
# mode: instances
# mypy: ignore-errors
# ruff: noqa: F401, I001
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import awork, choose, flag, keep, work

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)
Keeping = async_sessionmaker(async_engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


async def f():
    db = Keeping()
    row = await db.get_one(Item, 1)
    await db.rollback()
    db.add(Item(name="new"))
    await db.commit()
    print(row.name)  # LS505
    await db.close()
