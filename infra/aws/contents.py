"""What an artifact is made of, and how it is laid out: the same for a folder and for a zip."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from typing import TYPE_CHECKING, Final

from infra.aws import dependencies, distributions, interpreters, sources
from infra.aws.bytecode import compile_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.aws.interpreters import Interpreter
    from infra.aws.target import Target
    from infra.config import Project

#: Changes when equal inputs would give another artifact.
_LAYOUT: Final = "3"

#: What `api/handler.py` imports; shipped where the project's own lock lacks it.
HANDLER_REQUIREMENTS: Final = ("mangum", "snapshot-restore-py")

_BUILD_MODULE: Final = '''\
"""What this artifact was built from. Generated when it was packaged."""

APP: str = {app!r}
HEAD: str | None = {head!r}
NEEDED: str | None = {needed!r}
REVISIONS: tuple[str, ...] = {revisions!r}
'''


class Kind(StrEnum):
    """Which of a project's functions an artifact is for."""

    API = "api"
    MIGRATE = "migrate"


@dataclass(frozen=True, slots=True)
class Layout:
    """An artifact's files, in two folders.

    Args:
        installed: The dependencies' folder, kept between builds.
        own: The folder of what else there is; where both have a file it is this one that ships.
    """

    installed: Path
    own: Path

    def entries(self) -> dict[str, Path]:
        """Return every file: path inside the artifact to path on disk."""
        return files_below(self.installed) | files_below(self.own)


@dataclass(frozen=True, slots=True)
class Contents:
    """What an artifact is made of.

    Args:
        handler: Lambda's notation.
        files: The project's own: path inside the artifact to path on disk.
        build_module: The text of `api/build.py`.
        lock: The project's uv.lock, and what it must fit.
        extras: Of the project's requirements, besides those of the project itself.
        groups: Of its dependency groups.
        copied: Distributions of this environment that ship where the lock has none of the name: to version.
        revisions: What the code is built with.
        target: What it is for.
        compiler: What makes the `.pyc`; there are none without it.
    """

    handler: str
    files: Mapping[str, Path]
    build_module: str
    lock: bytes
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    copied: Mapping[str, str]
    revisions: sources.Revisions
    target: Target
    compiler: Interpreter | None

    def fingerprint(self) -> str:
        """Return the hash of all inputs: equal ones mean equal artifacts."""
        inputs: dict[str, object] = {
            "layout": _LAYOUT,
            "target": [self.target.runtime, self.target.platform],
            "compiler": self.compiler and self.compiler.version,
            "handler": self.handler,
            "extras": sorted(self.extras),
            "groups": sorted(self.groups),
            "lock": hashlib.sha256(self.lock).hexdigest(),
            "build": self.build_module,
            "copied": dict(self.copied),
            "files": {
                path: hashlib.sha256(source.read_bytes()).hexdigest() for path, source in self.files.items()
            },
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()

    def lay_out(self, root: Path, cache: Path, own: Path) -> Layout:
        """Put all files of the artifact into two folders.

        Args:
            root: The project's folder.
            cache: Where installed dependencies are kept between builds.
            own: An empty folder, for everything else.

        Raises:
            DependenciesError: As `dependencies.installed`.
            OSError: The disk is full, or a file cannot be read.
        """
        installed = dependencies.installed(
            root, cache, self.target, self.compiler, extras=self.extras, groups=self.groups
        )
        locked = dependencies.names(installed)
        for name in self.copied:
            if name not in locked:
                distributions.copy(name, own)
        for relative, source in self.files.items():
            target = own / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        if (own / "api").is_dir():
            (own / sources.BUILD_MODULE).write_text(self.build_module, encoding="utf-8")
        if self.compiler is not None:
            compile_folder(own, self.compiler.executable)
        return Layout(installed, own)


def contents_of(project: Project, target: Target, kind: Kind) -> Contents:
    """Read what an artifact of the project is made of; nothing is changed.

    Raises:
        ConfigError, DependenciesError, DistributionMissingError, RevisionsError: The project is not fit to be
            packaged.
        OSError: A file cannot be read.
    """
    lock = dependencies.locked(project.root)
    revisions = sources.revisions(project.root / project.migrations)
    migrates = kind is Kind.MIGRATE
    uses_kit_handler = not migrates and sources.uses_kit_handler(project)
    copied = distributions.closure(HANDLER_REQUIREMENTS) if uses_kit_handler else ()
    return Contents(
        handler=sources.MIGRATION_HANDLER if migrates else project.handler,
        files=sources.migration_files(project) if migrates else sources.own_files(project),
        build_module=_BUILD_MODULE.format(
            app=project.app, head=revisions.head, needed=revisions.needed, revisions=revisions.known
        ),
        lock=lock,
        extras=() if migrates else project.extras,
        groups=(sources.MIGRATE_GROUP,) if migrates else (),
        copied={name: metadata.version(name) for name in copied},
        revisions=revisions,
        target=target,
        compiler=interpreters.find(target.python),
    )


def files_below(folder: Path) -> dict[str, Path]:
    """Return a folder's files: path relative to it to path on disk."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
