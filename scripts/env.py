"""`bough env`: a branch's connection strings, in a `.env` file or for one command."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from infra import env_file
from infra.branches.provider import DatabaseRole
from scripts import output
from scripts.branch_options import AnyBranch, on_branches
from scripts.completion import complete_branch
from scripts.provider import Branches  # noqa: TC001  Typer reads annotations when a command runs

if TYPE_CHECKING:
    from infra.branches.provider import Branch

app = typer.Typer(
    help="Hand a branch to programs: DATABASE_URL (pooled, application role) and DATABASE_URL_UNPOOLED "
    "(direct, owner).",
    no_args_is_help=True,
)

#: As a shell has them.
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@app.command()
@on_branches
def pull(
    branches: Branches,
    branch: AnyBranch = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(help="Where to; without it `.env` beside pyproject.toml.", show_default=False),
    ] = None,
    allow_tracked: Annotated[
        bool, typer.Option("--allow-tracked", help="Also into a file that git tracks.")
    ] = False,
) -> None:
    """Write a branch's connection strings into a .env file; no other line of it changes.

    A new file can be read by its owner alone.
    """
    path = file or branches.project.root / ".env"
    if env_file.is_tracked(path) and not allow_tracked:
        raise env_file.EnvFileTrackedError(
            f"git tracks {path}, and passwords would be committed with it",
            hint="run `git rm --cached` on it, or say --allow-tracked",
        )
    found = branches.get(branch)
    env_file.write(path, _variables(branches, found))
    output.say(f"{path} has the connection strings of {found.name} ({found.id})")
    if not env_file.is_ignored(path):
        output.say("hint: git does not ignore this file: add it to .gitignore")
    if env_file.is_readable_by_others(path):
        output.say(f"hint: other users can read it, with its passwords: chmod 600 {shlex.quote(str(path))}")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@on_branches
def run(
    branches: Branches,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND...", help="What to run, after `--`.", show_default=False)
    ],
    *,
    branch: Annotated[
        str | None,
        typer.Option(help="Id or name; without one the pinned branch.", autocompletion=complete_branch),
    ] = None,
) -> NoReturn:
    """Run a command that has a branch's connection strings in its environment, and nowhere else.

    It takes this process's place, so signals and its exit code are its own.
    """
    found = branches.get(branch)
    variables = _variables(branches, found)
    output.say(f"→ {found.name} ({found.id}): {command[0]}")
    program = shutil.which(command[0])
    if program is None:
        is_there = Path(command[0]).exists() and os.sep in command[0]
        output.say(f"{command[0]} is not executable" if is_there else f"there is no command {command[0]}")
        raise typer.Exit(_NOT_EXECUTABLE if is_there else _NOT_FOUND)
    os.execve(program, command, {**os.environ, **variables})  # noqa: S606  no shell: the user's own words


def _variables(branches: Branches, branch: Branch) -> dict[str, str]:
    provider = branches.provider
    urls = {
        "DATABASE_URL": provider.pooled_url(branch.id, DatabaseRole.APP),
        "DATABASE_URL_UNPOOLED": provider.direct_url(branch.id, DatabaseRole.OWNER),
    }
    return {name: output.masked_in_log(url) for name, url in urls.items()}
