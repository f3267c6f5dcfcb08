"""Projects that are looked at while their files change: by an editor, or by somebody who watches.

What is parsed stays parsed; what was concluded is concluded anew, for the files that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lint_sessions import engine
from lint_sessions.config import Config, ConfigError, Configs
from lint_sessions.config.settings import absolute
from lint_sessions.engine import Analysis
from lint_sessions.fault import confession
from lint_sessions.finding import Finding
from lint_sessions.registry import known
from lint_sessions.source.document import Document, SourceError


@dataclass(frozen=True)
class Answer:
    """What is found in one file; a problem where it cannot be checked."""

    document: Document | None
    findings: tuple[Finding, ...] = ()
    problem: str | None = None


class OpenProject:
    """The files of some projects, some of them with a text that is not saved yet."""

    def __init__(self, configs: Callable[[], Configs] = Configs) -> None:
        """`configs` reads the configurations, anew when they have changed."""
        self._make_configs = configs
        self._configs = configs()
        self._analyses: dict[Config, Analysis] = {}
        self._unsaved: dict[Path, Document] = {}
        self._stale: set[Path] = set()
        """Files whose text is another since the analyses were made."""

    # --- changes ----------------------------------------------------------------------------------------------------

    def edit(self, path: Path, text: str) -> None:
        """The file has this text now, whatever is saved. Raises SourceError."""
        path = absolute(path)
        self._unsaved[path] = Document.from_bytes(path, text.encode("utf-8", "surrogatepass"))
        self._stale.add(path)

    def close(self, path: Path) -> None:
        """The file is what is saved."""
        path = absolute(path)
        if self._unsaved.pop(path, None) is not None:
            self._stale.add(path)

    def saved(self, paths: Iterable[Path]) -> None:
        """These files have changed on the disk, have come or gone; configurations and lock files among them."""
        for path in map(absolute, paths):
            if path.suffix == ".py" and path.exists() and any(path in a.project.paths for a in self._analyses.values()):
                self._stale.add(path)
            else:
                # What a module is, or what is configured, may be another now.
                self._configs, self._analyses = self._make_configs(), {}

    # --- questions --------------------------------------------------------------------------------------------------

    def config(self, path: Path) -> Config:
        """What is configured for a file. Raises ConfigError."""
        config = self._configs.of_file(absolute(path))
        config.check_selectors(known())
        return config

    def check(self, path: Path) -> Answer:
        """What is found in a file as it is now; never raises."""
        path = absolute(path)
        document: Document | None = None
        try:
            config = self.config(path)
            document = self._unsaved.get(path) or Document.read(path)
            if config.excludes(path):
                return Answer(document)
            analysis = self.analysis(config)
            analysis.documents[path] = document
            return Answer(document, engine.check_document(document, config, analysis=analysis))
        except ConfigError as error:
            return Answer(document, problem=": ".join(map(str, error.args)))
        except SourceError as error:
            return Answer(document, problem=str(error))
        except RecursionError:
            return Answer(document, problem="nested too deeply to be followed")
        except Exception as error:
            return Answer(document, problem=confession(error))

    def analysis(self, config: Config) -> Analysis:
        """What is known of a project, with the texts that are not saved."""
        if config not in self._analyses:
            self._analyses[config] = Analysis(config)
            self._stale.update(self._unsaved)
        if self._stale:
            self._analyses = {other: self._renewed(analysis) for other, analysis in self._analyses.items()}
            self._stale.clear()
        return self._analyses[config]

    def _renewed(self, analysis: Analysis) -> Analysis:
        inside = {path: self._unsaved.get(path) for path in self._stale if path.is_relative_to(analysis.project.root)}
        return analysis.after({path: document for path, document in inside.items() if document}, without=inside)
