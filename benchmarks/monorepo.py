"""Write a FastAPI monorepo that nobody has, to time linters on: domains with models, schemas, services and the rest.

    python benchmarks/monorepo.py OUT --modules 500 --seed 1

The same modules and seed give the same bytes. OUT gets as many Python files as are asked for (40 at least) and a
`pyproject.toml`. What is written is parsed and resolved as a real project would be: modules import each other, about a
third of the files mention sqlalchemy, about one function in ten touches a session, and one in fifty of those misuses it
as some rule finds. `shares` counts that in the files as they stand, and the command prints it.

Nothing of it is meant to run: the code is of the length, shape and words of the real thing, not of its sense.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import Template
from typing import Final

SMALLEST: Final = 40
"""Modules: the shared ones, and one domain."""
_DOMAIN: Final = 44
"""Modules of a domain, about."""
_PER_MISUSE: Final = 50
"""Functions with a session for each that misuses it."""


@dataclass(frozen=True)
class Shares:
    """What is in a tree."""

    modules: int
    lines: int
    mentioning: int
    """Modules with the word sqlalchemy or sqlmodel."""
    functions: int
    touching: int
    """Functions in whose own code a session is named."""

    def told(self) -> str:
        mean = self.lines // max(self.modules, 1)
        mentioning, touching = self.mentioning / max(self.modules, 1), self.touching / max(self.functions, 1)
        return (
            f"{self.modules:,} modules of {mean} lines each, {mentioning:.0%} mention sqlalchemy; "
            f"{self.functions:,} functions, {touching:.0%} touch a session"
        )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Write a FastAPI monorepo to time linters on.")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument(
        "--modules", type=int, default=500, help=f"how many Python files (default: 500; {SMALLEST} at least)"
    )
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    if asked.modules < SMALLEST:
        parser.error(f"--modules: at least {SMALLEST}")
    if asked.out.exists() and any(asked.out.iterdir()):
        parser.error(f"{asked.out} is not empty")
    misuses = write(asked.out, asked.modules, asked.seed)
    print(f"{shares(asked.out).told()}, {len(misuses)} of which misuse it")
    return 0


def write(out: Path, modules: int, seed: int = 1) -> list[tuple[str, str]]:
    """Write a tree of so many modules; the misuses in it, as the code of the rule and the file."""
    if modules < SMALLEST:
        raise ValueError(f"a monorepo has {SMALLEST} modules at least")
    repo = _Repository(out, random.Random(seed))
    repo.text("pyproject.toml", _PYPROJECT)
    names = repo.names(max(1, round((modules - len(_SHARED)) / _DOMAIN)))
    for name, body in _SHARED.items():
        repo.module(name, Template(body).substitute(docs=repo.sentence()))
    routers = "\n".join(f"from shop.{name}.routers import router as {name}_router" for name in names)
    included = "\n".join(f'app.include_router({name}_router, prefix="/{name}")' for name in names)
    repo.module("shop/main.py", Template(_MAIN).substitute(routers=routers, included=included))
    left = modules - repo.modules
    for number, name in enumerate(names):
        size = left // (len(names) - number)
        left -= size
        _Domain(repo, name, number, names[number - 1] if number else None).write(size)
    return repo.misuses


def write_misuses(tree: Path) -> list[tuple[str, str]]:
    """Add a module for each kind of misuse to a tree: the codes of the rules, and the files."""
    written = []
    for number, (code, imports, text) in enumerate(MISUSES):
        file = f"shop/misuse_{number}.py"
        body = Template(text).substitute(n=number, thing="invoice", kind="daily").strip("\n")
        (tree / file).write_text(module_text(f"Misuse that {code} finds.", set(imports), [body]) + "\n", "utf-8")
        written.append((code, file))
    return written


_SESSION = re.compile(r"(?:^|_)(?:session|db|uow)$|Session(?:Local|Dep|Maker)?$", re.IGNORECASE)


def shares(tree: Path) -> Shares:
    """What is in the Python files below a folder."""
    modules = lines = mentioning = functions = touching = 0
    for path in tree.rglob("*.py"):
        text = path.read_text("utf-8")
        modules += 1
        lines += text.count("\n")
        mentions = "sqlalchemy" in text or "sqlmodel" in text
        mentioning += mentions
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                functions += 1
                touching += mentions and any(_SESSION.search(name) for name in _names(node))
    return Shares(modules, lines, mentioning, functions, touching)


def _names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The names in a function's own code."""
    pending: list[ast.AST] = [function.args, *function.body]
    while pending:
        match pending.pop():
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                continue
            case ast.Name(id=name) | ast.arg(arg=name) as node:
                yield name
            case ast.Attribute(attr=name) as node:
                yield name
            case node:
                pass
        pending += ast.iter_child_nodes(node)


# --- the files --------------------------------------------------------------------------------------------------------


