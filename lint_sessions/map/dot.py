"""The map in the language of Graphviz (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lint_sessions.map.model import Kind, Link, Map, Node

_SHAPES: Final = {
    Kind.ENGINE: "cylinder",
    Kind.FACTORY: "component",
    Kind.SESSION: "component",
    Kind.PROVIDER: "ellipse",
    Kind.ROUTE: "cds",
    Kind.WORKER: "hexagon",
    Kind.MODULE: "tab",
}
_STYLES: Final = {Link.BINDS: "solid", Link.MAKES: "bold", Link.PROVIDES: "solid", Link.LENDS: "dashed"}


def dot(drawn: Map) -> str:
    """A graph with a cluster for each module, and in red what has findings."""
    return "\n".join(_rows(drawn)) + "\n"


def _rows(drawn: Map) -> Iterator[str]:
    yield "digraph sessions {"
    yield "  rankdir=LR"
    yield '  node [fontname="sans-serif" shape=box]'
    yield '  edge [fontname="sans-serif" fontsize=10]'
    for number, (module, nodes) in enumerate(drawn.modules.items()):
        if all(node.kind is Kind.MODULE for node in nodes):
            yield from (f"  {_node(node)}" for node in nodes)
            continue
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(module)}"
        yield from (f"    {_node(node)}" for node in nodes)
        yield "  }"
    for edge in drawn.edges:
        style = f"label={edge.link.value} style={_STYLES[edge.link]}"
        yield f"  {_quoted(edge.source)} -> {_quoted(edge.target)} [{style}]"
    yield "}"


def _node(node: Node) -> str:
    label = "\n".join(row for row in (node.name, node.route, node.told, node.codes) if row)
    red = ' color="#c81e1e" fontcolor="#771d1d"' if node.findings else ""
    return f"{_quoted(node.id)} [label={_quoted(label)} shape={_SHAPES.get(node.kind, 'box')}{red}]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
