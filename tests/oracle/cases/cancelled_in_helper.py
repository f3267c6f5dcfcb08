# The same where a helper awaits nothing but the session.
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


async def use(db: AsyncSession):
    await db.execute(select(Item))


async def f():
    db = AsyncLocal()
    try:
        await use(db)
    except Exception:
        await db.close()
    else:
        await db.close()
