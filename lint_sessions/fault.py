"""A fault of ours, told in one line."""

from __future__ import annotations

from pathlib import Path


def confession(error: Exception) -> str:
    """What went wrong, with the rule or module in which it did."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = next((f for f in reversed(frames) if Path(f.filename).parent.name == "rules"), frames[-1])
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"{type(error).__name__} in {where}: {error}; please report this fault of lint-sessions"
