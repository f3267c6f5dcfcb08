"""What the documentation says can be typed in: its commands parse, its snippets are YAML, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import build_site
import pytest
import yaml

from lint_sessions.cli import parsers
from lint_sessions.commands import COMMANDS
from lint_sessions.pages import pages

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text("utf-8")):
            if found[1] == kind:
                yield page.name, found[2]


def commands() -> Iterator[tuple[str, str]]:
    """Everything that runs lint-sessions: in consoles, and in the scripts of CI systems."""
    for page, text in blocks("console"):
        yield from ((page, line.strip()) for line in text.splitlines() if line.strip().startswith("lint-sessions "))
    for page, text in blocks("yaml"):
        yield from ((page, found[0]) for found in re.finditer(r"lint-sessions check [^\n]*", text))


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())), ids=str)
def test_every_command_parses(page: str, line: str) -> None:
    words = shlex.split(line.split(" && ")[0], comments=True)[1:]
    if words[0] in ("--version", "--help"):
        return
    assert words[0] in COMMANDS, page
    asked, unknown = parsers(words)[0].parse_known_args(words)
    assert (asked.command, unknown) == (words[0], [])


def test_every_snippet_is_yaml() -> None:
    snippets = [text for _, text in blocks("yaml")]
    assert len(snippets) > 5
    assert all(yaml.safe_load(text) for text in snippets)


class TestAction:
    @pytest.fixture
    def action(self) -> Any:
        return yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))

    def test_it_is_a_composite_action(self, action: Any) -> None:
        """As GitHub's metadata syntax has it: each step that runs something names its shell."""
        assert {"name", "description", "inputs", "runs"} <= set(action)
        assert action["runs"]["using"] == "composite"
        assert all(step["shell"] == "bash" for step in action["runs"]["steps"])
        assert all({"description", "default"} == set(one) for one in action["inputs"].values())

    def test_nothing_from_outside_is_written_into_a_script(self, action: Any) -> None:
        for step in action["runs"]["steps"]:
            assert "${{" not in step["run"]
        given = {value for step in action["runs"]["steps"] for value in step["env"].values()}
        assert {f"${{{{ inputs.{name} }}}}" for name in action["inputs"]} <= given

    def test_the_snippets_ask_for_what_there_is(self, action: Any) -> None:
        snippets = [snippet for _, text in blocks("yaml") if isinstance(snippet := yaml.safe_load(text), dict)]
        steps = [step for snippet in snippets for job in snippet.get("jobs", {}).values() for step in job["steps"]]
        used = [step["with"] for step in steps if "lint-sessions" in step.get("uses", "")]
        assert used
        assert all(set(given) <= set(action["inputs"]) for given in used)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = tmp_path_factory.mktemp("site") / "docs"
    build_site.write_pages(sources)
    return sources


class TestSite:
    def test_every_link_leads_to_a_page(self, sources: Path) -> None:
        for file in sources.rglob("*.md"):
            text = build_site._FENCE.sub("", file.read_text("utf-8"))
            for found in build_site._LINK.finditer(text):
                path = found[2].partition("#")[0]
                if not re.match(r"[a-z]+:", found[2]) and path:
                    assert (file.parent / path).is_file(), f"{file.name}: {found[2]}"

    def test_every_rule_is_listed_with_its_proof(self, sources: Path) -> None:
        index = (sources / "rules" / "index.md").read_text("utf-8")
        for page in pages():
            assert f"[{page.code}]({page.file})" in index
            assert page.observed is None or f"(../proofs/{page.stem}.md)" in index
        assert "## app.py" in (sources / "proofs" / "unclosed_session.md").read_text("utf-8")

    def test_every_page_is_in_the_navigation_or_a_folder(self, sources: Path) -> None:
        settings = build_site.settings(sources)
        assert [file.name for file in sources.glob("*.md") if f'"{file.name}"' not in settings] == []
