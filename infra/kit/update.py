"""Brings a later version of the kit into a project that was made from it: a three-way merge, by copier."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.kit import git as git_command
from infra.kit.creation import ANSWERS
from infra.kit.errors import KitFailedError, UpdateConflictError, UpdateRefusedError
from infra.kit.git import git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Update:
    """What came of an update.

    Args:
        before: The kit's version that the project had.
        after: The one that it has now.
        files: What was changed in the working tree, the deleted ones among them.
        revisions: Which of them are new revisions of the database: these may need `bough migrate rebase`.
    """

    before: str
    after: str
    files: tuple[str, ...]
    revisions: tuple[str, ...]


def update(root: Path, *, to: str | None, announce: Callable[[str], None]) -> Update:
    """Merge what changed in the kit into the working tree; nothing is committed.

    Args:
        root: Of the project, which is in a git repository.
        to: A tag, git branch or commit of the kit; without it the latest release, or where there is none
            the last commit.
        announce: Is told what happens.

    Raises:
        UpdateRefusedError: It is not made from a kit, no repository, has changes that are not committed,
            or already has something newer.
        UpdateConflictError: Both changed the same lines. The merge stands in the working tree, with
            these marked.
        KitFailedError: Git or copier failed, such as at a source that cannot be reached.
    """
    _check(root)
    before = _version(root)
    announce(f"Updating from bough {before}")
    _merge(root, to)
    conflicts = _names(root, "diff", "--name-only", "--relative", "--diff-filter=U")
    if "uv.lock" in conflicts:
        # Nobody can merge it: with the kit's, `uv lock` adds what the project has besides.
        git(root, "checkout", "--theirs", "--", "uv.lock")
    if conflicts:
        raise UpdateConflictError(
            f"the kit and the project changed the same lines of {', '.join(conflicts)}",
            hint=_way_out(conflicts),
        )
    added = _names(root, "ls-files", "--others", "--exclude-standard")
    files = [*_names(root, "diff", "--name-only", "--relative", "HEAD"), *added]
    return Update(
        before,
        _version(root),
        files=tuple(name for name in files if name != ANSWERS),
        revisions=tuple(name for name in added if name.startswith("migrations/versions/")),
    )


def _check(root: Path) -> None:
    if not (root / ANSWERS).exists():
        raise UpdateRefusedError(
            f"{root} was not made by `bough init`: {ANSWERS} is not there",
            hint="the kit itself is updated by git",
        )
    if not git_command.is_repository(root):
        raise UpdateRefusedError(f"{root} is in no git repository: what the update changes could not be seen")
    if git(root, "status", "--porcelain").strip():
        raise UpdateRefusedError(
            f"{root} has changes that are not committed", hint="commit them, or put them aside with git stash"
        )


def _merge(root: Path, to: str | None) -> None:
    import copier  # noqa: PLC0415  0.3 s
    from copier.errors import CopierError, ShallowCloneWarning, UserMessageError  # noqa: PLC0415
    from plumbum.commands.processes import ProcessExecutionError  # noqa: PLC0415

    try:
        # It says on stderr, each time that it looks, that a kit has no releases.
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore", ShallowCloneWarning)
            copier.run_update(
                root,
                vcs_ref=to,
                defaults=True,
                overwrite=True,
                quiet=True,
                # It runs infra/kit/tailor.py of a kit whose code the project runs anyway.
                unsafe=True,
            )
    except UserMessageError as error:
        raise UpdateRefusedError(str(error)) from error
    except ProcessExecutionError as error:
        raise KitFailedError(f"git failed: {error.stderr.strip()}", hint=_back()) from error
    except (CopierError, ValueError) as error:
        raise KitFailedError(str(error), hint=_back()) from error


def _names(root: Path, *arguments: str) -> list[str]:
    """Return the files that a command of git lists, as seen from the project, not its repository."""
    return git(root, *arguments, "-z").split("\0")[:-1]


def _version(root: Path) -> str:
    import yaml  # noqa: PLC0415

    return str(yaml.safe_load((root / ANSWERS).read_text(encoding="utf-8"))["_commit"])


def _way_out(conflicts: list[str]) -> str:
    lock = "; uv.lock is the kit's now: .venv/bin/uv lock" if "uv.lock" in conflicts else ""
    return f"settle what is marked in them, then `git add` them{lock}. {_back()}"


def _back() -> str:
    return "`git reset --hard && git clean -d --force` undoes the update"
