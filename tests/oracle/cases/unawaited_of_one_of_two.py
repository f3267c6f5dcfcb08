# A name that is given what it holds already, or something new, keeps its type.
# Expected: LS504.
# mode: unawaited
# mypy: ignore-errors
# ruff: noqa: F401, I001
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import Item, awork, choose, flag, keep, work

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)


async def f(bag, item, db: AsyncSession | None = None):
    owns = db is None
    db = AsyncLocal() if owns else db
    db.refresh(item)  # LS504
    other = db
    other = other or AsyncLocal()
    if other.execute(select(Item)):  # LS504
        pass
