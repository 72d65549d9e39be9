"""`bough migrate drift`: where a database, its revisions and the models no longer say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import typer

from infra.config import load_project
from scripts import output
from scripts.output import Output, OutputFormat
from scripts.signals import EndingSignals
from scripts.target import OnBranch, OnUrl, resolve_target

_COLUMNS: Final = {"side": "DIFFERS", "message": "HOW", "advice": "WHAT TO DO"}

#: See `bough help exit-codes`.
_DIFFERENT: Final = 3


def drift(*, branch: OnBranch = None, url: OnUrl = None, output_format: Output = OutputFormat.TABLE) -> None:
    """Find what was changed by hand, and models that no revision was written for; exit code 3 if any.

    The database is only read. Its revisions are run on an empty PostgreSQL of this machine, and both
    catalogs compared: defaults, checks, indexes, policies, triggers, functions and rights. The models
    are made into tables there, too.
    """
    from infra.migrate import drift as comparison  # noqa: PLC0415  Alembic takes a quarter of a second

    project = load_project(Path.cwd())
    target = resolve_target(project, branch, url)
    output.say(f"Comparing {target.url} with its revisions, and the models with all of them")
    with EndingSignals():
        found = comparison.drift(project, target.url, announce=output.say, expected=target.expected)
    rows = [
        {
            "side": each.side.value,
            "kind": each.difference.kind,
            "name": each.difference.what,
            "aspect": each.difference.aspect,
            "by_revisions": each.difference.before,
            "found": each.difference.after,
            "message": str(each),
            "undo": list(each.undo),
            "advice": each.advice,
        }
        for each in found
    ]
    if rows or output_format is not OutputFormat.TABLE:
        output.show_rows(rows, output_format, columns=_COLUMNS)
    output.say(f"{len(rows)} difference{'s' if len(rows) > 1 else ''}" if rows else "No drift")
    if rows:
        raise typer.Exit(_DIFFERENT)
