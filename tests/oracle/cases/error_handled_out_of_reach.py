# A helper handles an error of another session: what was written to this one stays written
# Expected: LS301, LS402.
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


async def try_store(db: AsyncSession, item):
    db.add(item)
    try:
        await db.flush()
    except SQLAlchemyError:
        return False
    return True


async def f(b, item, items):
    db = AsyncLocal()  # LS301
    async with AsyncLocal() as own1:
        try:
            own1.add(item)  # LS402
        finally:
            for _ in items:
                own1.add(item)
                if not await try_store(db, item):
                    await db.rollback()
