# After a cancelled statement the session refuses the next one, and keeps no connection
# Expected: nothing.
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


async def f(item):
    db = AsyncLocal()
    try:
        try:
            await db.refresh(item)
        finally:
            await db.flush()
    except Exception:
        pass
    await db.close()
