"""What commands on branches have in common: the options that say where, and what they open with them."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, ParamSpec, TypeVar, get_type_hints

import typer

from infra.branches import lookup
from infra.config import load_project
from infra.context import ProviderName
from scripts.completion import complete_branch
from scripts.provider import Branches, open_branches, read_token

if TYPE_CHECKING:
    from collections.abc import Callable

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

#: Where nothing is lost: without one the pinned branch is meant.
AnyBranch = Annotated[
    str | None,
    typer.Argument(
        metavar="[BRANCH]",
        help="Id or name; without one the pinned branch (BOUGH_BRANCH, or `bough link`).",
        autocompletion=complete_branch,
        show_default=False,
    ),
]
#: Where something changes: never a branch that was pinned some time ago.
NamedBranch = Annotated[
    str, typer.Argument(metavar="BRANCH", help="Id or name.", autocompletion=complete_branch)
]
AllowDefault = Annotated[
    bool, typer.Option("--allow-default", help="Also the default branch: production, by convention.")
]
AllowProtected = Annotated[bool, typer.Option("--allow-protected", help="Also a protected branch.")]

Provider = Annotated[
    ProviderName | None,
    typer.Option(help="Who hosts the branches; else BOUGH_PROVIDER, the link, pyproject.toml, or local."),
]
ProjectId = Annotated[
    str | None,
    typer.Option(
        "--project",
        help="Neon's project id or Supabase's project reference; else NEON_PROJECT_ID or"
        " SUPABASE_PROJECT_REF, the link, or pyproject.toml.",
    ),
]
TokenStdin = Annotated[
    bool,
    typer.Option(
        "--token-stdin",
        help="Read the provider's token from stdin; else it is NEON_API_KEY or SUPABASE_ACCESS_TOKEN.",
    ),
]

_WHERE: Final = {"provider": Provider, "project": ProjectId, "token_stdin": TokenStdin}
_DEFAULTS: Final = {"provider": None, "project": None, "token_stdin": False}


def on_branches(
    command: Callable[Concatenate[Branches, _Parameters], _Result],
) -> Callable[_Parameters, _Result]:
    """Give a command the options that say where its branches are, and hand it these as its first argument.

    Its parameter `branch`, if it has one, has the last word on which branch is meant.
    """

    @functools.wraps(command)
    def run(*arguments: Any, provider: Any, project: Any, token_stdin: bool, **options: Any) -> _Result:
        if (branch := options.get("branch")) is not None:
            lookup.required(branch)
        with open_branches(
            load_project(Path.cwd()),
            provider=provider,
            project_id=project,
            branch=branch,
            token=read_token() if token_stdin else None,
        ) as branches:
            return command(branches, *arguments, **options)

    first, *own = inspect.signature(command, eval_str=True).parameters.values()
    where = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=option)
        for name, option in _WHERE.items()
    ]
    hints = get_type_hints(command, include_extras=True)
    del hints[first.name]
    # What Typer builds the command from.
    run.__signature__ = inspect.Signature([*own, *where])  # type: ignore[attr-defined]
    run.__annotations__ = hints | _WHERE
    return run  # type: ignore[return-value]
