"""The map as one HTML page that needs no network: the library that draws it stands in the page."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from lint_sessions.map.model import Map
from lint_sessions.map.record import record


def page(drawn: Map, root: Path) -> str:
    """The page; paths in it are relative to `root` where they are below it."""
    here = files(__package__)
    data = json.dumps(record(drawn, root), ensure_ascii=False).replace("<", "\\u003c")
    parts = {
        "/*DATA*/": data,
        "/*CYTOSCAPE*/": here.joinpath("vendor/cytoscape.min.js").read_text("utf-8"),
        "/*DAGRE*/": here.joinpath("vendor/cytoscape-dagre.min.js").read_text("utf-8"),
        "/*SCRIPT*/": here.joinpath("page.js").read_text("utf-8"),
    }
    text = here.joinpath("page.html").read_text("utf-8")
    for place, part in parts.items():
        before, _, after = text.partition(place)
        text = before + part + after
    return text
