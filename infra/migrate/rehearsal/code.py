"""The code that a rehearsal tries on its fork: what is deployed, and what is about to be."""

from __future__ import annotations

import ast
import os
import re
import secrets
import shutil
import tempfile
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from infra.aws.artifact import build_folder
from infra.aws.sources import BUILD_MODULE
from infra.local import own_folder
from infra.migrate.errors import MigrationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.config import Project
    from infra.migrate.records import Release


#: What they are called.
DEPLOYED: Final = "deployed code"
NEW: Final = "new code"


class CodeNotFoundError(MigrationError):
    """The artifact of the code that is live is not known, is gone, or holds other code by now."""

    code = "DEPLOYED_CODE_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Code:
    """An artifact, and how it is run.

    Args:
        name: For people.
        artifact: Its folder.
        handler: Lambda's notation.
        app: Import string of its ASGI app, whose import maps every table that requests use.
        metadata: Import string of its `MetaData`.
        environment: Its variables but `DATABASE_URL`.
    """

    name: str
    artifact: Path
    handler: str
    app: str
    metadata: str
    environment: Mapping[str, str] = field(repr=False)


@contextmanager
def deployed(
    project: Project, release: Release | None, environment: Mapping[str, str] | None = None
) -> Iterator[Code]:
    """Hand out the code that is live, from the artifact that its deployer recorded.

    Its handler, app and metadata are taken to be named as the project names them now.

    Raises:
        CodeNotFoundError: There is none to be had; the hint says how to record it.
    """
    if release is None or release.artifact is None:
        raise CodeNotFoundError(
            "it is not recorded which code is live" if release is None else "its artifact is not recorded",
            hint="whoever deploys says it with: bough migrate live --record",
        )
    path = Path(release.artifact)
    with tempfile.TemporaryDirectory(prefix="bough-deployed-") as temporary:
        folder = path
        try:
            if path.is_file():
                folder = Path(temporary, "artifact")
                with zipfile.ZipFile(path) as archive:
                    archive.extractall(folder)  # the deployer's own file, which we run anyway
            elif not path.is_dir():
                raise CodeNotFoundError(f"its artifact {path} is gone", hint="keep the artifact that is live")
            built = _revisions(folder)
        # An encrypted member is a RuntimeError; what is no Python a SyntaxError or ValueError.
        except (OSError, zipfile.BadZipFile, RuntimeError, SyntaxError, ValueError) as error:
            message = f"its artifact {path} cannot be read: {type(error).__name__}: {error}"
            raise CodeNotFoundError(message, hint="keep the artifact that is live") from None
        if built is not None and built != release.revisions:
            raise CodeNotFoundError(
                f"its artifact {path} holds other code now", hint="deploy, or record it anew"
            )
        yield _code(project, DEPLOYED, folder, environment)


@contextmanager
def packaged(project: Project, environment: Mapping[str, str] | None = None) -> Iterator[Code]:
    """Package the project as it is now, and delete the artifact at the end.

    Raises:
        ArtifactError, ConfigError, DependenciesError, RevisionsError: As `build_folder`.
    """
    # Beside the other artifacts of the project: the runtime client is there once for all of them.
    place = own_folder.folder(project.root)
    folder = place / f"rehearsed-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        _delete_left(place)
        build_folder(project, folder)
        yield _code(project, NEW, folder, environment)
    finally:
        _delete(folder)


def _delete_left(place: Path) -> None:
    """Delete the artifacts of killed rehearsals, with what was still being written of them."""
    for path in place.glob("*rehearsed-*"):
        if (owner := re.search(r"rehearsed-(\d+)-", path.name)) and not psutil.pid_exists(int(owner[1])):
            _delete(path)


def _delete(artifact: Path) -> None:
    shutil.rmtree(artifact, ignore_errors=True)
    for file in (artifact, artifact.with_name(f"{artifact.name}.fingerprint")):
        with suppress(OSError):
            file.unlink()


#: What the sample application needs besides its database, as `bough up` gives it.
_ENVIRONMENT: Final = {"BOUGH_ENVIRONMENT": "development"}


def _code(project: Project, name: str, folder: Path, environment: Mapping[str, str] | None) -> Code:
    variables = {**_ENVIRONMENT, "AUTH_SECRET": secrets.token_hex(32), **(environment or {})}
    return Code(name, folder, project.handler, project.app, project.metadata, variables)


def _revisions(artifact: Path) -> frozenset[str] | None:
    """Return the revisions that an artifact was built with, `None` where it does not say."""
    file = artifact / BUILD_MODULE
    if not file.is_file():
        return None
    for statement in ast.parse(file.read_bytes()).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id="REVISIONS"), value=ast.expr() as value):
                return frozenset(ast.literal_eval(value))
            case _:
                continue
    return None
