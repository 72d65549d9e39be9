"""What `bough branch` changes. Each command says which branch it is about to change, on stderr."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime  # noqa: TC003  Typer reads annotations when a command runs
from typing import TYPE_CHECKING, Annotated, Final

import typer

from infra.branches import lookup
from infra.branches.creation import create_or_renew
from infra.branches.guards import Destruction, require_permission
from infra.branches.provider import BranchSpec, Compute
from scripts import moments, output
from scripts.branch_options import AllowDefault, AllowProtected, NamedBranch, on_branches
from scripts.completion import complete_branch
from scripts.confirmation import Yes, confirm_by_name
from scripts.output import Output, OutputFormat
from scripts.provider import Branches  # noqa: TC001  as above

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.branches.provider import Branch

_SMALLEST_CU: Final = 0.25


def _compute(text: str) -> Compute:
    """Read compute units, `1` or `0.25-2`."""
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,2})?)(?:-(\d{1,3}(?:\.\d{1,2})?))?", text.strip())
    smallest, largest = (float(match[1]), float(match[2] or match[1])) if match else (0.0, 0.0)
    if not _SMALLEST_CU <= smallest <= largest:
        message = f"{text!r} must be compute units such as 1 or 0.25-2, and at least {_SMALLEST_CU}"
        raise typer.BadParameter(message)
    return Compute(min_cu=smallest, max_cu=largest)


def _suspension(text: str) -> int:
    """Read a length or `never`, as seconds."""
    return -1 if text == "never" else int(moments.length(text).total_seconds())


@on_branches
def create(
    branches: Branches,
    name: Annotated[str, typer.Argument(help="1 to 256 characters.")],
    *,
    parent: Annotated[
        str | None,
        typer.Option(
            help="Id or name; without one the default branch.",
            autocompletion=complete_branch,
            show_default=False,
        ),
    ] = None,
    schema_only: Annotated[
        bool, typer.Option("--schema-only", help="The parent's tables without rows.")
    ] = False,
    protected: Annotated[bool, typer.Option("--protected", help="May be neither reset nor deleted.")] = False,
    expires: Annotated[
        moments.Expiry | None,
        typer.Option(
            parser=moments.expiry,
            metavar="TIME",
            help="Deleted then: 2026-12-31T18:00:00Z, or `7d` after the last run of this command.",
        ),
    ] = None,
    cu: Annotated[
        Compute | None,
        typer.Option(parser=_compute, metavar="CU", help="Compute units: `1`, or `0.25-2`."),
    ] = None,
    suspend_after: Annotated[
        int | None,
        typer.Option(parser=_suspension, metavar="LENGTH", help="Without a query, such as `5m`, or `never`."),
    ] = None,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Create a branch, ready to connect to; one that exists already must be what was asked for."""
    spec = BranchSpec(
        name=lookup.required(name),
        parent=None if parent is None else lookup.required(parent),
        with_data=not schema_only,
        protected=protected,
        expires_at=expires.at if expires else None,
        compute=replace(cu or Compute(), suspend_after=suspend_after),
    )
    provider = branches.provider
    output.say(f"→ new branch {spec.name} of project {provider.project_id} on {branches.title}")
    branch = create_or_renew(provider, spec) if expires and expires.is_length else provider.create(spec)
    output.say(f"{branch.name} ({branch.id}) is ready")
    branches.show(branch, output_format)


@on_branches
def reset(
    branches: Branches,
    branch: NamedBranch,
    *,
    allow_default: AllowDefault = False,
    allow_protected: AllowProtected = False,
    yes: Yes = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Make a branch what its parent is now. Its own changes are lost, its URLs stay."""
    found = branches.get(branch)
    require_permission(found, Destruction.RESET, allow_default=allow_default, allow_protected=allow_protected)
    branches.announce(found)
    confirm_by_name(
        f"All changes made on {found.name} since it left its parent are lost.", found.name, yes=yes
    )
    changed = _with_protection_off(branches, found, lambda: branches.provider.reset(found.id))
    branches.show(changed, output_format)


@on_branches
def restore(
    branches: Branches,
    branch: NamedBranch,
    *,
    at: Annotated[
        datetime,
        typer.Option(
            parser=moments.gone,
            metavar="TIME",
            help="Such as 2026-11-21T18:00:00Z, or `15m` for so long ago.",
        ),
    ],
    preserve_as: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep its present as a branch of this name.")
    ] = None,
    allow_default: AllowDefault = False,
    allow_protected: AllowProtected = False,
    yes: Yes = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Take a branch back to a moment of its own past."""
    preserve_as = None if preserve_as is None else lookup.required(preserve_as)
    found = branches.get(branch)
    require_permission(
        found, Destruction.RESTORE, allow_default=allow_default, allow_protected=allow_protected
    )
    branches.announce(found)
    confirm_by_name(f"{found.name} goes back to {at.isoformat(timespec='seconds')}.", found.name, yes=yes)
    changed = _with_protection_off(
        branches, found, lambda: branches.provider.restore(found.id, at, preserve_as=preserve_as)
    )
    branches.show(changed, output_format)


@on_branches
def expire(
    branches: Branches,
    branch: NamedBranch,
    at: Annotated[
        moments.Expiry,
        typer.Argument(
            parser=moments.expiry, metavar="TIME", help="Such as `7d`, 2026-12-31T18:00:00Z, or `never`."
        ),
    ],
    *,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Let the provider delete a branch at a time, or never; neither the default nor a protected one."""
    found = branches.get(branch)
    branches.announce(found)
    branches.show(branches.provider.set_expiry(found.id, at.at), output_format)


@on_branches
def protect(
    branches: Branches,
    branch: NamedBranch,
    *,
    off: Annotated[bool, typer.Option("--off", help="Protect it no longer.")] = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Protect a branch from being reset and deleted."""
    found = branches.get(branch)
    branches.announce(found)
    branches.show(branches.provider.protect(found.id, on=not off), output_format)


@on_branches
def delete(
    branches: Branches,
    branch: NamedBranch,
    *,
    allow_protected: AllowProtected = False,
    yes: Yes = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Delete a branch and its data; shows what it was."""
    found = branches.get(branch)
    require_permission(found, Destruction.DELETE, allow_protected=allow_protected)
    branches.announce(found)
    confirm_by_name(f"{found.name} and its data are deleted.", found.name, yes=yes)
    _with_protection_off(branches, found, lambda: branches.provider.delete(found.id))
    output.say(f"{found.name} is deleted")
    branches.show(found, output_format)


def _with_protection_off(branches: Branches, found: Branch, change: Callable[[], Branch | None]) -> Branch:
    """Change a branch whose protection, where it has one, a flag has lifted; return what it is then.

    Providers change no protected branch. What is left of it is protected again, whatever happened.

    Args:
        branches: That it is one of.
        found: As it was.
        change: Returns what it made of the branch, or `None` when that is gone.
    """
    if not found.is_protected:
        return change() or found
    output.say(f"{found.name} is not protected until this is done")
    branches.provider.protect(found.id, on=False)
    try:
        changed = change()
    except BaseException:
        branches.provider.protect(found.id, on=True)
        raise
    return branches.provider.protect(found.id, on=True) if changed else found
