"""`lint-sessions check`: its options. What it does is in `lint_sessions.check`, which is slow to import."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace

from lint_sessions.commands.arguments import add_configuration, closest
from lint_sessions.commands.colour import add_colour
from lint_sessions.report import FORMATS

STATUSES = "exit status: 0 clean, 1 findings, 2 wrong usage or unusable input, 3 our fault"


def add_options(parser: ArgumentParser) -> None:
    parser.usage, parser.epilog = "%(prog)s [OPTIONS] [PATH ...]", STATUSES
    parser.description = None  # a row that is wanted for an option
    files = parser.add_argument_group("files and configuration")
    add = files.add_argument
    add("paths", nargs="*", metavar="PATH", help="files and folders (default: the current); - is stdin")
    add("--stdin-filename", metavar="PATH", help="what standard input is called in the project")
    add("--force-exclude", action="store_true", help="leave out what exclude names, even if given")
    add_configuration(files)
    add("--jobs", "-j", type=_jobs, metavar="N", help="check in N processes (default: one for each core)")
    add("--no-cache", action="store_true", help="find everything out anew, and keep nothing")
    add("--cache-dir", metavar="DIR", help="keep answers there (default: .lint_sessions_cache)")
    add = parser.add_argument_group("fixing").add_argument
    add("--fix", action="store_true", help="apply fixes that keep what correct runs do")
    add("--unsafe-fixes", action="store_true", help="with --fix or --diff: apply the others too")
    add("--fix-only", action="store_true", help="like --fix, and report nothing that is left")
    add("--diff", action="store_true", help="print what --fix would change, and leave it")
    add("--show-fixes", action="store_true", help="list what is fixed, by file and rule")
    add = parser.add_argument_group("rules, by code, name, prefix (LS3) or ALL, with commas between").add_argument
    add("--select", type=_list, action="extend", metavar="RULES", help="run these and no others")
    add("--ignore", type=_list, action="extend", metavar="RULES", default=[], help="do not run these")
    add("--extend-select", type=_list, action="extend", metavar="RULES", default=[], help="run these as well")
    add = parser.add_argument_group("findings that are known").add_argument
    add("--baseline", metavar="FILE", help="forgive the findings that stand in it")
    add("--write-baseline", metavar="FILE", help="write findings there; with --baseline: drop old")
    add("--diff-base", metavar="REV", help="report only rows changed since a git revision")
    add("--add-noqa", action="store_true", help="silence each finding by a comment")
    output = parser.add_argument_group("output")
    add = output.add_argument
    add(
        "--output-format", type=_output, action="append", metavar="FORMAT", help=f"{', '.join(FORMATS)}; or FORMAT:FILE"
    )
    add("--output-file", "-o", metavar="FILE", help="write there what would be printed")
    add("--statistics", action="store_const", const="rule", help=SUPPRESS)
    add(
        "--statistics-by",
        dest="statistics",
        choices=("rule", "module", "fixability"),
        metavar="WHAT",
        help="count by rule (--statistics), module, fixability",
    )
    add("--explain", action="store_true", help="tell of each rule found why, and what was measured")
    add("--timing", action="store_true", help="tell how long each stage takes, and what is parsed")
    add("--watch", action="store_true", help="check again whenever something changes, until Ctrl-C")
    add("--exit-zero", action="store_true", help="exit with 0 even if there are findings")
    volume = output.add_mutually_exclusive_group()
    volume.add_argument("--quiet", "-q", action="store_true", help="print findings and problems only")
    volume.add_argument("--verbose", "-v", action="store_true", help="tell on standard error what is done")
    add_colour(output)
    add("-h", "--help", action="help", help=SUPPRESS)  # whoever reads it has found it


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is no number of processes; give 1 or more")
    return int(text)


def _list(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ArgumentTypeError("no rule is named; name some, as in LS3,LS404, or leave the option out")
    return words


def _output(text: str) -> tuple[str, str | None]:
    form, colon, file = text.partition(":")
    form = "text" if form == "full" else form
    if form not in FORMATS:
        close = closest(form, FORMATS)
        hint = f"did you mean {close}?" if close else f"choose from {', '.join(FORMATS)}"
        raise ArgumentTypeError(f"no format is named {form}; {hint}")
    if colon and not file:
        raise ArgumentTypeError(f"no file is named after {text}")
    return form, file or None


def run(asked: Namespace) -> int:
    """Find, fix, print; the exit status."""
    if asked.watch:
        from lint_sessions.watching import watch

        return watch(asked)
    from lint_sessions.check import check

    return check(asked)
