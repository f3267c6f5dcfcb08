# Whoever is lent a closed session need not use it.
# Expected: LS101, LS302, LS401.
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


async def provide():
    db = AsyncLocal()  # LS101
    try:
        await db.close()
        yield db
    except Exception:  # LS401
        await db.execute(select(Item))  # LS302
