# A call in finally may raise in the place of a cancellation, and a handler takes that
# Expected: LS401.
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


async def f(a, b, item, db: AsyncSession | None = None):
    try:
        try:
            await db.execute(select(Item))
        finally:
            work(1)
    except Exception:  # LS401
        await db.flush()
