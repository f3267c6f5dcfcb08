# A handler takes a cancellation and goes on with the session
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


async def finish(db: AsyncSession):
    await db.close()


async def f(item):
    db = AsyncLocal()
    try:
        try:
            await db.execute(select(Item))
        except:  # LS401
            await db.flush()
            raise
    except Exception:
        await db.rollback()
    else:
        await finish(db)
