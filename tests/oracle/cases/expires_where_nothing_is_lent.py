# A session of one's own expires for certain, also where another that is lent may not.
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


async def f(db: AsyncSession | None = None):
    own = False
    if db is None:
        db = AsyncLocal()
        own = True
    try:
        row = await db.get_one(Item, 1)
        await db.commit()
        print(row.id)  # LS505
    finally:
        if own:
            await db.close()
