"""`bough init` and `bough update`: projects made from the kit, and later versions of it for them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from infra.config import load_project
from infra.context import ProviderName
from scripts import output


def init(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="NAME",
            help="Folder to make, beside the kit's: `../shop`. Its last part is the project's name.",
        ),
    ],
    *,
    provider: Annotated[
        ProviderName, typer.Option(help="Who hosts the database's branches; local until that is decided.")
    ] = ProviderName.LOCAL,
    region: Annotated[
        str, typer.Option(help="AWS region of everything that is deployed; else the environment's.")
    ] = "",
    sample: Annotated[
        bool,
        typer.Option(
            help="With teams, projects, tasks, posts, tags, catalog and credits besides users and logins."
        ),
    ] = True,
    service: Annotated[
        str | None, typer.Option(help="What names in AWS begin with; else the project's name.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write also into a folder that is not empty.")
    ] = False,
) -> None:
    """Make a new project of this checkout of the kit.

    Nothing is asked of the network. `bough update` later brings what has changed in the kit.
    """
    from infra.kit import creation  # noqa: PLC0415

    name = folder.resolve().name
    answers = creation.Answers(name, service or name, provider.value, region, sample)
    creation.create(folder, answers, force=force, announce=output.say)
    output.say(f"{name} is ready. Next:")
    for command in (
        f"cd {shlex.quote(str(folder))}",
        "git add --all && git commit --message 'Begin with bough'",
        "make up",
        "make test",
    ):
        output.say(f"  {command}")


def update(
    *,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Tag, git branch or commit of the kit; else its latest release, or its last commit.",
        ),
    ] = None,
) -> None:
    """Merge a later version of the kit into this project; nothing is committed.

    The kit comes from where the project was made from, as .copier-answers.yml says. Exit code 3: both
    changed the same lines, which are marked.
    """
    from infra.kit import update as kit_update  # noqa: PLC0415

    done = kit_update.update(load_project(Path.cwd()).root, to=to, announce=output.say)
    if not done.files:
        output.say(f"The project has bough {done.after} already")
        return
    output.say(f"{len(done.files)} files have what changed from bough {done.before} to {done.after}. Next:")
    for command in (
        *(
            ["bough migrate rebase  # its new revisions come before the project's own"]
            if done.revisions
            else ()
        ),
        "git diff",
        "make docs check test",
        "git add --all && git commit --message 'Update bough'",
    ):
        output.say(f"  {command}")
