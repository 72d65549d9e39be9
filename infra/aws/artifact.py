"""The artifact: a folder that Lambda can run as it is, and this machine's function host too.

It holds the locked dependencies, the project's own files, `.pyc` files with unchecked hashes and
the generated `api/build.py`; nothing else. Equal inputs give equal bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.aws.contents import Kind, contents_of
from infra.aws.dependencies import BUILDING
from infra.aws.target import Target
from infra.disk import disk_full_translated
from infra.errors import InfraError
from infra.local import own_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.aws.contents import Contents
    from infra.aws.sources import Revisions
    from infra.config import Project


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
    revisions: Revisions


def build_folder(project: Project, folder: Path) -> Artifact:
    """Build the API's artifact for this Python and platform, or find it up to date.

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
    with translated(folder):
        contents = contents_of(project, Target.this_machine(), Kind.API)
    with translated(folder), locked(project):
        fingerprint = contents.fingerprint()
        artifact = Artifact(folder, contents.handler, fingerprint, contents.revisions)
        record = folder.with_name(f"{folder.name}.fingerprint")
        if _is_current(folder, record, fingerprint):
            return artifact
        _check_folder(folder, record, contents.files)
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(building, ignore_errors=True)
        try:
            _build(project, contents, building)
            _replace(folder, building, record, fingerprint)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return artifact


def _build(project: Project, contents: Contents, building: Path) -> None:
    own = building.with_name(f"{building.name}.own")
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    try:
        layout = contents.lay_out(project.root, project.root / ".bough", own)
        for name, source in layout.entries().items():
            target = building / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
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


@contextlib.contextmanager
def locked(project: Project) -> Iterator[None]:
    """Hold the project's build lock; the system releases it when the process ends, however it ends.

    What builds that were killed have left behind is removed: with the lock held, nobody uses it.
    """
    folder = own_folder.folder(project.root)
    with (folder / "package.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left_behind in folder.glob(f"{BUILDING}*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        yield


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into errors that say so, while something is built at `path`."""
    try:
        with disk_full_translated(path):
            yield
    except (OSError, shutil.Error) as error:
        raise ArtifactError(f"{path} could not be built: {error}") from error
