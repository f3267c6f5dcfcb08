"""The map as plain values, for JSON and for the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lint_sessions.map.model import Map, Node


def record(drawn: Map, root: Path) -> dict[str, Any]:
    """Nodes, edges and findings; paths are relative to `root` where they are below it."""
    return {
        "version": 1,
        "nodes": [_node(node, root) for node in drawn.nodes],
        "edges": [{"from": edge.source, "to": edge.target, "link": edge.link.value} for edge in drawn.edges],
    }


def _node(node: Node, root: Path) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind.value,
        "name": node.name,
        "module": node.module,
        "row": node.row,
        "acts": {act.value: list(rows) for act, rows in node.acts},
        **({"route": node.route} if node.route else {}),
        **({"has": {kind.value: count for kind, count in node.counts}} if node.counts else {}),
        "findings": [
            {"code": f.code, "name": f.name, "message": f.message, "row": f.start.row, "path": _shown(f.path, root)}
            for f in node.findings
        ],
    }


def _shown(path: Path, root: Path) -> str:
    path = path.absolute()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
