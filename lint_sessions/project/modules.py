"""Where modules are: from a dotted name and the file that asks for it to the file that answers.

Python's own search path is not known to a linter, so a name is looked for where a running application would find it:
in the folder above the asking file's package, then outwards to the project's root and its `src` folders, then in the
asking file's own folders, above a folder around it that has the package's name, and last in any folder of the project
that holds a package of that name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from lint_sessions import disk, timing
from lint_sessions.project.words import WordIndex
from lint_sessions.source.document import Block, Document, SourceError
from lint_sessions.source.files import discover

ALWAYS_OUTSIDE = frozenset(
    [
        "sqlalchemy",
        "sqlmodel",
        "fastapi",
        "starlette",
        "litestar",
        "contextlib",
        "asyncio",
        "functools",
        "typing",
        "requests",
    ]
)
"""Top-level names that mean the published package even where a project's folder is named like it."""

_NOT_SEARCHED = frozenset(["node_modules", "site-packages", "venv", "__pycache__", "build", "dist"])


class Module:
    """One module of the project."""

    def __init__(self, project: Project, document: Document) -> None:
        self.project = project
        self.document = document

    @property
    def path(self) -> Path:
        return self.document.path

    @cached_property
    def folder(self) -> Path:
        """The folder the file lies in, absolute."""
        return Path(os.path.abspath(self.document.path)).parent

    @cached_property
    def blocks(self) -> Sequence[Block]:
        return self.document.blocks

    def imported(self, source: str) -> Module | Package | None:
        """What an import of `source` finds in the project; leading dots are relative to this module."""
        name = source.lstrip(".")
        level = len(source) - len(name)
        parts = name.split(".") if name else []
        if level:
            folder = self.folder
            for _ in range(level - 1):
                folder = folder.parent
            return self.project.below(folder, parts)
        return self.project.find(parts, self.folder)


class Package:
    """A namespace package: a folder with Python files and no `__init__.py`."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.folder = folder


class Project:
    """The modules below one root, each read once, when first asked for."""

    def __init__(self, root: Path, exclude: Sequence[str] = ()) -> None:
        self.root = Path(os.path.abspath(root))
        self._exclude = exclude
        self._modules: dict[Path, Module | None] = {}
        self._packages: dict[Path, Package] = {}
        self._listings: dict[Path, frozenset[str]] = {}
        self._found: dict[tuple[str, Path], Module | Package | None] = {}
        self._mentions: dict[re.Pattern[str], bool] = {}
        self._index: WordIndex[Module] | None = None

    def mentions(self, pattern: re.Pattern[str]) -> bool:
        """Whether any module of the project has some text."""
        if pattern not in self._mentions:
            self._mentions[pattern] = any(pattern.search(module.document.text) for module in self.modules)
        return self._mentions[pattern]

    def add(self, document: Document) -> Module:
        """The module of a document that is at hand; the one known already where it has the same contents."""
        path = Path(os.path.abspath(document.path))
        known = self._modules.get(path)
        if known is not None and known.document.data == document.data:
            return known
        module = self._modules[path] = Module(self, document)
        self._index = None
        return module

    @property
    def documents(self) -> list[Document]:
        """What has been read so far."""
        return [module.document for module in self._modules.values() if module is not None]

    def at(self, path: Path) -> Module | None:
        """The module in a file, or None when it can't be read."""
        path = Path(os.path.abspath(path))
        if path not in self._modules:
            try:
                self._modules[path] = Module(self, Document.read(path))
            except SourceError:
                self._modules[path] = None
        return self._modules[path]

    def find(self, parts: Sequence[str], folder: Path) -> Module | Package | None:
        """The module an absolute import of `parts` finds, asked from a file in `folder`."""
        if not parts or parts[0] in ALWAYS_OUTSIDE:
            return None
        key = (".".join(parts), folder)
        if key not in self._found:
            answers = (self.below(place, parts) for place in self._search_path(parts[0], folder))
            self._found[key] = next((answer for answer in answers if answer is not None), None)
        return self._found[key]

    def below(self, folder: Path, parts: Sequence[str]) -> Module | Package | None:
        """The module or package `parts` in `folder`; the package of the folder itself when there are none."""
        for i, part in enumerate(parts):
            names = self._names(folder)
            if part in names:
                folder = folder / part
            elif part + ".py" in names and i == len(parts) - 1:
                return self.at(folder / (part + ".py"))
            else:
                return None
        names = self._names(folder)
        if "__init__.py" in names:
            return self.at(folder / "__init__.py")
        if not names:
            return None
        return self._packages.setdefault(folder, Package(self, folder))

    def _search_path(self, top: str, folder: Path) -> Iterator[Path]:
        above = [folder, *folder.parents]
        inside = [place for place in above if place == self.root or self.root in place.parents] or [folder]
        start = next((i for i, place in enumerate(inside) if "__init__.py" not in self._names(place)), 0)
        yield from inside[start:]
        yield from (place / "src" for place in inside if "src" in self._names(place))
        yield from reversed(inside[:start])
        # A project that is a package itself is imported from the folder above its root.
        yield from (place.parent for place in above if place.name == top)
        yield from self._holders.get(top, ())

    def _names(self, folder: Path) -> frozenset[str]:
        """The Python files and subfolders in a folder; empty when it can't be read."""
        if folder not in self._listings:
            try:
                found = frozenset(
                    e.name for e in disk.entries(folder) if e.name.endswith(".py") or _is_package_folder(e)
                )
            except OSError:
                found = frozenset()
            self._listings[folder] = found
        return self._listings[folder]

    @cached_property
    def files(self) -> Sequence[Path]:
        """All Python files below the root that a run over the whole project would check."""
        return discover([self.root], root=self.root, exclude=self._exclude)[0]

    @property
    def modules(self) -> Iterator[Module]:
        """The modules of all those files, and of the documents that were added."""
        added = [path for path in self._modules if path not in self.paths]
        for path in [*self.paths, *added]:
            module = self.at(path)
            if module is not None:
                yield module

    @cached_property
    def paths(self) -> dict[Path, None]:
        """The absolute paths of those files."""
        return dict.fromkeys(Path(os.path.abspath(path)) for path in self.files)

    def mentioning(self, word: str) -> Sequence[Module]:
        """Those of `modules` in whose text an identifier or keyword stands as a whole word, in their order."""
        if self._index is None:
            with timing.stage("indexing"):
                self._index = WordIndex((module, module.document.text) for module in self.modules)
        return self._index.having(word)

    @cached_property
    def _holders(self) -> dict[str, list[Path]]:
        """Folders of the project by the packages they hold: where a workspace's members keep theirs."""
        holders: dict[str, list[Path]] = {}
        pending = [(self.root, 0)]
        for folder, depth in pending:
            for name in sorted(self._names(folder)):
                inner = folder / name
                if name.endswith(".py") or name in _NOT_SEARCHED:
                    continue
                if "__init__.py" in self._names(inner):
                    holders.setdefault(name, []).append(folder)
                elif depth < 4:
                    pending.append((inner, depth + 1))
        return {name: folders for name, folders in holders.items() if len(folders) == 1}


def _is_package_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a folder whose name an import can give."""
    if "." in entry.name:
        return False
    # Not `entry.is_dir()`, which raises an error where links lead in a circle.
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and disk.is_dir(Path(entry.path)))
