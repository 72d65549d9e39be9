"""`bough branch`: the database branches of a project, and what can be asked about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from infra.branches.errors import BranchError
from infra.branches.provider import DatabaseRole
from scripts import branch_changes, branch_upkeep, completion, output
from scripts.branch_options import AnyBranch, on_branches
from scripts.output import Output, OutputFormat
from scripts.provider import Branches  # noqa: TC001  Typer reads annotations when a command runs

if TYPE_CHECKING:
    from infra.branches.provider import Branch

app = typer.Typer(
    help="Create, compare, reset and delete database branches: local ones, Neon's or Supabase's.",
    no_args_is_help=True,
)

#: With `--exit-code`, as `git diff` has it; 1 means failed here.
_DIFFERS: Final = 3
_COLUMNS: Final = {
    "name": "NAME",
    "id": "ID",
    "parent": "PARENT",
    "state": "STATE",
    "default": "DEFAULT",
    "protected": "PROTECTED",
    "created_at": "CREATED",
    "expires_at": "EXPIRES",
}


@app.command("list")
@on_branches
def list_(branches: Branches, *, output_format: Output = OutputFormat.TABLE) -> None:
    """List the project's branches, oldest first."""
    found = branches.provider.list()
    completion.remember(branches.project, branches.context, found)
    names = {branch.id: branch.name for branch in found}
    rows = [branches.record(branch) for branch in found]
    if output_format is OutputFormat.TABLE:
        rows = [row | {"parent": names.get(row["parent_id"], row["parent_id"])} for row in rows]
    output.show_rows(rows, output_format, columns=_COLUMNS)


@app.command()
@on_branches
def get(branches: Branches, branch: AnyBranch = None, *, output_format: Output = OutputFormat.TABLE) -> None:
    """Show a branch; `-o env` prints the variables that pin it in a shell."""
    branches.show(branches.get(branch), output_format)


@app.command()
@on_branches
def url(
    branches: Branches,
    branch: AnyBranch = None,
    *,
    pooled: Annotated[
        bool,
        typer.Option("--pooled/--direct", help="Through the pooler, for requests, or to the server itself."),
    ] = True,
    role: Annotated[
        DatabaseRole | None,
        typer.Option(
            help="Who connects; without it `app` for --pooled and `owner` for --direct.", show_default=False
        ),
    ] = None,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Print a branch's connection string, with its password.

    GitHub Actions is told to hide it, on stderr, so that stdout holds nothing else.
    """
    found = branches.get(branch)
    role = role or (DatabaseRole.APP if pooled else DatabaseRole.OWNER)
    kind = "pooled" if pooled else "direct"
    output.say(f"The {kind} connection string of {found.name} ({found.id}) for the role `{role}`")
    provider = branches.provider
    fetched = provider.pooled_url(found.id, role) if pooled else provider.direct_url(found.id, role)
    text = output.masked_in_log(fetched)
    if output_format is OutputFormat.TABLE:
        output.show_text(text)
        return
    record = {"url": text, "kind": kind, "role": role.value, "branch_id": found.id, "branch_name": found.name}
    output.show(
        record, output_format, variables={"DATABASE_URL" if pooled else "DATABASE_URL_UNPOOLED": text}
    )


@app.command()
@on_branches
def diff(
    branches: Branches,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[[BASE] BRANCH]",
            help="Ids or names; without a base the branch's parent, without a branch the pinned one.",
            autocompletion=completion.complete_branch,
            show_default=False,
        ),
    ] = None,
    *,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 3 where they differ.")] = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Compare the schema of a branch with another's: a unified diff, empty where they are equal."""
    match names or []:
        case [] | [_]:
            branch = branches.get(names[0] if names else None)
            base = branches.get(_parent_of(branch))
        case [base_name, name]:
            base, branch = branches.get(base_name), branches.get(name)
        case _:
            raise typer.BadParameter("two branches can be compared, not more")
    text = branches.provider.diff(base.id, branch.id)
    if output_format is OutputFormat.TABLE:
        output.show_text(text)
    else:
        output.show(
            {"base_id": base.id, "branch_id": branch.id, "equal": not text, "diff": text}, output_format
        )
    if not text:
        output.say(f"{branch.name} has the schema of {base.name}")
    if text and exit_code:
        raise typer.Exit(_DIFFERS)


def _parent_of(branch: Branch) -> str:
    if branch.parent_id is None:
        raise BranchError(
            f"{branch.name} has no parent to compare it with", hint="name both: bough branch diff BASE BRANCH"
        )
    return branch.parent_id


for command in (
    branch_changes.create,
    branch_changes.reset,
    branch_changes.restore,
    branch_changes.expire,
    branch_changes.protect,
    branch_changes.delete,
    branch_upkeep.sweep,
    branch_upkeep.adopt,
):
    app.command()(command)
