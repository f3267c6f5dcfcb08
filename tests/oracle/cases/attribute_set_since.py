# What was set after the commit is in memory; the rest is not.
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
    row = await db.get_one(Item, 1)
    await db.commit()
    row.name = "changed"
    print(row.name)
    print(row.id)  # LS505


async def g(db: AsyncSession):
    row = await db.get_one(Item, 1)
    await db.commit()
    row.name = "changed"
    await db.commit()
    print(row.name)  # LS505
