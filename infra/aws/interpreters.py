"""Pythons on this machine that can compile for a target: only the same minor version's `.pyc` are of use."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.aws.uv import find_uv

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The last word is `final`, except before the first release, whose bytecode Lambda's Python may not take.
_SAY_VERSION: Final = (
    "import platform, sys; "
    "print(platform.python_implementation(), platform.python_version(), sys.version_info.releaselevel)"
)

#: Seconds within which a Python says its version.
_PATIENCE: Final = 20


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython on this machine.

    Args:
        executable: Absolute.
        version: With its patch number, such as `3.13.0`.
    """

    executable: Path
    version: str


@cache
def find(python: str) -> Interpreter | None:
    """Return a CPython of a minor version such as `3.13`; `None` without any.

    This one where it fits, else what uv finds (its own Pythons and those on PATH), then PATH, then pyenv's:
    its names on PATH run only what its user has switched to.
    """
    if platform.python_implementation() == "CPython" and platform.python_version().startswith(f"{python}."):
        return Interpreter(Path(sys.executable), platform.python_version())
    for executable in _candidates(python):
        version = _version(executable)
        if version is not None and version.startswith(f"{python}."):
            return Interpreter(executable, version)
    return None


def _candidates(python: str) -> Iterator[Path]:
    command = [find_uv(), "python", "find", "--no-project", "--no-config", "--no-python-downloads", python]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  uv, a version
    if found.returncode == 0 and found.stdout.strip():
        yield Path(found.stdout.strip())
    if on_path := shutil.which(f"python{python}"):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted((pyenv / "versions").glob(f"{python}.*/bin/python{python}"))


def _version(executable: Path) -> str | None:
    command = [str(executable), "-I", "-S", "-c", _SAY_VERSION]
    try:
        done = subprocess.run(  # noqa: S603  a Python that uv or PATH names
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match done.stdout.split():
        case ["CPython", version, "final"] if done.returncode == 0:
            return version
    return None
