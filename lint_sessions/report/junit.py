"""Findings as JUnit's XML: a test that failed for each, in a suite for each file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from lint_sessions.report import Sources, path_from, text
from lint_sessions.report.terminal import Style

if TYPE_CHECKING:
    from lint_sessions.finding import Finding

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report(findings: Sequence[Finding], sources: Sources, root: Path, *, unsafe: bool) -> str:
    count = str(len(findings))
    suites = ElementTree.Element(
        "testsuites", name="lint-sessions", tests=count if findings else "1", failures=count, errors="0"
    )
    for path, found in groupby(findings, lambda finding: finding.path):
        cases = list(found)
        name = _text(path_from(root, path) or str(path))
        suite = _suite(suites, name, len(cases), len(cases))
        for finding in cases:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                name=f"{finding.code} {finding.name} at {finding.start.row}:{finding.start.column}",
                classname=name,
                file=name,
                line=str(finding.start.row),
            )
            failure = ElementTree.SubElement(case, "failure", type=finding.code, message=_text(finding.message))
            failure.text = _text("\n".join(text.brief(finding, sources, Style(), unsafe=unsafe)))
    if not findings:
        # A report without any test counts as broken in places.
        ElementTree.SubElement(_suite(suites, "lint-sessions", 1, 0), "testcase", name="check", classname="check")
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, "unicode")


def _suite(suites: ElementTree.Element, name: str, tests: int, failures: int) -> ElementTree.Element:
    return ElementTree.SubElement(
        suites, "testsuite", name=name, tests=str(tests), failures=str(failures), errors="0", skipped="0"
    )


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
