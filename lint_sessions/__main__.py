"""`python -m lint_sessions`."""

import sys

from lint_sessions.cli import main

if __name__ == "__main__":
    sys.exit(main())
