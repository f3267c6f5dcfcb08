"""Findings in the formats of other programs."""

from __future__ import annotations

import json
from email.message import Message
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from lint_sessions import pages, published
from lint_sessions.finding import Edit, Finding, Fix, Note, Position, Safety
from lint_sessions.report import STDIN, Sources, gitlab, joblog, junit, path_from, ruffjson, sarif, source_root

SCHEMA = json.loads((Path(__file__).parent / "data" / "sarif-schema-2.1.0.json").read_text("utf-8"))
SOURCE = "def run():\n    größe, db = 1, SessionLocal()\n    db.scalars(query)\n    db.close()\n"
OTHER = "def load(db):\n    return db.execute(query).all()\n"
START = SOURCE.index("SessionLocal")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app").mkdir()
    Path("app/db, a.py").write_text(SOURCE, "utf-8")
    Path("app/work.py").write_text(OTHER, "utf-8")


LEAK = Finding(
    Path("app/db, a.py"),
    Position(2, 20),
    Position(2, 34),
    "LS301",
    "unclosed-session",
    "`db` is 100% open",
    (Note(Position(2, 20), "acquired here"), Note(Position(2, 12), "this may fail", Path("app/work.py"))),
    Fix("Use `with`", Safety.UNSAFE, (Edit(START, START + 14, "x"), Edit(len(SOURCE), len(SOURCE), "# end\n"))),
)
SEVERAL_ROWS = Finding(Path("app/work.py"), Position(1, 1), Position(2, 3), "LS401", "missing-rollback", "a[0](b)")
BROKEN = Finding(STDIN, Position(1, 1), Position(1, 1), "LS000", "invalid-syntax", "\x1b")


