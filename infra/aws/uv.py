"""uv, run in a project's folder."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from infra.disk import NO_SPACE
from infra.errors import InfraError

if TYPE_CHECKING:
    from pathlib import Path


class DependenciesError(InfraError):
    """The locked dependencies cannot be read or installed; the message holds uv's reason."""

    code = "DEPENDENCIES_FAILED"


def run_uv(root: Path, purpose: str, arguments: list[str]) -> None:
    """Run uv in a project's folder.

    Args:
        root: The project's folder.
        purpose: What it is to do there, for the message when it cannot.
        arguments: Its command and options.

    Raises:
        DependenciesError: uv is not there, or fails; the message has its reason.
        OSError: The disk is full.
    """
    command = [find_uv(), "--quiet", "--no-progress", *arguments]
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


def find_uv() -> str:
    """Return the path of uv: this environment's, else the one on PATH.

    Raises:
        DependenciesError: There is none.
    """
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - uv may be on PATH only

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        found = shutil.which("uv")
        if found is None:
            raise DependenciesError("uv is not installed", hint="run `pip install uv`") from error
        return found
