"""`bough help`: what holds for all commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

from scripts import output


class Topic(StrEnum):
    """What can be asked about."""

    EXIT_CODES = "exit-codes"
    ENVIRONMENT = "environment"
    OUTPUT = "output"


_TEXTS: Final = {
    Topic.EXIT_CODES: """\
0    done
1    failed, or not confirmed; the error on stderr has a code and what to do next
2    wrong usage: an option, an argument or a setting cannot be meant
3    changes are pending, unsafe or not rehearsed, or a plan has steps (`--dry-run` of `deploy`, `rollback`,
     `destroy` and `secrets rotate`), or there are differences (`bough branch diff --exit-code`,
     `bough migrate drift`), or the linter finds something unsafe (`bough migrate lint`, `check`), or the kit
     and the project changed the same lines (`bough update`)
4    the provider's token is missing, wrong, or has too few rights
130  interrupted by Ctrl-C

`bough env run` ends with the exit code of the command that it ran.""",
    Topic.ENVIRONMENT: """\
BOUGH_PROVIDER         local (the default), neon or supabase
BOUGH_BRANCH           id or name of the branch that commands mean
BOUGH_OUTPUT           table (the default), json, yaml or env
NEON_PROJECT_ID        Neon's project
NEON_API_KEY           Neon's token
NEON_API_HOST          Neon's API, with its /api/v2
SUPABASE_PROJECT_REF   Supabase's project
SUPABASE_ACCESS_TOKEN  Supabase's token
SUPABASE_API_URL       Supabase's API
DATABASE_URL           pooled connection string: requests
DATABASE_URL_UNPOOLED  direct connection string: migrations
CI                     set, and neither false nor 0: nothing is asked
NO_COLOR               set: no colours

Flags are above the environment, the environment above `.bough/link.json`, that above
[tool.bough.branches] of pyproject.toml. `bough config show --origin` shows what applies.
A variable that is set to nothing is an error, never a default.""",
    Topic.OUTPUT: """\
Data goes to stdout, everything else to stderr.

-o table  for people
-o json   for programs: no field is dropped or changes its type within a major version; times
          are in RFC 3339's form. An error is the last line of stderr:
          {"error": {"code", "message", "hint", "retryable"}}
-o yaml   as json
-o env    NAME=value lines, quoted where a shell needs it: set -a; eval "$(bough … -o env)"; set +a
          Docker's --env-file knows no quotes: bough env run -- docker run -e DATABASE_URL …

A branch is {id, name, provider, project_id, parent_id, state, default, protected, created_at,
expires_at}; a connection string {url, kind, role, branch_id, branch_name}; a comparison
{base_id, branch_id, equal, diff}.""",
}


def help_(
    topic: Annotated[Topic, typer.Argument(help="What about.", show_default=False)],
) -> None:
    """Explain what holds for all commands."""
    output.show_text(_TEXTS[topic])
