# A begin() block that ends well flushes what was added: a closed session begins again there.
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


async def f(item):
    db = AsyncLocal()
    await db.close()
    try:
        async with db.begin():  # LS302
            db.add(item)
    except Exception:
        await db.commit()