class _Repository:
    """What has been written of one tree, and the dice."""

    def __init__(self, out: Path, dice: random.Random) -> None:
        self.out = out
        self.dice = dice
        self.modules = 0
        self.session_functions = 0
        self.misuses: list[tuple[str, str]] = []
        self._first = dice.randrange(len(MISUSES))

    def text(self, name: str, text: str) -> None:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")

    def module(self, name: str, text: str) -> None:
        self.modules += 1
        self.text(name, text.strip("\n") + "\n" if text.strip() else "")

    def names(self, wanted: int) -> list[str]:
        """Names for domains, all different."""
        plain = [f"{kind}_{thing}" for kind, thing in product(_KINDS, _THINGS)]
        self.dice.shuffle(plain)
        rounds = -(-wanted // len(plain))
        return [f"{name}_{turn}" if turn else name for turn in range(rounds) for name in plain][:wanted]

    def sentence(self) -> str:
        words = (
            self.dice.choice(_VERBS),
            self.dice.choice(_KINDS),
            self.dice.choice(_THINGS),
            self.dice.choice(_REASONS),
        )
        return f"{words[0].capitalize()} the {words[1]} {words[2]} {words[3]}."

    def misuse(self, file: str) -> tuple[set[str], str] | None:
        """The imports and the text of a misuse where one is due."""
        if self.session_functions // _PER_MISUSE <= len(self.misuses):
            return None
        code, needs, text = MISUSES[(self._first + len(self.misuses)) % len(MISUSES)]
        self.misuses.append((code, file))
        names = {"n": len(self.misuses), "thing": self.dice.choice(_THINGS), "kind": self.dice.choice(_KINDS)}
        return set(needs), Template(text).substitute(names).strip("\n")


def module_text(docstring: str, imports: set[str], parts: Sequence[str]) -> str:
    """A module of these parts; its imports in the order that isort gives them."""
    groups: list[list[str]] = [[], [], []]
    for line in sorted(imports, key=lambda line: (line.split()[0] == "from", line.split()[1])):
        package = line.split()[1].partition(".")[0]
        groups[2 if package == "shop" else 0 if package in sys.stdlib_module_names else 1].append(line)
    head = "\n\n".join("\n".join(group) for group in groups if group)
    return "\n\n\n".join([f'"""{docstring}"""\n\nfrom __future__ import annotations\n\n{head}'.rstrip(), *parts])


_TOUCHES = re.compile(r"\b_?(?:session|db)\b|SessionLocal\b")


class _Domain:
    """One package of the monorepo, with three kinds of things in it."""

    def __init__(self, repo: _Repository, name: str, number: int, neighbour: str | None) -> None:
        self.repo = repo
        self.dice = repo.dice
        self.name = name
        self.place = f"shop/{name}"
        self.neighbour = neighbour
        self.is_async = number % 2 == 1
        self.style = number % 5
        things = self.dice.sample(_THINGS, 3)
        self.things = [f"{self.dice.choice(_KINDS)}_{thing}" for thing in things]

    def write(self, size: int) -> None:
        """Write this many modules."""
        before = self.repo.modules
        for folder in ("", "models/", "schemas/", "repositories/", "services/", "routers/", "tests/"):
            self._package(folder)
        self._providers()
        for thing in self.things:
            self._write(f"schemas/{thing}.py", _SCHEMA, thing, functions=2)
            self._write(f"models/{thing}.py", _MODEL, thing, functions=2)
            self._write(f"repositories/{thing}.py", _REPOSITORIES[self.is_async], thing, functions=3)
            service = _SERVICES[(self.style + self.things.index(thing)) % len(_SERVICES)][self.is_async]
            self._write(f"services/{thing}.py", service, thing, functions=5)
            self._write(f"routers/{thing}.py", _ROUTERS[self.style % 2][self.is_async], thing, functions=1)
        self._jobs()
        left = size - (self.repo.modules - before)
        folders = ("logic", "utils", "logic", "clients", "tests", "logic", "utils")
        for number in range(left):
            folder = folders[number % len(folders)]
            thing = f"{self.dice.choice(_VERBS)}_{self.dice.choice(_THINGS)}_{number}"
            if folder == "tests":
                self._write(f"tests/test_{thing}.py", _TEST, self.dice.choice(self.things), functions=6)
            elif folder == "clients":
                self._write(f"clients/{thing}.py", _CLIENTS[self.is_async], thing, functions=5)
            else:
                self._write(f"{folder}/{thing}.py", "", thing, functions=self.dice.randint(7, 13))

    def _package(self, folder: str) -> None:
        lines = []
        if folder in ("models/", "schemas/", "repositories/", "services/"):
            suffix = folder.rstrip("/").removesuffix("s").removesuffix("ie").capitalize()
            ending = {"Model": "", "Schema": "Read", "Repositor": "Repository", "Service": "Service"}[suffix]
            package = f"shop.{self.name}.{folder.rstrip('/')}"
            lines = [f"from {package}.{thing} import {_camel(thing)}{ending}" for thing in self.things]
            lines += [
                "",
                f"__all__ = [{', '.join(f'{chr(34)}{_camel(thing)}{ending}{chr(34)}' for thing in self.things)}]",
            ]
        elif folder == "routers/":
            lines = ["from fastapi import APIRouter", ""]
            lines += [f"from shop.{self.name}.routers.{thing} import router as {thing}_router" for thing in self.things]
            lines += ["", f'router = APIRouter(tags=["{self.name}"])']
            lines += [f"router.include_router({thing}_router)" for thing in self.things]
        self.repo.module(f"{self.place}/{folder}__init__.py", "\n".join(lines))

    def _providers(self) -> None:
        imports, text = _PROVIDERS[self.style][self.is_async]
        self._finish("deps.py", set(imports), [text.strip("\n")], functions=2)

    def _jobs(self) -> None:
        imports, text = _JOBS[self.is_async]
        thing = self.dice.choice(self.things)
        parts = [self._filled(text, thing).strip("\n")]
        self._finish("jobs.py", {self._filled(line, thing) for line in imports}, parts, functions=3)

    def _write(self, file: str, template: str, thing: str, functions: int) -> None:
        head, _, body = template.partition("\n---\n")
        imports = {self._filled(line, thing) for line in head.strip().splitlines()}
        self._finish(file, imports, [self._filled(body, thing).strip("\n")] if body else [], functions)

    def _finish(self, file: str, imports: set[str], parts: list[str], functions: int) -> None:
        """Write a module with these parts, plain functions between them, and the misuse that is due."""
        if any("sqlalchemy" in line or "core.db" in line for line in imports):
            bodies = (body for part in parts for body in part.split("def ")[1:])
            self.repo.session_functions += sum(_TOUCHES.search(body) is not None for body in bodies)
        writer = _Plain(self.repo)
        for _ in range(functions):
            parts.insert(self.dice.randint(min(1, len(parts)), len(parts)), writer.function())
        if file.startswith(("jobs", "deps", "routers/")) and (found := self.repo.misuse(f"{self.place}/{file}")):
            imports |= found[0]
            parts.append(found[1])
        imports |= writer.imports
        if self.neighbour and file.startswith(("logic/", "utils/")) and self.dice.random() < 0.3:
            imports.add(f"import shop.{self.neighbour}.deps")
        self.repo.module(f"{self.place}/{file}", module_text(self.repo.sentence(), imports, parts))

    def _filled(self, text: str, thing: str) -> str:
        return Template(text).substitute(self._words(thing))

    def _words(self, thing: str) -> dict[str, str]:
        dice = self.dice
        first, second, third = dice.sample(_FIELDS, 3)
        return {
            "domain": self.name,
            "thing": thing,
            "Thing": _camel(thing),
            "get_db": "get_async_db" if self.is_async else "get_db",
            "first": first,
            "second": second,
            "third": third,
            "verb": dice.choice(_VERBS),
            "kind": dice.choice(_KINDS),
            "docs": self.repo.sentence(),
            "more": self.repo.sentence(),
            "number": str(dice.randint(2, 900)),
        }


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


# --- plain functions --------------------------------------------------------------------------------------------------


class _Plain:
    """Functions that have nothing to do with a database."""

    def __init__(self, repo: _Repository) -> None:
        self.repo = repo
        self.dice = repo.dice
        self.imports = {"import logging"}
        self._names: list[str] = []
        self._taken: set[str] = set()

    def function(self) -> str:
        """A function, or now and then a class of some; with docstrings and comments."""
        kind = self.dice.random()
        if kind < 0.12:
            return self._class()
        if kind < 0.2:
            return self._constants()
        return self._function("", "async " if self.dice.random() < 0.1 else "")

    def _class(self) -> str:
        fields = self.dice.sample(_FIELDS, self.dice.randint(2, 5))
        self.imports.add("from dataclasses import dataclass")
        rows = ["@dataclass", f"class {_camel(self._name())}:", f'    """{self.repo.sentence()}"""', ""]
        rows += [f"    {field}: {self.dice.choice(_TYPES)}" for field in fields]
        for _ in range(self.dice.randint(1, 3)):
            rows += ["", self._function("    ", "", fields)]
        return "\n".join(rows)

    def _constants(self) -> str:
        rows = [f"{self._name().upper()} = {{"]
        fields = self.dice.sample(_FIELDS, self.dice.randint(3, 9))
        rows += [f'    "{field}": ("{self.dice.choice(_KINDS)}", {self.dice.randint(1, 9999)}),' for field in fields]
        return "\n".join([*rows, "}"])

    def _name(self) -> str:
        name = f"{self.dice.choice(_VERBS)}_{self.dice.choice(_KINDS)}_{self.dice.choice(_THINGS)}"
        while name in self._taken:
            name += f"_{self.dice.choice(_FIELDS)}"
        self._taken.add(name)
        return name

    def _function(self, indent: str, prefix: str, fields: Sequence[str] = ()) -> str:
        dice = self.dice
        parameters = dice.sample(_FIELDS, dice.randint(1, 4))
        declared = [f"{name}: {dice.choice(_TYPES)}" for name in parameters]
        given = ", ".join(["self", *declared] if fields else declared)
        self._names = [*parameters, *(f"self.{field}" for field in fields)]
        rows = [f"{indent}{prefix}def {self._name()}({given}) -> {dice.choice(_TYPES)} | None:"]
        inner = indent + "    "
        if dice.random() < 0.6:
            rows.append(f'{inner}"""{self.repo.sentence()}')
            if dice.random() < 0.35:
                rows += ["", f"{inner}{self.repo.sentence()}", f"{inner}{self.repo.sentence()}"]
            rows[-1] += '"""'
        rows += self._suite(inner, dice.randint(2, 5), 0)
        rows.append(f"{inner}return {dice.choice(self._names)}")
        return "\n".join(rows)

    def _suite(self, indent: str, length: int, depth: int) -> list[str]:
        rows: list[str] = []
        for _ in range(length):
            if self.dice.random() < 0.12:
                rows.append(f"{indent}# {self.repo.sentence()}")
            kinds = _SIMPLE if depth > 1 or self.dice.random() < 0.6 else _COMPOUND
            rows += self.dice.choice(kinds)(self, indent, depth)
        return rows

    def _known(self) -> str:
        return self.dice.choice(self._names)

    def _new(self) -> str:
        name = f"{self.dice.choice(_KINDS)}_{self.dice.choice(_FIELDS)}"
        self._names.append(name)
        return name

    def _inner(self, indent: str, depth: int) -> list[str]:
        """A suite; the names that are bound in it are not used behind it."""
        names = list(self._names)
        rows = self._suite(indent + "    ", self.dice.randint(1, 3), depth + 1)
        self._names = names
        return rows

    def assignment(self, indent: str, _: int) -> list[str]:
        value = f"{self._known()} {self.dice.choice('+-*')} {self.dice.randint(1, 99)}"
        return [f"{indent}{self._new()} = {value}"]

    def call(self, indent: str, _: int) -> list[str]:
        value, other, method = self._known(), self._known(), self.dice.choice(_METHODS)
        return [f'{indent}{self._new()} = {value}.{method}("{self.dice.choice(_KINDS)}", {other})']

    def logged(self, indent: str, _: int) -> list[str]:
        return [f'{indent}logging.getLogger(__name__).info("{self.repo.sentence()} %s", {self._known()})']

    def comprehension(self, indent: str, _: int) -> list[str]:
        value, field = self._known(), self.dice.choice(_FIELDS)
        return [f"{indent}{self._new()} = [item.{field} for item in {value} if item.{field} is not None]"]

    def mapping(self, indent: str, _: int) -> list[str]:
        rows = [f'{indent}    "{self.dice.choice(_FIELDS)}": {self._known()},' for _ in range(self.dice.randint(2, 5))]
        return [f"{indent}{self._new()} = {{", *rows, f"{indent}}}"]

    def words(self, indent: str, _: int) -> list[str]:
        value, other = self._known(), self._known()
        return [f'{indent}{self._new()} = f"{self.dice.choice(_KINDS)} {{{value}}} of {{{other}!r}}"']

    def condition(self, indent: str, depth: int) -> list[str]:
        rows = [f"{indent}if {self._known()} {self.dice.choice(_COMPARISONS)}:", *self._inner(indent, depth)]
        if self.dice.random() < 0.3:
            rows += [f"{indent}elif {self._known()} {self.dice.choice(_COMPARISONS)}:", *self._inner(indent, depth)]
        if self.dice.random() < 0.4:
            rows += [f"{indent}else:", *self._inner(indent, depth)]
        return rows

    def early(self, indent: str, _: int) -> list[str]:
        return [f"{indent}if not {self._known()}:", f"{indent}    return None"]

    def loop(self, indent: str, depth: int) -> list[str]:
        value, name = self._known(), self._new()
        return [f"{indent}for {name} in {value}:", *self._inner(indent, depth)]

    def attempt(self, indent: str, depth: int) -> list[str]:
        error = self.dice.choice(("ValueError", "KeyError", "(TypeError, LookupError)"))
        rows = [f"{indent}try:", *self._inner(indent, depth), f"{indent}except {error} as error:"]
        return [*rows, f'{indent}    raise RuntimeError("{self.repo.sentence()}") from error']

    def opened(self, indent: str, depth: int) -> list[str]:
        value, name = self._known(), self._new()
        return [f'{indent}with open({value}, encoding="utf-8") as {name}:', *self._inner(indent, depth)]


_SIMPLE: Final[Sequence[Callable[[_Plain, str, int], list[str]]]] = (
    _Plain.assignment,
    _Plain.call,
    _Plain.call,
    _Plain.logged,
    _Plain.comprehension,
    _Plain.mapping,
    _Plain.words,
)
_COMPOUND: Final[Sequence[Callable[[_Plain, str, int], list[str]]]] = (
    _Plain.condition,
    _Plain.condition,
    _Plain.early,
    _Plain.loop,
    _Plain.attempt,
    _Plain.opened,
)


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_VERBS: Final = _listed(
    "apply archive audit balance build check collect compare compute convert count decode describe detect dispatch "
    "encode enrich estimate expand expire explain export fetch filter find flatten format forward gather group guess "
    "import inspect join label limit list load lock mark mask match measure merge move normalize notify order pack "
    "parse plan predict prepare price prune publish queue rank read rebuild reduce refund reject release render "
    "repair replace report reserve resolve restore review route sample schedule score select send settle share sign "
    "sort split store sum sync tag trace track translate trim unpack update validate verify wrap"
)
_KINDS: Final = _listed(
    "active annual approved basic blocked bulk cached central closed common confirmed current daily default delayed "
    "digital direct draft early empty external failed final first fixed foreign frozen global hidden hourly imported "
    "initial internal known large late linked local manual merged minor mobile monthly national nested net new "
    "nightly open partial pending physical planned prepaid previous primary private public quick rare recent regional "
    "remote reserved retail rough secondary shared signed silent simple single small special stale static target "
    "temporary total trusted upper urgent valid virtual visible weekly whole"
)
_THINGS: Final = _listed(
    "account address agent alert amount article asset balance batch bill booking branch brand budget bundle campaign "
    "carrier cart catalog channel charge claim client code comment company contact contract coupon course credit "
    "customer dealer debit delivery deposit device discount dispute document driver employee entry event exchange "
    "expense feature fee field file fleet flight folder forecast form gift grade grant group guest holiday hotel "
    "image income invoice item journal label lead lease ledger lesson letter license limit listing loan location "
    "machine margin market meal member message meter model note notice offer office order outlet package page parcel "
    "partner passenger payment payout permit phone photo plan player policy portfolio price product profile project "
    "purchase quote rate rating receipt record refund region rental report request reservation resource review reward "
    "room route salary sale sample schedule season seat segment sensor service shift shipment shop station statement "
    "stock store student subscription supplier survey task tax team template tenant ticket tour track trade trip unit "
    "user vehicle vendor venue visit voucher wallet warehouse warranty watch worker zone"
)
_FIELDS: Final = _listed(
    "amount author balance barcode category city code color comment count country created currency deadline depth "
    "description discount distance duration email expires factor fee flags gender grade gross hash height image index "
    "interval kind label language latitude length level limit locale longitude margin name net number origin owner "
    "page parent path percent phone position postcode price priority quantity quota rank rate reason region remark "
    "role score sender sequence serial share size slug source speed start state status stock street subject summary "
    "surname tags target tax temperature title token topic total unit updated url usage value vendor version volume "
    "weight width year zone"
)
_REASONS: Final = (
    "before it is shown to anybody",
    "that the partner has sent",
    "as the contract says",
    "once a night",
    "without asking the vendor again",
    "of the last quarter",
    "when the order is complete, and not earlier",
    "by the rules of the country it is sold in",
    "so that a second run changes nothing",
    "for the monthly report",
    "where the old system left a gap",
    "in the currency of the account",
)
_TYPES: Final = ("int", "str", "float", "bool", "dict[str, int]", "list[str]", "tuple[str, int]", "set[int]")
_METHODS: Final = (
    *(
        "get",
        "replace",
        "split",
        "strip",
        "update",
        "append",
        "setdefault",
        "items",
        "join",
        "encode",
        "count",
        "index",
    ),
    *("add", "remove", "copy", "send", "read", "close", "execute", "format", "resolve", "filter", "all", "first"),
)
_COMPARISONS: Final = ("is None", "> 0", '== "open"', "!= 1", "is not None", "<= 100", 'in ("new", "paid")')

# --- templates --------------------------------------------------------------------------------------------------------
# Imports, a row of three dashes, and the code.

_PYPROJECT = """[project]
name = "shop"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["fastapi>=0.115", "sqlalchemy[asyncio]>=2.0", "httpx>=0.27", "pydantic>=2"]
"""

_SHARED: Final = {
    "shop/__init__.py": "",
    "shop/core/__init__.py": "",
    "shop/core/config.py": '''"""$docs"""

from functools import lru_cache

from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    database_url: str = "postgresql+psycopg://localhost/shop"
    async_database_url: str = "postgresql+asyncpg://localhost/shop"
    pool_size: int = 10
    echo: bool = False


@lru_cache
def get_settings() -> Settings:
    return Settings()
''',
    "shop/core/db.py": '''"""$docs"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated

from fastapi import Depends
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from shop.core.config import get_settings

settings = get_settings()
engine = create_engine(settings.database_url, pool_size=settings.pool_size, pool_pre_ping=True)
async_engine = create_async_engine(settings.async_database_url, echo=settings.echo)
SessionLocal = sessionmaker(engine, expire_on_commit=True)
AsyncSessionLocal = async_sessionmaker(async_engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """All mapped classes."""


def get_db() -> Iterator[Session]:
    """One session a request; who writes commits."""
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


async def get_async_db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionLocal() as session:
        yield session


@contextmanager
def session_scope() -> Iterator[Session]:
    """For jobs: commits at the end, and rolls back on an error."""
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.close()


@asynccontextmanager
async def async_session_scope() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionLocal() as session, session.begin():
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
AsyncSessionDep = Annotated[AsyncSession, Depends(get_async_db)]
''',
    "shop/core/errors.py": '''"""$docs"""

from fastapi import HTTPException


class NotFound(HTTPException):
    def __init__(self, what: str) -> None:
        super().__init__(404, f"{what} not found")


class Conflict(HTTPException):
    def __init__(self, what: str) -> None:
        super().__init__(409, f"{what} is there already")
''',
}

_MAIN = '''"""The application."""

from fastapi import FastAPI

$routers

app = FastAPI(title="shop")
$included


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "up"}
'''

_MODEL = '''
from datetime import datetime
from sqlalchemy import ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column, relationship
from shop.core.db import Base
---
class ${Thing}(Base):
    """$docs"""

    __tablename__ = "${domain}_${thing}"

    id: Mapped[int] = mapped_column(primary_key=True)
    ${first}_key: Mapped[str] = mapped_column(String(64), index=True)
    ${second}_text: Mapped[str | None] = mapped_column(default=None)
    ${third}_number: Mapped[int] = mapped_column(default=$number)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("${domain}_${thing}.id"))

    parent: Mapped[${Thing} | None] = relationship(remote_side=[id])

    @property
    def is_root(self) -> bool:
        """$more"""
        return self.parent_id is None

    def label(self) -> str:
        # $docs
        return f"{self.${first}_key} ({self.${third}_number})"
'''

_SCHEMA = '''
from pydantic import BaseModel, ConfigDict, field_validator
---
class ${Thing}Base(BaseModel):
    """$docs"""

    ${first}_key: str
    ${second}_text: str | None = None
    ${third}_number: int = $number

    @field_validator("${first}_key")
    @classmethod
    def not_empty(cls, value: str) -> str:
        """$more"""
        if not value.strip():
            raise ValueError("must not be empty")
        return value.strip()


class ${Thing}Create(${Thing}Base):
    pass


class ${Thing}Update(BaseModel):
    ${first}_key: str | None = None
    ${second}_text: str | None = None


class ${Thing}Read(${Thing}Base):
    model_config = ConfigDict(from_attributes=True)

    id: int
'''

_REPOSITORIES = (
    '''
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from shop.$domain.models import ${Thing}
---
class ${Thing}Repository:
    """$docs"""

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, key: int) -> ${Thing} | None:
        return self.session.get(${Thing}, key)

    def page(self, offset: int = 0, limit: int = $number) -> list[${Thing}]:
        """$more"""
        query = select(${Thing}).order_by(${Thing}.id).offset(offset).limit(limit)
        return list(self.session.scalars(query))

    def add(self, ${thing}: ${Thing}) -> ${Thing}:
        self.session.add(${thing})
        self.session.flush()
        return ${thing}

    def count(self) -> int:
        return self.session.scalar(select(func.count()).select_from(${Thing})) or 0
''',
    '''
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from shop.$domain.models import ${Thing}
---
class ${Thing}Repository:
    """$docs"""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, key: int) -> ${Thing} | None:
        return await self._session.get(${Thing}, key)

    async def page(self, offset: int = 0, limit: int = $number) -> list[${Thing}]:
        """$more"""
        query = select(${Thing}).order_by(${Thing}.id).offset(offset).limit(limit)
        return list(await self._session.scalars(query))

    async def add(self, ${thing}: ${Thing}) -> ${Thing}:
        self._session.add(${thing})
        await self._session.flush()
        return ${thing}

    async def count(self) -> int:
        return await self._session.scalar(select(func.count()).select_from(${Thing})) or 0
''',
)

_SERVICES = (
    (
        '''
from shop.$domain.models import ${Thing}
from shop.$domain.repositories import ${Thing}Repository
from shop.$domain.schemas.$thing import ${Thing}Create
from shop.core.errors import NotFound
---
class ${Thing}Service:
    """$docs"""

    def __init__(self, repository: ${Thing}Repository) -> None:
        self.repository = repository

    def find(self, key: int) -> ${Thing}:
        found = self.repository.get(key)
        if found is None:
            raise NotFound("$thing")
        return found

    def create(self, data: ${Thing}Create) -> ${Thing}:
        """$more"""
        return self.repository.add(${Thing}(**data.model_dump()))

    def summary(self) -> dict[str, int]:
        rows = self.repository.page(limit=$number)
        return {"shown": len(rows), "all": self.repository.count()}
''',
        '''
from shop.$domain.models import ${Thing}
from shop.$domain.repositories import ${Thing}Repository
from shop.$domain.schemas.$thing import ${Thing}Create
from shop.core.errors import NotFound
---
class ${Thing}Service:
    """$docs"""

    def __init__(self, repository: ${Thing}Repository) -> None:
        self.repository = repository

    async def find(self, key: int) -> ${Thing}:
        found = await self.repository.get(key)
        if found is None:
            raise NotFound("$thing")
        return found

    async def create(self, data: ${Thing}Create) -> ${Thing}:
        """$more"""
        return await self.repository.add(${Thing}(**data.model_dump()))

    async def summary(self) -> dict[str, int]:
        rows = await self.repository.page(limit=$number)
        return {"shown": len(rows), "all": await self.repository.count()}
''',
    ),
    (
        '''
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from shop.$domain.models import ${Thing}
from shop.$domain.schemas.$thing import ${Thing}Create
from shop.core.errors import Conflict, NotFound
---
class ${Thing}Service:
    """$docs"""

    def __init__(self, db: Session) -> None:
        self.db = db

    def create(self, data: ${Thing}Create) -> ${Thing}:
        row = ${Thing}(**data.model_dump())
        self.db.add(row)
        try:
            self.db.commit()
        except IntegrityError:
            # $more
            self.db.rollback()
            raise Conflict("$thing") from None
        self.db.refresh(row)
        return row

    def remove(self, key: int) -> None:
        row = self.db.get(${Thing}, key)
        if row is None:
            raise NotFound("$thing")
        self.db.delete(row)
        self.db.commit()

    def named(self, name: str) -> ${Thing} | None:
        return self.db.scalar(select(${Thing}).where(${Thing}.id == name))
''',
        '''
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from shop.$domain.models import ${Thing}
from shop.$domain.schemas.$thing import ${Thing}Create
from shop.core.errors import Conflict, NotFound
---
class ${Thing}Service:
    """$docs"""

    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def create(self, data: ${Thing}Create) -> ${Thing}:
        row = ${Thing}(**data.model_dump())
        self.db.add(row)
        try:
            await self.db.commit()
        except IntegrityError:
            # $more
            await self.db.rollback()
            raise Conflict("$thing") from None
        await self.db.refresh(row)
        return row

    async def remove(self, key: int) -> None:
        row = await self.db.get(${Thing}, key)
        if row is None:
            raise NotFound("$thing")
        await self.db.delete(row)
        await self.db.commit()

    async def named(self, name: str) -> ${Thing} | None:
        return await self.db.scalar(select(${Thing}).where(${Thing}.id == name))
''',
    ),
)

_ROUTERS = (
    (
        '''
from fastapi import APIRouter, Depends, status
from sqlalchemy import select
from sqlalchemy.orm import Session
from shop.$domain.deps import $get_db
from shop.$domain.models import ${Thing}
from shop.$domain.schemas.$thing import ${Thing}Create, ${Thing}Read
from shop.core.errors import NotFound
---
router = APIRouter(prefix="/$thing", tags=["$thing"])


@router.get("", response_model=list[${Thing}Read])
def list_all(offset: int = 0, limit: int = $number, db: Session = Depends($get_db)):
    """$docs"""
    return db.scalars(select(${Thing}).offset(offset).limit(limit)).all()


@router.post("", response_model=${Thing}Read, status_code=status.HTTP_201_CREATED)
def create(data: ${Thing}Create, db: Session = Depends($get_db)):
    row = ${Thing}(**data.model_dump())
    db.add(row)
    db.commit()
    db.refresh(row)
    return row


@router.get("/{key}", response_model=${Thing}Read)
def show(key: int, db: Session = Depends($get_db)):
    """$more"""
    row = db.get(${Thing}, key)
    if row is None:
        raise NotFound("$thing")
    return row
''',
        '''
from fastapi import APIRouter, Depends, status
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from shop.$domain.deps import $get_db
from shop.$domain.models import ${Thing}
from shop.$domain.schemas.$thing import ${Thing}Create, ${Thing}Read
from shop.core.errors import NotFound
---
router = APIRouter(prefix="/$thing", tags=["$thing"])


@router.get("", response_model=list[${Thing}Read])
async def list_all(offset: int = 0, limit: int = $number, db: AsyncSession = Depends($get_db)):
    """$docs"""
    return (await db.scalars(select(${Thing}).offset(offset).limit(limit))).all()


@router.post("", response_model=${Thing}Read, status_code=status.HTTP_201_CREATED)
async def create(data: ${Thing}Create, db: AsyncSession = Depends($get_db)):
    row = ${Thing}(**data.model_dump())
    db.add(row)
    await db.commit()
    await db.refresh(row)
    return row


@router.get("/{key}", response_model=${Thing}Read)
async def show(key: int, db: AsyncSession = Depends($get_db)):
    """$more"""
    row = await db.get(${Thing}, key)
    if row is None:
        raise NotFound("$thing")
    return row
''',
    ),
    (
        '''
from fastapi import APIRouter, status
from shop.$domain.repositories import ${Thing}Repository
from shop.$domain.schemas.$thing import ${Thing}Create, ${Thing}Read
from shop.core.db import SessionDep
from shop.core.errors import NotFound
---
router = APIRouter(prefix="/$thing", tags=["$thing"])


@router.get("")
def list_all(session: SessionDep, offset: int = 0, limit: int = $number) -> list[${Thing}Read]:
    """$docs"""
    rows = ${Thing}Repository(session).page(offset, limit)
    return [${Thing}Read.model_validate(row) for row in rows]


@router.get("/{key}")
def show(key: int, session: SessionDep) -> ${Thing}Read:
    row = ${Thing}Repository(session).get(key)
    if row is None:
        raise NotFound("$thing")
    return ${Thing}Read.model_validate(row)


@router.post("/check", status_code=status.HTTP_204_NO_CONTENT)
def check(data: ${Thing}Create) -> None:
    """$more"""
    if data.${first}_key == "$kind":
        raise NotFound("$thing")
''',
        '''
from fastapi import APIRouter, status
from shop.$domain.repositories import ${Thing}Repository
from shop.$domain.schemas.$thing import ${Thing}Create, ${Thing}Read
from shop.core.db import AsyncSessionDep
from shop.core.errors import NotFound
---
router = APIRouter(prefix="/$thing", tags=["$thing"])


@router.get("")
async def list_all(session: AsyncSessionDep, offset: int = 0, limit: int = $number) -> list[${Thing}Read]:
    """$docs"""
    rows = await ${Thing}Repository(session).page(offset, limit)
    return [${Thing}Read.model_validate(row) for row in rows]


@router.get("/{key}")
async def show(key: int, session: AsyncSessionDep) -> ${Thing}Read:
    row = await ${Thing}Repository(session).get(key)
    if row is None:
        raise NotFound("$thing")
    return ${Thing}Read.model_validate(row)


@router.post("/check", status_code=status.HTTP_204_NO_CONTENT)
async def check(data: ${Thing}Create) -> None:
    """$more"""
    if data.${first}_key == "$kind":
        raise NotFound("$thing")
''',
    ),
)

_CLIENTS = (
    '''
import requests
---
class ${Thing}Client:
    """$docs"""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def fetch(self, key: str) -> dict[str, str]:
        """$more"""
        response = self.session.get(f"{self.url}/$first/{key}", timeout=$number)
        response.raise_for_status()
        return response.json()

    def push(self, payload: dict[str, str]) -> str:
        response = self.session.post(f"{self.url}/$second", json=payload, timeout=$number)
        response.raise_for_status()
        return response.json()["id"]

    def close(self) -> None:
        self.session.close()
''',
    '''
import httpx
---
class ${Thing}Client:
    """$docs"""

    def __init__(self, url: str, token: str) -> None:
        self.client = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"})

    async def fetch(self, key: str) -> dict[str, str]:
        """$more"""
        response = await self.client.get(f"/$first/{key}", timeout=$number)
        response.raise_for_status()
        return response.json()

    async def push(self, payload: dict[str, str]) -> str:
        response = await self.client.post("/$second", json=payload, timeout=$number)
        response.raise_for_status()
        return response.json()["id"]

    async def aclose(self) -> None:
        await self.client.aclose()
''',
)

_TEST = '''
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from shop.$domain.models import ${Thing}
from shop.core.db import Base
---
@pytest.fixture
def db():
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def test_a_${thing}_is_stored(db: Session) -> None:
    """$docs"""
    row = ${Thing}(${first}_key="$kind")
    db.add(row)
    db.commit()
    assert db.get(${Thing}, row.id) is row


@pytest.mark.parametrize("value", ["$kind", "$verb", ""])
def test_the_label_has_the_key(value: str) -> None:
    row = ${Thing}(${first}_key=value, ${third}_number=$number)
    assert value in row.label()
'''

_Code = tuple[tuple[str, ...], str]

_DB = ("from shop.core.db import SessionLocal", "from sqlalchemy.orm import Session")
_ADB = ("from shop.core.db import AsyncSessionLocal", "from sqlalchemy.ext.asyncio import AsyncSession")
_IT = ("from collections.abc import Iterator",)
_AIT = ("from collections.abc import AsyncIterator",)

_PROVIDERS: Final[Sequence[tuple[_Code, _Code]]] = (
    (
        (
            (*_DB, *_IT),
            '''
def get_db() -> Iterator[Session]:
    """A session for one request."""
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
''',
        ),
        (
            (*_ADB, *_AIT),
            '''
async def get_async_db() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with AsyncSessionLocal() as session:
        yield session
''',
        ),
    ),
    (
        (
            (*_DB, *_IT),
            """
def get_db() -> Iterator[Session]:
    with SessionLocal() as session:
        try:
            yield session
        except Exception:
            session.rollback()
            raise
""",
        ),
        (
            (*_ADB, *_AIT),
            """
async def get_async_db() -> AsyncIterator[AsyncSession]:
    session = AsyncSessionLocal()
    try:
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
        ),
    ),
    (
        (
            ("from shop.core.db import get_db, session_scope", "from sqlalchemy.orm import Session", *_IT),
            '''
def get_scope() -> Iterator[Session]:
    """The scope of a job, for a route."""
    with session_scope() as session:
        yield session


__all__ = ["get_db", "get_scope"]
''',
        ),
        (
            ("from shop.core.db import get_async_db", "from sqlalchemy.ext.asyncio import AsyncSession"),
            '''
async def ping(session: AsyncSession) -> bool:
    """Whether the database answers."""
    return bool(await session.connection())


__all__ = ["get_async_db", "ping"]
''',
        ),
    ),
    (
        (
            ("from shop.core.db import engine", "from sqlalchemy.orm import Session, sessionmaker", *_IT),
            '''
Factory = sessionmaker(bind=engine, autoflush=False)


def get_db() -> Iterator[Session]:
    """Of a factory of its own."""
    with Factory() as db:
        yield db
''',
        ),
        (
            (
                "from shop.core.db import async_engine",
                "from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker",
                *_AIT,
            ),
            '''
Factory = async_sessionmaker(async_engine, expire_on_commit=False)


async def get_async_db() -> AsyncIterator[AsyncSession]:
    """Of a factory of its own."""
    async with Factory() as db:
        yield db
''',
        ),
    ),
    (
        (
            (*_DB, "from contextlib import closing", *_IT),
            """
def get_db() -> Iterator[Session]:
    with closing(SessionLocal()) as db:
        yield db
""",
        ),
        (
            (*_ADB, *_AIT),
            """
async def get_async_db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionLocal() as db:
        try:
            yield db
        finally:
            await db.rollback()
""",
        ),
    ),
)

_JOBS: Final[tuple[_Code, _Code]] = (
    (
        (
            "from sqlalchemy import delete, select",
            "from shop.core.db import SessionLocal, session_scope",
            "from shop.${domain}.models import ${Thing}",
        ),
        '''
def purge_$thing(limit: int = $number) -> int:
    """$docs"""
    with session_scope() as session:
        result = session.execute(delete(${Thing}).where(${Thing}.id < limit))
        return result.rowcount


def names_of_$thing() -> list[str]:
    with SessionLocal() as db:
        # $more
        return [row.label() for row in db.scalars(select(${Thing}))]
''',
    ),
    (
        (
            "from sqlalchemy import delete, select",
            "from shop.core.db import AsyncSessionLocal, async_session_scope",
            "from shop.${domain}.models import ${Thing}",
        ),
        '''
async def purge_$thing(limit: int = $number) -> int:
    """$docs"""
    async with async_session_scope() as session:
        result = await session.execute(delete(${Thing}).where(${Thing}.id < limit))
        return result.rowcount


async def names_of_$thing() -> list[str]:
    async with AsyncSessionLocal() as db:
        # $more
        return [row.label() for row in await db.scalars(select(${Thing}))]
''',
    ),
)

_TEXT = "from sqlalchemy import text"
_DEPENDS = "from fastapi import APIRouter, Depends, HTTPException"
_CREATE = ("from sqlalchemy import create_engine",)

MISUSES: Final[Sequence[tuple[str, tuple[str, ...], str]]] = (
    (
        "LS101",
        (*_DB, *_IT),
        """
def get_${kind}_db_${n}() -> Iterator[Session]:
    db = SessionLocal()
    yield db
    db.close()
""",
    ),
    (
        "LS301",
        (*_DB, _TEXT),
        """
def count_${thing}_${n}() -> int:
    db = SessionLocal()
    found = db.execute(text("SELECT count(*) FROM $thing")).scalar()
    db.close()
    return found
""",
    ),
    (
        "LS401",
        (*_DB, _TEXT),
        """
def try_${thing}_${n}(rows: list[int]) -> int:
    done = 0
    with SessionLocal() as db:
        for row in rows:
            try:
                db.execute(text("UPDATE $thing SET total = :row"), {"row": row})
                db.commit()
                done += 1
            except Exception:
                done -= 1
    return done
""",
    ),
    (
        "LS503",
        (*_DB, _TEXT, _DEPENDS),
        """
router_${n} = APIRouter()


@router_${n}.get("/$kind/$thing")
async def show_${thing}_${n}():
    with SessionLocal() as db:
        return db.execute(text("SELECT 1 FROM $thing")).scalar()
""",
    ),
    (
        "LS102",
        (*_DB, _DEPENDS, _TEXT),
        """
def open_${kind}_db_${n}() -> Session:
    return SessionLocal()


router_${n} = APIRouter()


@router_${n}.get("/$kind/$thing/all")
def all_${thing}_${n}(db: Session = Depends(open_${kind}_db_${n})):
    return db.execute(text("SELECT 1 FROM $thing")).scalar()
""",
    ),
    (
        "LS402",
        (*_DB, "from sqlalchemy import insert, table"),
        """
def raise_${thing}_${n}(amount: int) -> None:
    with SessionLocal() as db:
        db.execute(insert(table("$thing")).values(amount=amount))
""",
    ),
    (
        "LS302",
        (*_DB, _TEXT),
        """
def late_${thing}_${n}() -> list[object]:
    with SessionLocal() as db:
        rows = db.execute(text("SELECT id FROM $thing"))
    return [row for row in db.execute(text("SELECT 1")).all()]
""",
    ),
    (
        "LS103",
        (*_DB, *_IT),
        """
def get_quiet_db_${n}() -> Iterator[Session]:
    db = SessionLocal()
    try:
        yield db
        db.commit()
    except Exception:
        db.rollback()
    finally:
        db.close()
""",
    ),
    (
        "LS504",
        (*_ADB, _TEXT),
        """
async def mark_${thing}_${n}() -> None:
    async with AsyncSessionLocal() as session:
        await session.execute(text("UPDATE $thing SET kind = '$kind'"))
        session.commit()
""",
    ),
    (
        "LS303",
        (*_DB, _TEXT),
        """
def leave_${thing}_${n}() -> int:
    db = SessionLocal()
    try:
        return db.execute(text("SELECT count(*) FROM $thing")).scalar()
    finally:
        db.close
""",
    ),
    (
        "LS306",
        (*_CREATE, _TEXT, _DEPENDS, "from sqlalchemy.orm import Session"),
        """
router_${n} = APIRouter()


@router_${n}.get("/$kind/$thing/new")
def fresh_${thing}_${n}():
    engine = create_engine("postgresql+psycopg://localhost/$kind")
    with Session(engine) as db:
        return db.execute(text("SELECT 1 FROM $thing")).scalar()
""",
    ),
    (
        "LS201",
        (*_DB, _DEPENDS, "from shop.core.db import get_db", _TEXT),
        """
router_${n} = APIRouter()


@router_${n}.get("/$kind/$thing/first")
def first_${thing}_${n}(db: Session = Depends(get_db())):
    return db.execute(text("SELECT 1 FROM $thing")).scalar()
""",
    ),
    (
        "LS202",
        (*_DB, _DEPENDS, _TEXT),
        """
router_${n} = APIRouter()


@router_${n}.get("/$kind/$thing/last")
def last_${thing}_${n}(db: Session = Depends(SessionLocal)):
    return db.execute(text("SELECT 1 FROM $thing")).scalar()
""",
    ),
    (
        "LS104",
        (*_DB, *_IT),
        """
def get_firm_db_${n}() -> Iterator[Session]:
    db = SessionLocal()
    try:
        yield db
    finally:
        db.commit()
        db.close()
""",
    ),
    (
        "LS206",
        ("from shop.core.db import get_db", _TEXT),
        """
def load_${thing}_${n}() -> int:
    db = next(get_db())
    return db.execute(text("SELECT count(*) FROM $thing")).scalar()
""",
    ),
    (
        "LS502",
        (*_ADB, _TEXT, "import asyncio"),
        """
async def both_${thing}_${n}() -> list[object]:
    async with AsyncSessionLocal() as session:
        one = session.execute(text("SELECT 1 FROM $thing"))
        two = session.execute(text("SELECT 2 FROM $thing"))
        return await asyncio.gather(one, two)
""",
    ),
    (
        "LS304",
        (*_DB, _TEXT, _DEPENDS),
        """
router_${n} = APIRouter()
${kind}_session_${n} = SessionLocal()


@router_${n}.get("/$kind/$thing/count")
def shared_${thing}_${n}():
    return ${kind}_session_${n}.execute(text("SELECT count(*) FROM $thing")).scalar()


@router_${n}.get("/$kind/$thing/most")
def other_${thing}_${n}():
    return ${kind}_session_${n}.execute(text("SELECT max(id) FROM $thing")).scalar()
""",
    ),
    (
        "LS106",
        ("from shop.core.db import get_async_db", "from sqlalchemy.ext.asyncio import AsyncSession", *_AIT),
        """
async def get_other_db_${n}() -> AsyncIterator[AsyncSession]:
    async for session in get_async_db():
        yield session
""",
    ),
)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
