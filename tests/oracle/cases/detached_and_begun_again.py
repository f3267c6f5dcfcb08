# What was expired before the close can't be loaded by a session that has begun again.
# Expected: LS308.
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


async def f():
    db = AsyncLocal()
    row = await db.get_one(Item, 1)
    await db.commit()
    await db.close()
    db.add(Item(name="new"))
    await db.flush()
    print(row.name)  # LS308
    await db.close()


async def g():
    db = AsyncLocal()
    row = await db.get_one(Item, 1)
    await db.commit()
    await db.close()
    await db.commit()
    print(row.name)  # LS308
