"""The git commit that a version is built from."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def source_commit(root: Path) -> str | None:
    """Return the commit of a project's folder, with `-dirty` behind it where files have changed since.

    Returns:
        `None` when git, the repository or a first commit is not there.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    return f"{commit}-dirty" if _git(root, "status", "--porcelain", "--", ".") else commit


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  no shell
            ["git", "-C", str(root), *arguments],  # noqa: S607  whichever git the user has
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
