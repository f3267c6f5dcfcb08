"""Build the documentation site into a folder; fails on any link that leads nowhere.

    python -m pip install '.[docs]'
    python tools/build_site.py OUT

The pages are those of docs/, the README as the first, and two that are made here: the index of the rules, and for each
rule its proof, the fixture's code. What cannot be a link on a site (a folder, a file of the code) is told as code.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lint_sessions.pages import Page, pages  # noqa: E402

NAVIGATION: Final = (
    ("Home", "index.md"),
    ("Start in one minute", "start.md"),
    ("Rules", "rules/index.md"),
    ("How it decides", "how-it-decides.md"),
    ("Fixes", "fixes.md"),
    ("Where it runs", "integrations.md"),
    ("Editors", "editors.md"),
    ("Map of sessions", "map.md"),
    ("Configuration", "configuration.md"),
    ("Performance", "performance.md"),
    ("Beside other linters", "comparison.md"),
    ("Write a rule", "contributing.md"),
    ("Architecture", "architecture.md"),
    ("Oracle", "oracle.md"),
    ("Versions", "versions.md"),
    ("Dependencies", "dependencies.md"),
    ("Changes", "changelog.md"),
)
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder, "docs")
        write_pages(sources)
        Path(folder, "zensical.toml").write_text(settings(sources), "utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            return 1
        shutil.copytree(Path(folder, "site"), arguments[0], dirs_exist_ok=True)
    print(f"{arguments[0]} has the site")
    return 0


def write_pages(sources: Path) -> None:
    """All pages, with links that hold among them."""
    shutil.copytree(ROOT / "docs", sources, ignore=shutil.ignore_patterns("*.1", "*.json"))
    shutil.copyfile(ROOT / "CHANGELOG.md", sources / "changelog.md")
    shutil.copyfile(ROOT / "README.md", sources / "index.md")
    (sources / "proofs").mkdir()
    for page in pages():
        if (ROOT / "fixtures" / page.stem / "probe.py").is_file():
            (sources / "proofs" / f"{page.stem}.md").write_text(_proof(page), "utf-8")
    (sources / "rules" / "index.md").write_text("\n".join(_index()) + "\n", "utf-8")
    # Where each page has come from decides what its links mean.
    origins = {sources / "index.md": ROOT / "README.md", sources / "changelog.md": ROOT / "CHANGELOG.md"}
    for file in sorted(sources.rglob("*.md")):
        origin = origins.get(file, ROOT / "docs" / file.relative_to(sources))
        file.write_text(_relinked(file.read_text("utf-8"), file, origin, sources), "utf-8")


def settings(sources: Path) -> str:
    """The configuration of the generator: of the pages in the navigation, those that there are."""
    places = ((title, place) for title, place in NAVIGATION if (sources / place).is_file())
    navigation = ",\n  ".join(f'{{ "{title}" = "{place}" }}' for title, place in places)
    return f"""[project]
site_name = "lint-sessions"
site_description = "Find and fix misuse of SQLAlchemy and SQLModel sessions"
nav = [
  {navigation},
]

[project.theme]
features = ["content.code.copy", "navigation.top", "search.highlight", "toc.follow"]
palette = [
  {{ media = "(prefers-color-scheme: light)", scheme = "default", toggle = {{ icon = "lucide/moon", name = "Dark" }} }},
  {{ media = "(prefers-color-scheme: dark)", scheme = "slate", toggle = {{ icon = "lucide/sun", name = "Light" }} }},
]
"""


def _index() -> Iterator[str]:
    yield "# Rules\n"
    yield "Each rule has a page, and applications that show its harm at run time. What was counted is on the page.\n"
    yield "| code | name | what it finds | default | fix | counted in its application, and once it is fixed |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for page in pages():
        default = "on" if page.default else "opt-in"
        row = f"| [{page.code}]({page.file}) | `{page.name}` | {page.summary.rstrip('.')} | {default} | {page.fix} |"
        yield f"{row} {_counted(page)} |"


def _counted(page: Page) -> str:
    if page.observed is None:
        return ""
    _, what, misuse, mended = next(page.observed.counts())
    return f"[{what}: {misuse}, {mended}](../proofs/{page.stem}.md)"


def _proof(page: Page) -> str:
    """The code that proves a rule."""
    files = sorted((ROOT / "fixtures" / page.stem).glob("*.py"))
    order = sorted(files, key=lambda file: ("probe app fixed lookalike".find(file.stem.split("_")[0]), file.name))
    parts = [f"## {file.name}\n\n```python\n{file.read_text('utf-8')}```" for file in order]
    head = f"# Proof of {page.code} {page.name}\n\n[The rule](../rules/{page.file}). Its probe asks each application"
    return "\n\n".join([f"{head}, on a pool of two connections.", *parts]) + "\n"


def _relinked(text: str, file: Path, origin: Path, sources: Path) -> str:
    """The text with its links as they are on the site."""
    fences = [found.span() for found in _FENCE.finditer(text)]

    def relink(found: re.Match[str]) -> str:
        if any(start <= found.start() < end for start, end in fences):
            return found[0]
        words, target = found[1], found[2]
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return found[0]
        path, _, anchor = target.partition("#")
        if origin.parent != ROOT and (file.parent / path).is_file():
            return found[0]
        place = _on_site((origin.parent / path).resolve(), sources)
        if place is None:
            return words if words.startswith("`") else f"`{words}`"
        steps = len(file.parent.relative_to(sources).parts)
        return f"[{words}]({'../' * steps}{place}{f'#{anchor}' if anchor else ''})"

    return _LINK.sub(relink, text)


def _on_site(path: Path, sources: Path) -> str | None:
    """Where a file of the repository is on the site."""
    names = {ROOT / "README.md": "index.md", ROOT / "CHANGELOG.md": "changelog.md"}
    if path in names:
        return names[path]
    if path.parent.parent == ROOT / "fixtures" and path.suffix == ".py":
        return f"proofs/{path.parent.name}.md#{path.name.replace('.', '')}"
    if path.is_relative_to(ROOT / "docs"):
        inside = path.relative_to(ROOT / "docs").as_posix()
        return inside if (sources / inside).is_file() else None
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
