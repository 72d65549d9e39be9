"""`bough link` and `bough unlink`: the project and branch that this checkout works on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra import link as link_file
from infra.config import load_project
from infra.link import Link
from scripts import completion, output
from scripts.branch_options import on_branches
from scripts.completion import complete_branch
from scripts.provider import Branches  # noqa: TC001  Typer reads annotations when a command runs


@on_branches
def link(
    branches: Branches,
    *,
    branch: Annotated[
        str | None,
        typer.Option(
            help="Id or name of the branch to pin; without one only the project.",
            autocompletion=complete_branch,
        ),
    ] = None,
) -> None:
    """Pin a project, and a branch of it, for all commands run in this checkout.

    The provider is asked whether they exist first. The file, `.bough/link.json`, holds no secrets
    and git ignores it.
    """
    found = None if branch is None else branches.get(branch)
    if found is None:
        # Nothing else proves that the project exists and the token may see it.
        completion.remember(branches.project, branches.context, branches.provider.list())
    pinned = Link(
        branches.name.value,
        branches.provider.project_id,
        found.id if found else None,
        found.name if found else None,
    )
    link_file.write(branches.project.root, pinned)
    what = f"branch {found.name} ({found.id}) of project" if found else "project"
    output.say(f"Linked to {what} {pinned.project_id} on {branches.title}")


def unlink() -> None:
    """Pin nothing any more."""
    removed = link_file.remove(load_project(Path.cwd()).root)
    output.say("Unlinked" if removed else "Nothing was linked")
