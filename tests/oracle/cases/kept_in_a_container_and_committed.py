# A container keeps a session and uses nothing of it: a commit of nothing can't fail
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


async def f(bag, item):
    db = AsyncLocal()
    bag.append(db)
    try:
        await db.commit()
    except Exception:
        await db.execute(select(Item))
