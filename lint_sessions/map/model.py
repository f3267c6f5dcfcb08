"""What a map shows: definitions that have to do with sessions, and how sessions get from one to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from lint_sessions.finding import Finding


class Kind(Enum):
    """What a node stands for; the value is its word in every output."""

    ENGINE = "engine"
    FACTORY = "factory"
    SESSION = "session"
    """A session that is made at import, for all."""
    PROVIDER = "provider"
    ROUTE = "route"
    WORKER = "worker"
    CLASS = "class"
    FUNCTION = "function"
    MODULE = "module"
    """All of a module, where modules are drawn and not what is in them."""


class Act(Enum):
    """What a definition does with sessions itself."""

    OPENS = "opens"
    COMMITS = "commits"
    ROLLS_BACK = "rolls back"
    CLOSES = "closes"


class Link(Enum):
    """How a session, or what makes it, gets along an edge."""

    BINDS = "binds"
    """An engine, to the factory that is bound to it."""
    MAKES = "makes"
    """A factory, or an engine, to whoever opens a session with it."""
    PROVIDES = "provides"
    """A function, to whoever gets a session from it, or an object that holds one: by a framework or by a call."""
    LENDS = "lends"
    """Whoever has a session, to what is called with it."""


@dataclass(frozen=True)
class Node:
    """A top-level definition of a module; of a class, with all its methods."""

    id: str
    kind: Kind
    name: str
    module: str
    """The file, relative to the root of the project, with slashes."""
    row: int
    acts: tuple[tuple[Act, tuple[int, ...]], ...] = ()
    """What it does to sessions, in the order of a session's life, each with its rows; of a module with none."""
    findings: tuple[Finding, ...] = ()
    route: str = ""
    """Of a route what it answers (`GET /users`), as far as its decorator and its router tell."""
    counts: tuple[tuple[Kind, int], ...] = ()
    """Of a module: how many definitions of each kind it has."""

    @property
    def told(self) -> str:
        """What it does, or has, in words."""
        if self.counts:
            return ", ".join(f"{count} {plural(kind, count)}" for kind, count in self.counts)
        return ", ".join(act.value for act, _ in self.acts)

    @property
    def codes(self) -> str:
        """The rules that have found something in it."""
        return ", ".join(sorted({finding.code for finding in self.findings}))


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    link: Link


@dataclass(frozen=True)
class Map:
    """A map: nodes by module and row, edges between them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @classmethod
    def of(cls, nodes: Iterable[Node], edges: Iterable[Edge]) -> Map:
        """A map in a lasting order, without edges that lead nowhere."""
        ordered = sorted(nodes, key=lambda node: (node.module, node.row, node.name))
        known = {node.id for node in ordered}
        order = list(Link)
        kept = {edge for edge in edges if {edge.source, edge.target} <= known and edge.source != edge.target}
        return cls(tuple(ordered), tuple(sorted(kept, key=lambda e: (e.source, e.target, order.index(e.link)))))

    @property
    def modules(self) -> dict[str, list[Node]]:
        """The nodes by their modules."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.module, []).append(node)
        return found

    @property
    def findings(self) -> Iterator[Finding]:
        for node in self.nodes:
            yield from node.findings

    def by_module(self) -> Map:
        """The same with one node for each module."""
        home = {node.id: node.module for node in self.nodes}
        nodes = [_module(name, inside) for name, inside in self.modules.items()]
        return Map.of(nodes, (replace(e, source=home[e.source], target=home[e.target]) for e in self.edges))


def _module(name: str, inside: Iterable[Node]) -> Node:
    nodes = list(inside)
    counts = Counter(node.kind for node in nodes)
    done = {act for node in nodes for act, _ in node.acts}
    acts: tuple[tuple[Act, tuple[int, ...]], ...] = tuple((act, ()) for act in Act if act in done)
    findings = tuple(finding for node in nodes for finding in node.findings)
    told = tuple((kind, counts[kind]) for kind in Kind if counts[kind])
    return Node(name, Kind.MODULE, name, name, 1, acts, findings, counts=told)


def plural(kind: Kind, count: int) -> str:
    """The word for so many of a kind."""
    if count == 1:
        return kind.value
    return {"factory": "factories", "class": "classes"}.get(kind.value, f"{kind.value}s")
