"""What is asked of git."""

from __future__ import annotations

import subprocess
from pathlib import Path  # noqa: TC003  the class is used at run time by callers of `git`

from infra.kit.errors import KitFailedError


def git(folder: Path, *arguments: str) -> str:
    """Run a command of git in a folder; return what it printed.

    Raises:
        KitFailedError: It failed, or git is not installed.
    """
    try:
        done = subprocess.run(  # noqa: S603  no shell
            ["git", *arguments],  # noqa: S607  as on the user's PATH
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise KitFailedError("git is not installed") from error
    except subprocess.CalledProcessError as error:
        raise KitFailedError(f"`git {arguments[0]}` failed in {folder}: {error.stderr.strip()}") from error
    return done.stdout


def is_repository(folder: Path) -> bool:
    """Say whether a folder is in a git repository's working tree."""
    try:
        return git(folder, "rev-parse", "--is-inside-work-tree").strip() == "true"
    except KitFailedError:
        return False
