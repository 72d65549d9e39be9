"""Installed distributions, copied from this Python's own environment into a folder."""

from __future__ import annotations

import re
import shutil
from importlib import metadata
from typing import TYPE_CHECKING, Final

from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from pathlib import Path


#: Installers' records: they differ between machines and nothing reads them at run time. METADATA
#: and entry_points.txt are not among them, `importlib.metadata` needs those.
RECORDS: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


class DistributionMissingError(InfraError):
    """A distribution that the kit itself needs is not installed beside it."""

    code = "DISTRIBUTION_MISSING"


def normalized(name: str) -> str:
    """Return a distribution's name as indexes compare it: `Foo.Bar` and `foo_bar` are `foo-bar`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(names: Iterable[str], *, without: Container[str] = ()) -> tuple[str, ...]:
    """Return `names` and all that they require, sorted, but nothing that is in `without`.

    Optional requirements (extras) and those bound to another platform are left out: a requirement
    with a marker counts only when it is installed.

    Raises:
        DistributionMissingError: One of `names`, or an unconditional requirement, is not installed.
    """
    found: set[str] = set()
    pending = [(normalized(name), True) for name in names]
    while pending:
        name, required = pending.pop()
        if name in found or name in without:
            continue
        try:
            requirements = metadata.requires(name) or ()
        except metadata.PackageNotFoundError as error:
            if not required:
                continue
            raise DistributionMissingError(
                f"{name} is not installed in this environment",
                hint="run `uv sync` in the folder that the `bough` command is installed from",
            ) from error
        found.add(name)
        for requirement in requirements:
            text, _, marker = requirement.partition(";")
            match = re.match(r"[\w.-]+", text.strip())
            if match and "extra" not in marker:
                pending.append((normalized(match[0]), not marker))
    return tuple(sorted(found))


def copy(name: str, folder: Path) -> None:
    """Copy one installed distribution's importable files and its metadata into `folder`."""
    for file in metadata.files(name) or ():
        if file.is_absolute() or ".." in file.parts or file.suffix == ".pyc":
            continue
        if file.parent.suffix == ".dist-info" and file.name in RECORDS:
            continue
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(file.locate()), target)
