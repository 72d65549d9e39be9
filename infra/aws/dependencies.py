"""A project's locked dependencies, installed, stripped and compiled once per lock and Python."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.aws.bytecode import compile_folder
from infra.aws.distributions import RECORDS, normalized
from infra.aws.sources import SKIPPED_FOLDERS, SKIPPED_SUFFIXES
from infra.disk import NO_SPACE
from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Collection

#: Changes when the same lock would be laid out differently.
_LAYOUT: Final = "1"

#: Where wheels put scripts and C headers under `--target`.
_TOP_LEVEL: Final = ("bin", "include", ".lock")


class DependenciesError(InfraError):
    """The locked dependencies cannot be read or installed; the message holds uv's reason."""

    code = "DEPENDENCIES_FAILED"


def target() -> str:
    """Name what compiled code and `.pyc` files are bound to: this Python and platform."""
    return f"{platform.python_implementation()}-{platform.python_version()}-{sysconfig.get_platform()}"


def locked(root: Path) -> bytes:
    """Return the project's uv.lock.

    Raises:
        DependenciesError: There is none.
    """
    try:
        return (root / "uv.lock").read_bytes()
    except FileNotFoundError as error:
        raise DependenciesError(f"no uv.lock in {root}", hint=f"run `uv lock` in {root}") from error


def installed(root: Path, cache: Path, extras: Collection[str] = ()) -> Path:
    """Return a folder below `cache` with the dependencies of `[project]` and of its `extras`, no group's.

    The wheels come from uv's cache where it has them, so that this works offline; the folder is
    made once per lock, extras, Python and platform. Earlier folders are removed.

    Raises:
        DependenciesError: There is no uv or no lock, or uv cannot install what it names: no wheel
            for this platform, no network and not cached.
        OSError: The disk is full, or `cache` cannot be written.
    """
    inputs = f"{_LAYOUT} {target()} {sorted(extras)}\n".encode() + locked(root)
    key = hashlib.sha256(inputs).hexdigest()[:16]
    folder = cache / f"dependencies-{key}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".dependencies-", dir=cache) as temporary:
        building = Path(temporary, "dependencies")
        building.mkdir()
        _install(root, extras, Path(temporary, "pylock.toml"), building)
        _strip(building)
        compile_folder(building)
        for earlier in cache.glob("dependencies-*"):
            shutil.rmtree(earlier)
        building.rename(folder)
    return folder


def names(folder: Path) -> frozenset[str]:
    """Return the normalized names of the distributions in a folder."""
    return frozenset(normalized(path.name.split("-")[0]) for path in folder.glob("*.dist-info"))


def _install(root: Path, extras: Collection[str], lock: Path, folder: Path) -> None:
    # As pylock.toml, which names every wheel with its hash; of a requirements.txt uv would ask the
    # package index again, cached wheels or not.
    export = ["export", "--format", "pylock.toml", "--frozen", "--no-default-groups", "--no-emit-project"]
    chosen = [f"--extra={extra}" for extra in extras]
    _uv(root, "read the lock", [*export, *chosen, "--output-file", str(lock)])
    install = ["pip", "install", "--preview-features", "pylock", "--python", sys.executable]
    # Copies, not hard links: a changed mode or owner in an artifact must not reach uv's cache.
    exact = ["--no-deps", "--only-binary", ":all:", "--link-mode", "copy", "--target", str(folder)]
    _uv(root, "install the locked dependencies", [*install, *exact, "--requirements", str(lock)])


def _uv(root: Path, purpose: str, arguments: list[str]) -> None:
    command = [_find_uv(), "--quiet", "--no-progress", *arguments]
    # uv warns about an activated environment that is not the project's; none is used here.
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(  # noqa: S603 - uv, with paths of ours
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        if NO_SPACE in reason:
            raise OSError(errno.ENOSPC, NO_SPACE)
        raise DependenciesError(f"uv could not {purpose} of {root}: {reason}")


def _find_uv() -> str:
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - uv may be on PATH only

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        found = shutil.which("uv")
        if found is None:
            raise DependenciesError("uv is not installed", hint="run `pip install uv`") from error
        return found


def _strip(folder: Path) -> None:
    """Remove what nothing imports at run time, about a tenth of the bytes."""
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
