"""`lint-sessions check`: its options. What it does is in `lint_sessions.check`, which is slow to import."""

from __future__ import annotations

import difflib
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter

from lint_sessions.commands.colour import add_colour
from lint_sessions.report import FORMATS

STATUSES = """exit status:
  0  no findings, or with --fix-only whatever is left
  1  findings (with --diff: something to fix)
  2  wrong usage or configuration, or input that could not be read, also beside findings
  3  a fault of lint-sessions itself
"""


def add_options(parser: ArgumentParser) -> None:
    parser.epilog, parser.formatter_class = STATUSES, RawDescriptionHelpFormatter
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="files and folders (default: the current folder); - is standard input")
    fixing = parser.add_argument_group("fixing")
    fixing.add_argument("--fix", action="store_true", help="apply the fixes that keep the meaning of correct runs")
    fixing.add_argument("--unsafe-fixes", action="store_true", help="with --fix or --diff: apply the other fixes too")
    fixing.add_argument("--fix-only", action="store_true", help="like --fix, and report nothing of what is left")
    fixing.add_argument("--diff", action="store_true", help="print what --fix would change, and change nothing")
    fixing.add_argument(
        "--show-fixes", action="store_true", help="with --fix or --diff: list what is fixed, by file and rule"
    )
    rules = parser.add_argument_group("rules, by code, name, prefix (LS3) or ALL; separated by commas")
    rules.add_argument("--select", type=_list, action="extend", metavar="RULES", help="run these and no others")
    rules.add_argument("--ignore", type=_list, action="extend", metavar="RULES", default=[], help="do not run these")
    rules.add_argument(
        "--extend-select", type=_list, action="extend", metavar="RULES", default=[], help="run these as well"
    )
    known = parser.add_argument_group("findings that are known")
    known.add_argument("--baseline", metavar="FILE", help="forgive the findings that stand in this file")
    known.add_argument(
        "--write-baseline", metavar="FILE", help="write all findings there; with --baseline only those still in it"
    )
    known.add_argument("--diff-base", metavar="REV", help="report only what touches rows changed since a git revision")
    known.add_argument("--add-noqa", action="store_true", help="silence each finding by a comment in its file")
    files = parser.add_argument_group("files and configuration")
    files.add_argument("--stdin-filename", metavar="PATH", help="the name of what is read from standard input")
    files.add_argument("--force-exclude", action="store_true", help="honour the exclude patterns for given files too")
    files.add_argument("--isolated", action="store_true", help="read no configuration file")
    files.add_argument("--no-cache", action="store_true", help="accepted, and without effect: there is no cache yet")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output-format",
        type=_output,
        action="append",
        metavar="FORMAT[:FILE]",
        help=f"{', '.join(FORMATS)} (default: text, also called full; in GitHub Actions github); may be repeated",
    )
    output.add_argument("--output-file", "-o", metavar="FILE", help="write there what would be printed")
    output.add_argument(
        "--statistics", action="store_const", const="rule", help="print counts by rule instead of the findings"
    )
    output.add_argument("--statistics-by", dest="statistics", choices=("rule", "module"), help="counts by rule or file")
    output.add_argument("--exit-zero", action="store_true", help="exit with 0 even if there are findings")
    volume = output.add_mutually_exclusive_group()
    volume.add_argument("--quiet", "-q", action="store_true", help="print findings and problems, and nothing else")
    volume.add_argument("--verbose", "-v", action="store_true", help="say on standard error what is done, and how long")
    add_colour(output)


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _output(text: str) -> tuple[str, str | None]:
    form, colon, file = text.partition(":")
    form = "text" if form == "full" else form
    if form not in FORMATS:
        close = difflib.get_close_matches(form, FORMATS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(FORMATS)}"
        raise ArgumentTypeError(f"no format is named {form}; {hint}")
    if colon and not file:
        raise ArgumentTypeError(f"no file is named after {text}")
    return form, file or None


def run(asked: Namespace) -> int:
    """Find, fix, print; the exit status."""
    from lint_sessions.check import check

    return check(asked)
