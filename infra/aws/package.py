"""The package: an artifact as a zip, for any of Lambda's Pythons and processors, made on any machine.

Equal inputs give equal bytes, so that its hash says whether there is anything to deploy.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.aws.artifact import ArtifactError, locked, translated
from infra.aws.checks import check_secrets, check_size, check_target
from infra.aws.contents import Kind, contents_of, files_below
from infra.aws.dependencies import BUILDING
from infra.aws.zipping import write_zip
from infra.local import own_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.aws.contents import Contents, Layout
    from infra.aws.sources import Revisions
    from infra.aws.target import Target
    from infra.config import Project

__all__ = ["Kind", "Package", "build_package"]


@dataclass(frozen=True, slots=True)
class Package:
    """A built zip.

    Args:
        zip: Absolute.
        handler: Lambda's notation.
        sha256: Of the zip, in hexadecimal.
        size: Of the zip, in bytes.
        unzipped: Of all files in it, in bytes.
        target: What it is for.
        revisions: What the code is built with.
        kind: Which of the functions it is for.
        compiled_by: Version of the Python that made its `.pyc`; `None`: it has none.
    """

    zip: Path
    handler: str
    sha256: str
    size: int
    unzipped: int
    target: Target
    revisions: Revisions
    kind: Kind
    compiled_by: str | None

    @property
    def code_sha256(self) -> str:
        """The hash as Lambda writes it (`CodeSha256`)."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    @property
    def warning(self) -> str | None:
        """What there is to say aloud, if anything: a package without `.pyc` works, but starts slowly."""
        if self.compiled_by is not None:
            return None
        python = self.target.python
        return (
            f"{self.zip.name} has no bytecode, because this machine has no Python {python}: its cold starts "
            f"take about three times as long. One is installed by: uv python install {python}"
        )


def build_package(project: Project, folder: Path, *, target: Target, kind: Kind = Kind.API) -> Package:
    """Build a function's zip, or find it up to date.

    It is `<folder>/<kind>.zip`; beside it `<kind>.json` says what is in it, for serverless.yml. Both are
    replaced when everything is built: a failure leaves the earlier ones as they were. Compiled
    dependencies are kept in the project's `.bough/`. One build of a project runs at a time; others wait.

    Raises:
        SecretInPackageError, WrongTargetError, PackageTooLargeError: What would be in it must not ship.
        ArtifactError: A file cannot be read or written.
        DiskFullError: The disk is full.
        ConfigError, DependenciesError, DistributionMissingError, RevisionsError: The project is not fit to be
            packaged.
    """
    file = folder.resolve() / f"{kind}.zip"
    with translated(file):
        contents = contents_of(project, target, kind)
    with translated(file), locked(project):
        fingerprint = contents.fingerprint()
        record = file.with_suffix(".json")
        known = _read(record)
        same = known.get("fingerprint") == fingerprint and known.get("service") == project.service
        if not same or known.get("sha256") != _sha256(file):
            check_secrets(contents.files)
            file.parent.mkdir(parents=True, exist_ok=True)
            known = _build(project, contents, file, fingerprint) | {"fingerprint": fingerprint}
            with _replacing(record) as new:
                new.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return Package(
        zip=file,
        handler=contents.handler,
        sha256=known["sha256"],
        size=known["size"],
        unzipped=known["unzipped"],
        target=target,
        revisions=contents.revisions,
        kind=kind,
        compiled_by=known["compiled_by"],
    )


def _build(project: Project, contents: Contents, file: Path, fingerprint: str) -> dict[str, Any]:
    """Put the zip in its place; return what its record says."""
    cache = own_folder.folder(project.root)
    with tempfile.TemporaryDirectory(prefix=BUILDING, dir=cache) as temporary:
        own = Path(temporary, "own")
        own.mkdir()
        layout = contents.lay_out(project.root, cache, own)
        if contents.fingerprint() != fingerprint:
            raise ArtifactError("files of the project changed while they were packaged", hint="run it again")
        entries = layout.entries()
        check_target(entries, contents.target)
        check_size(entries)
        with _replacing(file) as new:
            _write(new, layout)
        return {
            "service": project.service,
            "handler": contents.handler,
            "runtime": contents.target.runtime,
            "architecture": contents.target.architecture,
            "sha256": _sha256(file),
            "head": contents.revisions.head,
            "needed": contents.revisions.needed,
            "size": file.stat().st_size,
            "unzipped": sum(path.stat().st_size for path in entries.values()),
            "compiled_by": contents.compiler.version if contents.compiler else None,
        }


def _write(file: Path, layout: Layout) -> None:
    """Write the zip; the dependencies, which change seldom, are compressed once."""
    installed, own = files_below(layout.installed), files_below(layout.own)
    if installed.keys() & own.keys():
        write_zip(file, installed | own)
        return
    begun = layout.installed.with_name(f"{layout.installed.name}.zip")
    if not begun.is_file():
        with _replacing(begun) as new:
            write_zip(new, installed)
    write_zip(file, own, begun=begun)


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """Yield where to write what takes the file's place, at once, when the block ends well."""
    new = file.with_name(f".{file.name}.new")
    try:
        yield new
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def _read(record: Path) -> dict[str, Any]:
    """Return what was written of the earlier zip; nothing where there is none, or it is no longer ours."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _sha256(file: Path) -> str | None:
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
