"""The map as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html), which GitHub and GitLab draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lint_sessions.map.model import Edge, Kind, Link, Map, Node

_SHAPES: Final = {
    Kind.ENGINE: ("[(", ")]"),
    Kind.FACTORY: ("[[", "]]"),
    Kind.SESSION: ("[[", "]]"),
    Kind.PROVIDER: ("([", "])"),
    Kind.ROUTE: (">", "]"),
    Kind.WORKER: ("{{", "}}"),
}
_ARROWS: Final = {Link.BINDS: "-->", Link.MAKES: "==>", Link.PROVIDES: "-->", Link.LENDS: "-.->"}


def mermaid(drawn: Map) -> str:
    """A flowchart, with a subgraph for each module, and in red what has findings."""
    return "\n".join(_rows(drawn)) + "\n"


def _rows(drawn: Map) -> Iterator[str]:
    names = {node.id: f"n{number}" for number, node in enumerate(drawn.nodes)}
    yield "flowchart LR"
    for number, (module, nodes) in enumerate(drawn.modules.items()):
        if all(node.kind is Kind.MODULE for node in nodes):
            yield from (f"  {_node(node, names[node.id])}" for node in nodes)
            continue
        yield f'  subgraph m{number}["{_text(module)}"]'
        yield from (f"    {_node(node, names[node.id])}" for node in nodes)
        yield "  end"
    yield from (f"  {_edge(edge, names)}" for edge in drawn.edges)
    red = [names[node.id] for node in drawn.nodes if node.findings]
    if red:
        yield "  classDef finding fill:#fde8e8,stroke:#c81e1e,color:#771d1d"
        yield f"  class {','.join(red)} finding"


def _node(node: Node, name: str) -> str:
    before, after = _SHAPES.get(node.kind, ("[", "]"))
    kind = "" if node.kind in (Kind.CLASS, Kind.FUNCTION, Kind.MODULE) else f"{node.kind.value} "
    rows = [f"{kind}{node.name}", node.route, node.told, node.codes]
    return f'{name}{before}"{"<br/>".join(_text(row) for row in rows if row)}"{after}'


def _edge(edge: Edge, names: dict[str, str]) -> str:
    return f"{names[edge.source]} {_ARROWS[edge.link]}|{edge.link.value}| {names[edge.target]}"


def _text(text: str) -> str:
    """Text inside quotes, where `#` begins an entity."""
    special = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;"}
    return "".join(special.get(letter, letter) for letter in text)
