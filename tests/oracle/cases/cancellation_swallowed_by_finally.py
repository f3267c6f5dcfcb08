# A return in finally swallows the cancellation too, and what was written is lost
# Expected: LS402.
# mypy: ignore-errors
# ruff: noqa: B012, F401, I001
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
    async with db:
        db.add(item)  # LS402
        try:
            await db.execute(select(Item))
            await db.refresh(item)
        except SQLAlchemyError:
            pass
        finally:
            return