class TestSarif:
    def run(self, *findings: Finding, complete: bool = True) -> dict[str, Any]:
        log = json.loads(sarif.report(findings, Sources(), Path.cwd(), complete=complete))
        jsonschema.Draft4Validator(SCHEMA).validate(log)
        [run] = log["runs"]
        assert isinstance(run, dict)
        return run

    def test_a_result(self) -> None:
        [result] = self.run(LEAK)["results"]
        location = {"uri": "app/db%2C%20a.py", "uriBaseId": "%SRCROOT%"}
        start = {"startLine": 2, "startColumn": 20}
        assert len(result.pop("partialFingerprints")["lintSessions/v1"]) == 32
        assert result == {
            "ruleId": "LS301",
            "ruleIndex": 0,
            "level": "error",
            "message": {"text": "`db` is 100% open"},
            "locations": [
                {"physicalLocation": {"artifactLocation": location, "region": {**start, "endLine": 2, "endColumn": 34}}}
            ],
            "codeFlows": [
                {
                    "threadFlows": [
                        {
                            "locations": [
                                {
                                    "location": {
                                        "physicalLocation": {"artifactLocation": location, "region": start},
                                        "message": {"text": "acquired here"},
                                    }
                                },
                                {
                                    "location": {
                                        "physicalLocation": {
                                            "artifactLocation": {"uri": "app/work.py", "uriBaseId": "%SRCROOT%"},
                                            "region": {"startLine": 2, "startColumn": 12},
                                        },
                                        "message": {"text": "this may fail"},
                                    }
                                },
                            ]
                        }
                    ]
                }
            ],
            "fixes": [
                {
                    "description": {"text": "Use `with` (unsafe: read it before you keep it)"},
                    "artifactChanges": [
                        {
                            "artifactLocation": location,
                            "replacements": [
                                {
                                    "deletedRegion": {**start, "endLine": 2, "endColumn": 34},
                                    "insertedContent": {"text": "x"},
                                },
                                {
                                    "deletedRegion": {
                                        "startLine": 5, "startColumn": 1, "endLine": 5, "endColumn": 1,
                                    },
                                    "insertedContent": {"text": "# end\n"},
                                },
                            ],
                        }
                    ],
                    "properties": {"applicability": "unsafe"},
                }
            ],
        }  # fmt: skip

    def test_each_rule_that_was_broken_is_explained_once(self) -> None:
        run = self.run(SEVERAL_ROWS, LEAK, LEAK)
        rules = run["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == ["LS301", "LS401"]
        assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["LS401", "LS301", "LS301"]
        assert rules[0]["name"] == "unclosed-session"
        assert rules[0]["help"]["markdown"].startswith("# unclosed-session (LS301)\n")
        assert run["columnKind"] == "unicodeCodePoints"

    def test_all_rules_keep_to_what_github_takes(self) -> None:
        every = [Finding(Path("x.py"), Position(1, 1), Position(1, 1), p.code, p.name, "m") for p in pages.pages()]
        for rule in self.run(*every)["tool"]["driver"]["rules"]:
            assert len(rule["shortDescription"]["text"]) <= 1024
            assert len(rule["fullDescription"]["text"]) <= 1024
            assert len(rule["properties"]["tags"]) <= 10
            assert len(rule["name"]) <= 255

    def test_more_results_than_github_takes_are_left_out_and_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "toolExecutionNotifications" not in self.run(LEAK)["invocations"][0]
        monkeypatch.setattr(sarif, "RESULTS", 1)
        run = self.run(LEAK, SEVERAL_ROWS)
        assert len(run["results"]) == 1
        [notification] = run["invocations"][0]["toolExecutionNotifications"]
        assert notification["message"]["text"] == "These are the first 1 of 2 findings; GitHub takes no more."

    def test_what_looks_like_a_link_is_none(self) -> None:
        assert self.run(SEVERAL_ROWS)["results"][0]["message"]["text"] == r"a\[0\](b)"

    def test_what_lies_elsewhere_has_its_whole_address(self, tmp_path: Path) -> None:
        log = json.loads(sarif.report([LEAK], Sources(), tmp_path / "lib", complete=True))
        [location] = log["runs"][0]["results"][0]["locations"]
        uri = (tmp_path / "app" / "db, a.py").as_uri()
        assert location["physicalLocation"]["artifactLocation"] == {"uri": uri}

    def test_nothing_found_and_standard_input(self) -> None:
        assert self.run()["results"] == []
        assert self.run(BROKEN, complete=False)["invocations"] == [{"executionSuccessful": False}]

    def test_a_page_is_linked_where_it_is_published(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def metadata(_: str) -> Message:
            message = Message()
            message["Project-URL"] = "Source, https://example.org/source"
            message["Project-URL"] = "Documentation, https://example.org/rules/"
            return message

        assert "helpUri" not in self.run(LEAK)["tool"]["driver"]["rules"][0]
        monkeypatch.setattr("importlib.metadata.metadata", metadata)
        published.documentation.cache_clear()
        try:
            [rule] = self.run(LEAK)["tool"]["driver"]["rules"]
            [record] = json.loads(ruffjson.records([LEAK], Sources()))
        finally:
            published.documentation.cache_clear()
        assert record["url"] == rule["helpUri"]
        assert rule["helpUri"] == "https://example.org/rules/LS301-unclosed-session.md"


def test_github() -> None:
    leak, several = joblog.github([LEAK, SEVERAL_ROWS], Sources(), Path.cwd(), unsafe=False)
    assert leak == (
        "::error title=lint-sessions (LS301),file=app/db%2C a.py,line=2,col=20,endLine=2,endColumn=34::"
        "app/db, a.py:2:20: LS301 `db` is 100%25 open"
        "%0A 1 app/db, a.py:2:20  acquired here  größe, db = 1, SessionLocal()"
        "%0A 2 app/work.py:2:12   this may fail  return db.execute(query).all()"
        "%0A = unsafe fix: Use `with`"
    )
    assert several == (
        "::error title=lint-sessions (LS401),file=app/work.py,line=1,endLine=2::app/work.py:1:1: LS401 a[0](b)"
    )


def test_azure(tmp_path: Path) -> None:
    odd = Finding(Path("a;b].py"), Position(1, 2), Position(1, 3), "LS301", "n", "50%; or [so]\nand more")
    [line] = joblog.azure([odd])
    assert line == (
        f"##vso[task.logissue type=error;sourcepath={tmp_path}/a%3Bb%5D.py;linenumber=1;columnnumber=2;code=LS301;]"
        "50%AZP25; or [so]%0Aand more"
    )


def test_gitlab() -> None:
    issues = json.loads(gitlab.report([LEAK, LEAK, BROKEN], Sources(), Path.cwd()))
    assert len({issue.pop("fingerprint") for issue in issues}) == 3
    assert issues[0] == issues[1]
    assert issues[0] == {
        "check_name": "LS301",
        "description": "LS301 unclosed-session: `db` is 100% open",
        "severity": "major",
        "location": {"path": "app/db, a.py", "lines": {"begin": 2, "end": 2}},
    }
    assert issues[2]["severity"] == "critical"
    assert gitlab.report([], Sources(), Path.cwd()) == "[]"


class TestJUnit:
    def report(self, *findings: Finding) -> ElementTree.Element:
        return ElementTree.fromstring(junit.report(findings, Sources(), Path.cwd(), unsafe=False).encode())

    def test_a_suite_for_each_file(self) -> None:
        suites = self.report(LEAK, LEAK, SEVERAL_ROWS)
        assert (suites.get("tests"), suites.get("failures")) == ("3", "3")
        assert [(suite.get("name"), suite.get("failures")) for suite in suites] == [
            ("app/db, a.py", "2"),
            ("app/work.py", "1"),
        ]
        case = suites[0][0]
        assert (case.get("name"), case.get("line")) == ("LS301 unclosed-session at 2:20", "2")
        assert case[0].get("message") == "`db` is 100% open"
        assert (case[0].text or "").splitlines()[1].split() == [
            "1", "app/db,", "a.py:2:20", "acquired", "here", "größe,", "db", "=", "1,", "SessionLocal()",
        ]  # fmt: skip

    def test_what_xml_has_no_word_for(self) -> None:
        assert self.report(BROKEN)[0][0][0].get("message") == "\N{REPLACEMENT CHARACTER}"

    def test_nothing_found_is_a_test_that_passed(self) -> None:
        suites = self.report()
        assert (suites.get("tests"), suites.get("failures"), len(suites[0]), len(suites[0][0])) == ("1", "0", 1, 0)


class TestRoot:
    @pytest.fixture(autouse=True)
    def _folders(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (tmp_path / "work" / name).mkdir(parents=True)

    def test_the_repository(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        assert source_root([tmp_path / "work" / "one"]) == tmp_path

    def test_else_what_the_roots_share(self, tmp_path: Path) -> None:
        assert source_root([tmp_path / "work" / "one", tmp_path / "work" / "two"]) == tmp_path / "work"
        assert source_root([]) == tmp_path

    def test_paths_from_it(self, tmp_path: Path) -> None:
        assert path_from(tmp_path, Path("app/../x.py")) == "x.py"
        assert path_from(tmp_path / "app", Path("x.py")) is None
        assert path_from(tmp_path, STDIN) == "-"
