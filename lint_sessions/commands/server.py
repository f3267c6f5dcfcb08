"""`lint-sessions server`: the language server, on standard input and output."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib.util import find_spec

from lint_sessions.commands.arguments import complain


def add_options(parser: ArgumentParser) -> None:
    parser.epilog = "An editor starts it; docs/editors.md has the lines for some."


def run(_: Namespace) -> int:
    """Serve until the client says that it is enough; the exit status."""
    if find_spec("pygls") is None:
        return complain("the language server needs pygls; pip install 'lint-sessions[server]'")
    from lint_sessions.server.service import make_server

    make_server().start_io()
    return 0
