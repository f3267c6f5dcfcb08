"""The oracle: small programs, run through every choice on real SQLAlchemy, against the linter's verdict on their text.

`programs` writes a program, `driver` runs it in the `world`, `verdict` lints it and compares, `shrink` makes what
disagrees small, and `report` sums up. `python -m tests.oracle` is the command.
"""
