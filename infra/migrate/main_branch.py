"""What git knows of revisions: which ones others build on, and which could be had back."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from infra.config import Project

#: Where the main git branch may be found, the others' before one's own.
_NAMES: Final = ("origin/HEAD", "origin/main", "origin/master", "main", "master")

_OF_HOOKS: Final = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})


def revision_files(project: Project, name: str | None = None) -> frozenset[str] | None:
    """Return the names of the files in `versions` that the main git branch has.

    Args:
        project: Whose migrations.
        name: The git branch, or another commit, that counts as main; without it the one of `origin`, or a
            local one of a usual name.

    Returns:
        `None` when git, the repository or such a branch is not there.
    """
    folder = project.root / project.migrations / "versions"
    for each in (name,) if name else _NAMES:
        found = _git(folder, "ls-tree", "-z", "--name-only", each)
        if found is not None:
            return frozenset(found.split("\0")) - {""}
    return None


def uncommitted(paths: Sequence[Path]) -> tuple[str, ...] | None:
    """Return the names of files of one folder that git could not bring back as they are.

    Returns:
        `None` when git or the repository is not there.
    """
    found = _git(paths[0].parent, "status", "--porcelain", "-z", "--", *(path.name for path in paths))
    return None if found is None else tuple(line[3:] for line in found.split("\0") if line)


def is_in_repository(folder: Path) -> bool:
    """Tell whether a folder is in a git repository, also where git itself is missing or refuses it."""
    return any((each / ".git").exists() for each in (folder, *folder.parents))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    # In a hook they say where the repository is, seen from another folder.
    environment = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=environment)  # noqa: S603  no shell
    except FileNotFoundError:
        return None
    return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else None
