"""A project's locked dependencies, installed, stripped and compiled once per lock and Python."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.aws import elf
from infra.aws.bytecode import compile_folder
from infra.aws.distributions import RECORDS, normalized
from infra.aws.sources import SKIPPED_FOLDERS, SKIPPED_SUFFIXES
from infra.aws.uv import DependenciesError, run_uv

if TYPE_CHECKING:
    from collections.abc import Collection

    from infra.aws.interpreters import Interpreter
    from infra.aws.target import Target

#: Changes when the same lock would be laid out differently.
_LAYOUT: Final = "2"

#: How folders begin that are there only while something is built.
BUILDING: Final = ".building-"

#: What of `[project]` a lock must fit.
_ASKED: Final = ("requires-python", "dependencies", "optional-dependencies")

#: Where wheels put scripts and C headers under `--target`.
_TOP_LEVEL: Final = ("bin", "include", ".lock")


def locked(root: Path) -> bytes:
    """Return the project's uv.lock, and what of its pyproject.toml the lock must fit.

    Raises:
        DependenciesError: There is no lock.
    """
    try:
        lock = (root / "uv.lock").read_bytes()
    except FileNotFoundError as error:
        raise DependenciesError(f"no uv.lock in {root}", hint=f"run `uv lock` in {root}") from error
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [pyproject.get("project", {}).get(key) for key in _ASKED]
    asked += [pyproject.get("dependency-groups"), pyproject.get("tool", {}).get("uv")]
    return lock + json.dumps(asked, sort_keys=True, default=str).encode()


def installed(
    root: Path,
    cache: Path,
    target: Target,
    compiler: Interpreter | None,
    *,
    extras: Collection[str] = (),
    groups: Collection[str] = (),
) -> Path:
    """Return a folder below `cache` with the dependencies of `[project]`, of its `extras` and of `groups`.

    The wheels come from uv's cache where it has them, so that this works offline; the folder is
    made once per lock, choice, target and compiler. Earlier ones of the choice and target are removed,
    and files that were put beside them by their name and a suffix.

    Raises:
        DependenciesError: There is no uv or no lock, the lock is older than what pyproject.toml asks for, or
            uv cannot install what it names: no wheel for the target, no network and not cached.
        OSError: The disk is full, or `cache` cannot be written.
    """
    inputs = f"{_LAYOUT} {compiler and compiler.version} {sorted(extras)} {sorted(groups)}\n".encode()
    key = hashlib.sha256(inputs + locked(root)).hexdigest()[:16]
    series = f"dependencies-{target.runtime}-{target.platform}-{'-'.join(['api', *sorted(groups)])}"
    folder = cache / f"{series}.{key}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=BUILDING, dir=cache) as temporary:
        building = Path(temporary, "dependencies")
        building.mkdir()
        options = [*(f"--extra={extra}" for extra in extras), *(f"--group={group}" for group in groups)]
        _install(root, options, target, Path(temporary, "pylock.toml"), building)
        _strip(building)
        if compiler is not None:
            compile_folder(building, compiler.executable)
        for earlier in cache.glob(f"{series}.*"):
            if earlier.is_dir():
                shutil.rmtree(earlier)
            else:
                earlier.unlink()
        building.rename(folder)
    return folder


def names(folder: Path) -> frozenset[str]:
    """Return the normalized names of the distributions in a folder."""
    return frozenset(normalized(path.name.split("-")[0]) for path in folder.glob("*.dist-info"))


def _install(root: Path, options: list[str], target: Target, lock: Path, folder: Path) -> None:
    # As pylock.toml, which names every wheel with its hash; of a requirements.txt uv would ask the
    # package index again, cached wheels or not.
    export = ["export", "--format", "pylock.toml", "--locked", "--no-default-groups", "--no-emit-project"]
    run_uv(root, "read the lock", [*export, *options, "--output-file", str(lock)])
    # This Python only runs the installation: the wheels are the target's.
    install = ["pip", "install", "--preview-features", "pylock", "--python", sys.executable]
    wheels = ["--python-version", target.python, "--python-platform", target.platform]
    # Copies, not hard links: a changed mode or owner in an artifact must not reach uv's cache.
    exact = ["--no-deps", "--only-binary", ":all:", "--link-mode", "copy", "--target", str(folder)]
    run_uv(
        root, f"install, for {target}, the locked dependencies", [*install, *wheels, *exact, "-r", str(lock)]
    )


def _strip(folder: Path) -> None:
    """Remove what nothing reads at run time, about a third of the bytes."""
    for name in _TOP_LEVEL:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for parent, folders, files in os.walk(folder):
        for name in SKIPPED_FOLDERS.intersection(folders):
            folders.remove(name)
            shutil.rmtree(Path(parent, name))
        for name in files:
            file = Path(parent, name)
            if file.suffix in SKIPPED_SUFFIXES or (name in RECORDS and file.parent.suffix == ".dist-info"):
                file.unlink()
            elif ".so" in file.suffixes:
                _shrink(file)


def _shrink(file: Path) -> None:
    """Leave out of a shared object what nothing reads at run time; see `without_sections`."""
    content = file.read_bytes()
    if elf.is_elf(content) and (smaller := elf.without_sections(content)) != content:
        file.write_bytes(smaller)
