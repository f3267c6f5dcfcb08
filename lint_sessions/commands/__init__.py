"""The commands, one module each: `add_options(parser)` says what it takes, `run(asked)` does it and returns the status.

Only the module of the command that is asked for is imported. What a command does beyond its options is elsewhere, in
modules that `run` imports, so that `--help` answers at once.
"""

from typing import Final

COMMANDS: Final = {
    "check": "check files and folders",
    "completion": "print what makes a shell complete",
    "config": "show what is configured for a file, and where",
    "demo": "show a leak, how it fails and how it is fixed",
    "map": "draw how sessions flow through a project",
    "rule": "explain rules, with the harm that was measured",
    "rules": "list all rules",
    "server": "tell editors what is found, as one types",
}
"""Name to one line of help; the module has the name of the command."""

USAGE: Final = 2
"""The exit status of wrong usage."""
