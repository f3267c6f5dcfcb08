"""A rule's docstring in sections: what `lint-sessions rule`, the pages under docs/ and the README's table are made of.

`python -m lint_sessions.pages` writes the pages and the table, and what is said of the configuration; with `--check` it
only says which are out of step.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from lint_sessions.config.reference import reference
from lint_sessions.config.schema import schema
from lint_sessions.finding import INVALID_SYNTAX, UNUSED_SUPPRESSION, Safety
from lint_sessions.published import address, page_file
from lint_sessions.registry import known, rules
from lint_sessions.rule import Rule

OBSERVED = "observed.json"
"""The file of this package with all that the fixtures' probes have counted, by rule."""

DEMO = "demo/app.py.txt"
"""What `lint-sessions demo` writes: the application of a fixture."""

SECTIONS = (
    "What it does",
    "Why is this bad?",
    "Example",
    "Use instead",
    "What it leaves alone",
    "Fix safety",
)
"""What each rule's docstring has, in this order."""

TABLE_START = "<!-- rules: written by python -m lint_sessions.pages -->"
TABLE_END = "<!-- end of rules -->"

_INVALID_SYNTAX_PAGE = """Python cannot parse the file.

## What it does
Reports the first place at which the file is no Python, and goes on with the other files.

## Why is this bad?
Nothing in such a file can be checked, and it cannot be imported either.

## Example
```python
def read(
```

## Use instead
```python
def read(): ...
```

## What it leaves alone
The syntax of every Python up to 3.14, whatever Python runs the linter. Files that cannot be read or decoded are no
findings: they are named on standard error, and the exit status is 2.

## Fix safety
There is no fix.
"""

_UNUSED_SUPPRESSION_PAGE = """Comment silences nothing.

## What it does
Finds `noqa` comments that name a rule of this linter, or what is no rule of it although it looks like one, and a file's
`lint-sessions: noqa`, where nothing would be reported without them.

## Why is this bad?
The comment claims a misuse that is not there, and hides the one that somebody adds to that line next.

## Example
```python
def read_user(user_id: int):
    db = SessionLocal()  # noqa: LS301
    try:
        return db.get(User, user_id)
    finally:
        db.close()
```

## Use instead
```python
def read_user(user_id: int):
    db = SessionLocal()
    try:
        return db.get(User, user_id)
    finally:
        db.close()
```

## What it leaves alone
A `noqa` without names, and names that are none of ours: they may be another linter's. Names of rules that were not
selected, prefixes that stand for such a rule too, and, unless all rules run, a file's `lint-sessions: noqa` without
names. Comments that name `LS001` itself.

## Fix safety
Safe: the comment goes, or the name in it.
"""


@dataclass(frozen=True)
class Observed:
    """What was counted when a rule's applications ran: by application, then by what was counted."""

    misuse: Mapping[str, Mapping[str, int]]
    fixed: Mapping[str, Mapping[str, int]]
    versions: Mapping[str, str]

    def counts(self) -> Iterator[tuple[str, str, int, int]]:
        """Each application, what was counted in it, and how often, as it is and fixed."""
        for app, numbers in self.misuse.items():
            for what, number in numbers.items():
                yield app, what, number, self.fixed[app][what]

    @property
    def made_with(self) -> str:
        """The versions, for a reader."""
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())


@dataclass(frozen=True)
class Page:
    """All there is to say about one rule."""

    code: str
    name: str
    summary: str
    sections: tuple[tuple[str, str], ...]
    default: bool
    fixable: Safety | None
    observed: Observed | None = None

    @property
    def file(self) -> str:
        return page_file(self.code, self.name)

    @property
    def stem(self) -> str:
        return self.name.replace("-", "_")

    @property
    def fix(self) -> str:
        return self.fixable.value if self.fixable else "none"


def pages() -> tuple[Page, ...]:
    """A page for each rule, sorted by code."""
    syntax = Page(*INVALID_SYNTAX, *_parts(_INVALID_SYNTAX_PAGE), default=True, fixable=None)
    unused = Page(*UNUSED_SUPPRESSION, *_parts(_UNUSED_SUPPRESSION_PAGE), default=False, fixable=Safety.SAFE)
    return (syntax, unused, *map(page_of, rules()))


def page_of(rule: type[Rule]) -> Page:
    summary, sections = _parts(inspect.cleandoc(rule.__doc__ or ""))
    return Page(rule.code, rule.rule_name(), summary, sections, rule.default, rule.fixable, _observed().get(rule.code))


