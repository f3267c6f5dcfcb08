"""`python -m lint_sessions`."""

import sys

# Python puts the current folder first: a `json.py` or `libcst/` of the project there would be run in place of the real.
if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

from lint_sessions.cli import main

if __name__ == "__main__":
    sys.exit(main())
