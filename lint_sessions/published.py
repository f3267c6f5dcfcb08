"""Where the page of a rule is published; light enough for every report."""

from __future__ import annotations

from functools import cache


@cache
def documentation() -> str | None:
    """Where the pages are published, as the package's metadata has it."""
    from importlib import metadata

    try:
        urls = metadata.metadata("lint-sessions").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return None
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation")


def page_file(code: str, name: str) -> str:
    """The file of a rule's page."""
    return f"{code}-{name}.md"


def address(code: str, name: str) -> str | None:
    """Where the page of a rule is published; None where the package does not say where its pages are."""
    folder = documentation()
    return folder and f"{folder.rstrip('/')}/{page_file(code, name)}"
