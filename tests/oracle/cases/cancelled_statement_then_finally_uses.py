# Only a cancelled statement leads to the use after the close, in a finally
# Expected: LS302.
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


async def use_and_close(db: AsyncSession):
    try:
        await db.execute(select(Item))
    finally:
        await db.close()


async def f(item):
    db = AsyncLocal()
    try:
        await use_and_close(db)
    except Exception:
        keep(db)
    else:
        keep(db)
    finally:
        await db.execute(select(Item))  # LS302
