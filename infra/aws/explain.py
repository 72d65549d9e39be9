"""Where a package's bytes and a cold start's time go."""

from __future__ import annotations

import os
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.aws import interpreters
from infra.aws.artifact import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from infra.aws.package import Package

#: Shares of the whole import below which a module is not worth a line.
_WORTH_A_LINE: Final = 0.01

#: Seconds in which the handler must be imported; Lambda itself gives it ten.
_PATIENCE: Final = 60

#: What `-X importtime` writes before each module's line.
_PREFIX: Final = "import time:"


class ImportFailedError(ArtifactError):
    """The handler cannot be imported from the package; the message has Python's reason."""

    code = "IMPORT_FAILED"


@dataclass(frozen=True, slots=True)
class Weight:
    """A top-level package or module in a zip.

    Args:
        package: Its name; the metadata of all distributions together is one.
        zipped: Bytes.
        unzipped: Bytes.
    """

    package: str
    zipped: int
    unzipped: int


@dataclass(frozen=True, slots=True)
class ImportTime:
    """A module's part in the import of the handler.

    Args:
        module: Its dotted name.
        depth: How many modules were being imported when its import began, 0 for the handler's.
        own: Seconds in the module's own code.
        total: Seconds with all that it imported first.
    """

    module: str
    depth: int
    own: float
    total: float


def weights(package: Package) -> list[Weight]:
    """Return what a package is made of, the heaviest first."""
    sizes: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(package.zip) as archive:
        for entry in archive.infolist():
            top = _top(entry.filename)
            zipped, unzipped = sizes.get(top, (0, 0))
            sizes[top] = zipped + entry.compress_size, unzipped + entry.file_size
    found = (Weight(name, zipped, unzipped) for name, (zipped, unzipped) in sizes.items())
    return sorted(found, key=lambda weight: (-weight.zipped, weight.package))


def _top(name: str) -> str:
    first, slash, rest = name.partition("/")
    if first == "__pycache__":
        first, slash = rest, ""
    if first.endswith((".dist-info", ".egg-info")):
        return "(metadata)"
    return first if slash else first.split(".")[0]


def why_not_run(package: Package) -> str | None:
    """Say why this machine cannot import what is in a package; `None` when it can."""
    target = package.target
    if not target.runs_here:
        return f"it is for {target.architecture}, which this machine is not: see --architecture"
    if interpreters.find(target.python) is None:
        return f"there is no Python {target.python} here: uv python install {target.python}"
    return None


def import_times(package: Package) -> list[ImportTime]:
    """Import a package's handler in a process of its own, and return what took its time, in order of import.

    The package is unzipped, and nothing else is in reach. What takes less than a hundredth is left out.
    The second of two runs counts: the first one reads the files from the disk.

    Raises:
        ImportFailedError: The handler cannot be imported; also where `why_not_run` says why.
        OSError: The disk is full.
    """
    found = interpreters.find(package.target.python)
    if found is None or not package.target.runs_here:
        raise ImportFailedError(f"{package.zip} cannot be run here: {why_not_run(package)}")
    module = package.handler.replace("/", ".").rpartition(".")[0]
    with tempfile.TemporaryDirectory(prefix="bough-explain-") as folder:
        with zipfile.ZipFile(package.zip) as archive:
            archive.extractall(folder)  # our own package
        for _ in range(2):
            lines = _import(found.executable, module, folder, package.zip)
    return list(_worth_a_line(_tree(lines, module)))


def _import(python: Path, module: str, folder: str, file: Path) -> list[str]:
    """Import a module from a folder; return the lines that Python wrote."""
    try:
        done = subprocess.run(  # noqa: S603  a Python of this machine on the project's own code
            [str(python), "-S", "-X", "importtime", "-c", f"import {module}"],
            cwd=folder,
            env=_environment(folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise ImportFailedError(f"{module} of {file} is not imported within {_PATIENCE} seconds") from error
    lines = done.stderr.splitlines()
    if done.returncode:
        reason = next((line for line in reversed(lines) if not line.startswith(_PREFIX)), "")
        raise ImportFailedError(f"{module} cannot be imported from {file}: {reason}")
    return lines


def _environment(folder: str) -> dict[str, str]:
    """Return what Lambda tells a function that it starts, as far as imports depend on it."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": folder,
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": "explained",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": folder,
    }


def _tree(lines: Iterable[str], module: str) -> list[ImportTime]:
    """Return the handler's module and what it imported, parents first: Python tells children first."""
    found = []
    for line in lines:
        if not line.startswith(_PREFIX) or "imported package" in line:
            continue
        own, total, name = line.removeprefix(_PREFIX).split("|")
        depth = (len(name) - len(name.lstrip()) - 1) // 2
        found.append(ImportTime(name.strip(), depth, int(own) / 1e6, int(total) / 1e6))
    found.reverse()
    start = next((index for index, each in enumerate(found) if each.module == module), len(found))
    end = next(
        (i for i, each in enumerate(found) if i > start and each.depth <= found[start].depth), len(found)
    )
    return _in_order(found[start:end])


def _in_order(reversed_tree: list[ImportTime]) -> list[ImportTime]:
    """Turn the order of siblings round, and keep each parent before its children."""
    if not reversed_tree:
        return []
    parent, *below = reversed_tree
    subtrees: list[list[ImportTime]] = []
    for each in below:
        if each.depth == parent.depth + 1:
            subtrees.append([])
        subtrees[-1].append(each)
    ordered = [each for subtree in reversed(subtrees) for each in _in_order(subtree)]
    return [parent, *ordered]


def _worth_a_line(tree: list[ImportTime]) -> Iterator[ImportTime]:
    if tree:
        least = tree[0].total * _WORTH_A_LINE
        yield from (each for each in tree if each.total >= least)
