"""The configuration: `keys` describes it, `files` finds and reads it, `settings` is what comes of it.

`schema` and `reference` make documents of the same description.
"""

from __future__ import annotations

from lint_sessions.config.error import ConfigError
from lint_sessions.config.files import Configs
from lint_sessions.config.keys import EXCLUDE
from lint_sessions.config.selection import Selection
from lint_sessions.config.settings import Config

__all__ = ["EXCLUDE", "Config", "ConfigError", "Configs", "Selection"]
