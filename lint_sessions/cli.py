"""The command. Everything heavy is imported where it is needed, so that `--help` and `--version` answer at once."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Sequence

from lint_sessions import __version__
from lint_sessions.report import FORMATS

USAGE, INTERRUPTED = 2, 130

STATUSES = """exit status:
  0  no findings, or with --fix-only whatever is left
  1  findings (with --diff: something to fix)
  2  wrong usage or configuration, or input that could not be read, also beside findings
  3  a fault of lint-sessions itself
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments = _parser().parse_args(argv)
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads on; without this, Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lint-sessions",
        description="Find misuse of SQLAlchemy and SQLModel sessions.",
        epilog=STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lint-sessions {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check",
        help="check files and folders",
        description="Check files and folders.",
        epilog=STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.set_defaults(run=_check)
    _add_check_options(check)
    rule = commands.add_parser("rule", help="explain a rule", description="Explain a rule.")
    rule.set_defaults(run=_rule)
    rule.add_argument("rule", metavar="RULE", help="a code or a name: LS101, yield-without-finally")
    rules = commands.add_parser("rules", help="list all rules", description="List all rules.")
    rules.set_defaults(run=_rules)
    for command in (check, rule, rules):
        command.add_argument(
            "--color",
            choices=("auto", "always", "never"),
            default="auto",
            help="auto: on a terminal, unless NO_COLOR is set; FORCE_COLOR turns it on elsewhere",
        )
    return parser


def _add_check_options(parser: argparse.ArgumentParser) -> None:
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


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _output(text: str) -> tuple[str, str | None]:
    form, colon, file = text.partition(":")
    form = "text" if form == "full" else form
    if form not in FORMATS:
        close = difflib.get_close_matches(form, FORMATS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(FORMATS)}"
        raise argparse.ArgumentTypeError(f"no format is named {form}; {hint}")
    if colon and not file:
        raise argparse.ArgumentTypeError(f"no file is named after {text}")
    return form, file or None


def _check(arguments: argparse.Namespace) -> int:
    from lint_sessions.check import check

    return check(arguments)


def _rule(arguments: argparse.Namespace) -> int:
    from lint_sessions.pages import markdown, pages
    from lint_sessions.report.terminal import Style, wants_colour

    known = {word: page for page in pages() for word in (page.code, page.name)}
    wanted = arguments.rule
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; `lint-sessions rules` lists all"
        print(f"lint-sessions: no rule is named {wanted}{hint}", file=sys.stderr)
        return USAGE
    style = Style(wants_colour(arguments.color, sys.stdout, os.environ))
    for line in markdown(known[wanted]).splitlines():
        print(style.paint(line, "strong") if line.startswith("#") else line)
    sys.stdout.flush()
    return 0


def _rules(arguments: argparse.Namespace) -> int:
    from lint_sessions.pages import pages
    from lint_sessions.report.terminal import Style, wants_colour

    style = Style(wants_colour(arguments.color, sys.stdout, os.environ))
    found = pages()
    width = max(len(page.name) for page in found)
    for page in found:
        default = "on" if page.default else "opt-in"
        code = style.paint(page.code, "code")
        print(f"{code}  {page.name:{width}}  {default:6}  fix: {page.fix:6}  {page.summary}")
    sys.stdout.flush()
    return 0
