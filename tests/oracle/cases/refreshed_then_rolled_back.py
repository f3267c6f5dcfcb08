# What was added is no longer the session's after a rollback, refreshed or not.
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


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


async def f(db: AsyncSession):
    row = Item(name="new")
    db.add(row)
    await db.flush()
    await db.refresh(row)
    await db.rollback()
    print(row.name)


async def g(db: AsyncSession):
    row = await db.get_one(Item, 1)
    await db.refresh(row)
    await db.rollback()
    print(row.name)  # LS505
