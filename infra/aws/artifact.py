"""The artifact: a folder that Lambda can run as it is, and this machine's function host too.

It holds the locked dependencies, the project's own files, `.pyc` files with unchecked hashes and
the generated `api/build.py`; nothing else. Equal inputs give equal bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final

from infra.aws import dependencies, distributions, sources
from infra.aws.bytecode import compile_folder
from infra.disk import disk_full_translated
from infra.errors import InfraError
from infra.local import own_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.config import Project

#: Changes when equal inputs would give another artifact.
_LAYOUT: Final = "1"

#: What `api/handler.py` imports; shipped where the project's own lock lacks it.
HANDLER_REQUIREMENTS: Final = ("mangum", "snapshot-restore-py")

_BUILD_MODULE: Final = '''\
"""What this artifact was built from. Generated when it was packaged."""

APP: str = {app!r}
HEAD: str | None = {head!r}
NEEDED: str | None = {needed!r}
REVISIONS: tuple[str, ...] = {revisions!r}
'''


class ArtifactError(InfraError):
    """The artifact could not be built; the folder is as it was before."""

    code = "ARTIFACT_FAILED"


class ArtifactFolderError(ArtifactError):
    """The folder holds something that `build_folder` did not make, so it is not replaced."""

    code = "NOT_AN_ARTIFACT"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A built artifact folder.

    Args:
        folder: Absolute; what Lambda calls the task root.
        handler: Lambda's notation.
        fingerprint: Hash of all inputs; equal fingerprints mean equal artifacts.
        revisions: What the code was built with.
    """

    folder: Path
    handler: str
    fingerprint: str
    revisions: sources.Revisions


def build_folder(project: Project, folder: Path) -> Artifact:
    """Build the project's artifact for this Python and platform, or find it up to date.

    Replaces `folder` at once when everything is built: a failure leaves the earlier artifact as it
    was. Beside it stands `<folder>.fingerprint`; compiled dependencies are kept in the project's
    `.bough/`. One build of a project runs at a time; others wait.

    Raises:
        ArtifactFolderError: `folder` holds something else, or the project's own files.
        DiskFullError: The disk is full.
        ArtifactError: A file cannot be read or written.
        ConfigError, DependenciesError, RevisionsError: The project is not fit to be packaged.
    """
    folder = folder.resolve()
    with _translated(folder):
        lock = dependencies.locked(project.root)
        files = sources.own_files(project)
        revisions = sources.revisions(project.root / project.migrations)
    build_module = _BUILD_MODULE.format(
        app=project.app, head=revisions.head, needed=revisions.needed, revisions=revisions.known
    )
    with _translated(folder), _locked(project):
        fingerprint = _fingerprint(project, lock, files, build_module)
        artifact = Artifact(folder, project.handler, fingerprint, revisions)
        record = folder.with_name(f"{folder.name}.fingerprint")
        if _is_current(folder, record, fingerprint):
            return artifact
        _check_folder(folder, record, files)
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(building, ignore_errors=True)
        try:
            _build(project, building, files, build_module)
            _replace(folder, building, record, fingerprint)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return artifact


def _build(project: Project, building: Path, files: Mapping[str, Path], build_module: str) -> None:
    cached = dependencies.installed(project.root, project.root / ".bough", project.extras)
    shutil.copytree(cached, building, copy_function=shutil.copyfile)
    own = building.with_name(f"{building.name}.own")
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    try:
        if sources.uses_kit_handler(project):
            for name in distributions.closure(HANDLER_REQUIREMENTS, without=dependencies.names(cached)):
                distributions.copy(name, own)
        for relative, source in files.items():
            target = own / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        if (own / "api").is_dir():
            (own / sources.BUILD_MODULE).write_text(build_module, encoding="utf-8")
        compile_folder(own)
        shutil.copytree(own, building, copy_function=shutil.copyfile, dirs_exist_ok=True)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _replace(folder: Path, building: Path, record: Path, fingerprint: str) -> None:
    """Put the new folder in the old one's place; whatever fails, one of them stands there."""
    earlier = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(earlier, ignore_errors=True)
    # Written first: from here to the end the folder is known as ours, and as not up to date.
    record.write_text("building\n", encoding="utf-8")
    if folder.exists():
        folder.rename(earlier)
    try:
        building.rename(folder)
    except OSError:
        if earlier.exists():
            earlier.rename(folder)
        raise
    record.write_text(f"{fingerprint}\n", encoding="utf-8")
    shutil.rmtree(earlier, ignore_errors=True)


def _is_current(folder: Path, record: Path, fingerprint: str) -> bool:
    return folder.is_dir() and record.is_file() and record.read_text(encoding="utf-8").strip() == fingerprint


def _check_folder(folder: Path, record: Path, files: Mapping[str, Path]) -> None:
    if any(source.resolve().is_relative_to(folder) for source in files.values()):
        raise ArtifactFolderError(f"{folder} holds the project's own files", hint="name another folder")
    holds_something = folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))
    if holds_something and not record.is_file():
        raise ArtifactFolderError(
            f"{folder} exists and was not made by `bough package`",
            hint="name another folder, or remove this one",
        )


def _fingerprint(project: Project, lock: bytes, files: Mapping[str, Path], build_module: str) -> str:
    inputs: dict[str, object] = {
        "layout": _LAYOUT,
        "target": dependencies.target(),
        "handler": project.handler,
        "extras": sorted(project.extras),
        "lock": hashlib.sha256(lock).hexdigest(),
        "build": build_module,
        "requirements": _requirements(project),
        "files": {path: hashlib.sha256(source.read_bytes()).hexdigest() for path, source in files.items()},
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _requirements(project: Project) -> dict[str, str]:
    """Return the default handler's requirements in this environment: name to version."""
    names = distributions.closure(HANDLER_REQUIREMENTS) if sources.uses_kit_handler(project) else ()
    return {name: metadata.version(name) for name in names}


@contextlib.contextmanager
def _locked(project: Project) -> Iterator[None]:
    """Hold the project's build lock; the system releases it when the process ends, however it ends."""
    with (own_folder.folder(project.root) / "package.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into errors that say so."""
    try:
        with disk_full_translated(folder):
            yield
    except (OSError, shutil.Error) as error:
        raise ArtifactError(f"{folder} could not be built: {error}") from error