def markdown(page: Page) -> str:
    """The page as a document."""
    facts = f"Code `{page.code}` · {'on by default' if page.default else 'opt-in'} · fix: {page.fix}"
    sections = [*page.sections, *([("Observed", _observed_table(page, page.observed))] if page.observed else [])]
    parts = [f"# {page.name} ({page.code})", facts, page.summary]
    return "\n\n".join([*parts, *(f"## {title}\n\n{body}" for title, body in sections)]) + "\n"


def table(of: Iterable[Page]) -> str:
    """The README's table."""
    rows = (
        f"| [{page.code}](docs/rules/{page.file}) | `{page.name}` | {page.summary.rstrip('.')} "
        f"| {'on' if page.default else 'opt-in'} | {page.fix} |"
        for page in of
    )
    return "\n".join(["| code | name | what it finds | default | fix |", "| --- | --- | --- | --- | --- |", *rows])


def documents(root: Path) -> dict[Path, str]:
    """Every generated file of the checkout at `root`, and what it should hold."""
    now = [replace(page, observed=observed(root, page)) for page in pages()]
    wanted = {root / "docs" / "rules" / page.file: markdown(page) for page in now}
    readme = root / "README.md"
    before, start, rest = readme.read_text("utf-8").partition(TABLE_START)
    _, end, after = rest.partition(TABLE_END)
    if not (start and end):
        raise ValueError(f"{readme} has no place for the table of rules: {TABLE_START} … {TABLE_END}")
    return {
        **wanted,
        root / "lint_sessions" / OBSERVED: _shipped(now),
        root / "lint_sessions" / DEMO: (root / "fixtures" / "unclosed_session" / "app.py").read_text("utf-8"),
        readme: f"{before}{start}\n{table(pages())}\n{end}{after}",
        root / "docs" / "configuration.md": reference(),
        root / "docs" / "lint-sessions.schema.json": schema(known()),
    }


def stale(root: Path) -> tuple[Path, ...]:
    """The generated files that are missing, differ, or should not be there."""
    wanted = documents(root)
    differing = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    surplus = [path for path in (root / "docs" / "rules").glob("*.md") if path not in wanted]
    return tuple(sorted(differing + surplus))


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    root = Path(__file__).parents[1]
    if arguments not in ([], ["--check"]) or not (root / "pyproject.toml").is_file():
        print("usage, in a checkout: python -m lint_sessions.pages [--check]", file=sys.stderr)
        return 2
    out_of_step = stale(root)
    wanted = documents(root)
    for path in out_of_step:
        print(path.relative_to(root))
        if not arguments:
            _put(path, wanted.get(path))
    return 1 if arguments and out_of_step else 0


def _put(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _parts(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The summary, and the sections under `## ` titles outside code blocks."""
    titles: list[str] = []
    bodies: list[list[str]] = [[]]
    for line, in_code in _with_code(text.splitlines()):
        if line.startswith("## ") and not in_code:
            titles.append(line.removeprefix("## ").strip())
            bodies.append([])
        else:
            bodies[-1].append(line)
    summary, *rest = ("\n".join(body).strip() for body in bodies)
    return summary, tuple(zip(titles, rest, strict=True))


def _with_code(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    in_code = False
    for line in lines:
        in_code ^= line.startswith("```")
        yield line, in_code


def observed(root: Path, page: Page) -> Observed | None:
    """What was recorded in the checkout at `root`."""
    file = root / "fixtures" / page.stem / "observed.json"
    if not file.is_file():
        return None
    return Observed(**json.loads(file.read_text("utf-8")))


@cache
def _observed() -> Mapping[str, Observed]:
    """The same as it is shipped, by the codes of the rules."""
    records = json.loads((Path(__file__).parent / OBSERVED).read_text("utf-8"))
    return {code: Observed(**record) for code, record in records.items()}


def _shipped(found: Iterable[Page]) -> str:
    records = {page.code: asdict(page.observed) for page in found if page.observed is not None}
    return json.dumps(records, indent=1) + "\n"


def record(page: Page) -> dict[str, object]:
    """The page for a program."""
    return {
        "code": page.code,
        "name": page.name,
        "summary": page.summary,
        "default": page.default,
        "fix": page.fix,
        "sections": dict(page.sections),
        "observed": page.observed and asdict(page.observed),
        "url": address(page.code, page.name),
    }


def _observed_table(page: Page, observed: Observed) -> str:
    rows = [
        f"| [{app}.py](../../fixtures/{page.stem}/{app}.py) | {what} | {misuse} | {mended} |"
        for app, what, misuse, mended in observed.counts()
    ]
    head = ["| application | what was counted | as it is | fixed |", "| --- | --- | ---: | ---: |"]
    return "\n".join([*head, *rows, "", f"Recorded with {observed.made_with}."])


if __name__ == "__main__":
    sys.exit(main())
