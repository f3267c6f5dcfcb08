"""Find misuse of SQLAlchemy sessions."""

from pathlib import Path

__version__ = "0.1.0"

# In a checkout rules/ sits beside this package; the build moves it inside.
_checkout = Path(__file__).parents[1]
if (_checkout / "pyproject.toml").is_file():
    __path__.append(str(_checkout))
