"""`bough migrate new` and what else changes the migrations folder, and `live`, which says what runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.config import load_project
from infra.errors import InfraError
from infra.migrate.errors import DirectUrlMissingError
from scripts import output
from scripts.confirmation import Yes, confirm
from scripts.output import Output, OutputFormat
from scripts.signals import EndingSignals
from scripts.target import OnBranch, OnUrl, resolve_target

if TYPE_CHECKING:
    from infra.config import Project
    from infra.migrate.history import Phase
    from scripts.target import Target

MainGitBranch = Annotated[
    str | None,
    typer.Option(
        metavar="GIT_BRANCH",
        help="The main git branch; else origin's, or a local one.",
        show_default=False,
    ),
]


def new(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What it does; names the file.")],
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Write it by hand; do not compare with a database.")
    ] = False,
    contract: Annotated[
        bool | None,
        typer.Option(
            "--contract/--expand",
            help="One revision of this phase, not divided; without it an empty one is expand.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write revisions: what the models have and the database has not.

    What takes away or tightens becomes a contract revision, which waits until no code is live that needs
    the old shape. Indexes are built concurrently and constraints validated later, in revisions of their own.
    """
    from infra.migrate import generate  # noqa: PLC0415  Alembic takes a quarter of a second

    project = load_project(Path.cwd())
    database = None if empty else resolve_target(project, branch, url).url
    phase: Phase | None = None if contract is None else "contract" if contract else "expand"
    paths = generate.new(project, database, message, autogenerate=not empty, phase=phase)
    if empty and not contract:
        _put_before_contracts(project, branch, url)
    output.say("Read it before you apply it:" if len(paths) == 1 else "Read them before you apply them:")
    for path in paths:
        typer.echo(path)


def _put_before_contracts(project: Project, branch: str | None, url: str | None) -> None:
    """Let a new expand revision not wait for the contracts that wait for its code."""
    from infra.migrate import revision_files  # noqa: PLC0415  as below
    from infra.migrate.rebase import rebase as rebase_history  # noqa: PLC0415  Alembic takes a quarter of a second

    files = revision_files.read(project)
    *_, parent, _new = ("", *revision_files.in_order(files, files))
    if parent not in files or not files[parent].contract:
        return
    try:
        target = resolve_target(project, branch, url)
        for edit in rebase_history(project, target.url, target.expected, announce=output.say):
            output.say(str(edit))
    except InfraError as error:
        output.say(f"It follows contract revision {parent}, and whether that waits is not known: {error}")
        output.say("Put it into its place with: bough migrate rebase")


def rebase(
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    onto: Annotated[
        str | None,
        typer.Option(metavar="REVISION", help="The head that the others follow; else the main git branch's."),
    ] = None,
    base: MainGitBranch = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Put the revisions of two git branches into one line, and contracts that wait at its end.

    Changes `down_revision` in their files. What is applied in the database, known to its live code, or on
    the main git branch keeps its place; without a database that is what the main git branch has.
    """
    from infra.migrate.rebase import rebase as rebase_history  # noqa: PLC0415  Alembic takes a quarter of a second

    project = load_project(Path.cwd())
    target = _target_if_any(project, branch, url)
    edits = rebase_history(
        project,
        target.url if target else None,
        target.expected if target else None,
        onto=onto,
        base=base,
        dry_run=dry_run,
        announce=output.say,
    )
    rows = [
        {
            "file": str(edit.file.path.relative_to(project.root)),
            "from": ", ".join(edit.file.parents) or None,
            "to": edit.parent,
        }
        for edit in edits
    ]
    if not edits:
        output.say("The revisions are in order")
    elif dry_run:
        output.say("Nothing was changed; without --dry-run this would be:")
    if edits or output_format is not OutputFormat.TABLE:
        output.show_rows(rows, output_format, columns={"file": "FILE", "from": "FROM", "to": "TO"})


def squash(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What they do together; names the file.")],
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="REVISION", help="The oldest to replace; else the oldest draft."),
    ] = None,
    base: MainGitBranch = None,
    allow_data: Annotated[
        bool, typer.Option("--allow-data", help="Leave out what changes rows; it is lost.")
    ] = False,
) -> None:
    """Replace drafts by one revision of each kind, and prove on this machine that they make the same schema.

    Drafts are revisions that are neither applied in the database, nor known to its live code, nor on the
    main git branch. What replaces them is written from the models, as `new` does.
    """
    from infra.migrate.squash import squash as squash_drafts  # noqa: PLC0415  Alembic takes a quarter of a second

    project = load_project(Path.cwd())
    target = _target_if_any(project, branch, url)
    with EndingSignals():
        new, gone = squash_drafts(
            project,
            target.url if target else None,
            target.expected if target else None,
            message,
            first=first,
            base=base,
            allow_data=allow_data,
            announce=output.say,
        )
    for path in gone:
        output.say(f"Deleted {path.name}")
    for path in new:
        typer.echo(path)


def _target_if_any(project: Project, branch: str | None, url: str | None) -> Target | None:
    try:
        return resolve_target(project, branch, url)
    except DirectUrlMissingError:
        if url is not None:
            raise
        return None


def live(
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    record: Annotated[
        bool, typer.Option("--record", help="Say which code is live from now on, as `bough up` does itself.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="REVISION",
            help="The head that it was built at; else the artifact's, else this checkout's.",
        ),
    ] = None,
    artifact: Annotated[
        Path | None,
        typer.Option(help="The folder of `bough package` that is live; the next rehearsal runs it."),
    ] = None,
    yes: Yes = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Show which code is live on a database: contract revisions that it does not know wait."""
    from infra.aws import sources  # noqa: PLC0415  as below
    from infra.migrate import live as releases  # noqa: PLC0415  Alembic takes a quarter of a second

    if not record and (head or artifact):
        raise typer.BadParameter("it says what is live only with --record", param_hint="--head, --artifact")
    project = load_project(Path.cwd())
    target = resolve_target(project, branch, url)
    if record:
        folder = artifact.resolve() if artifact else None
        if folder is not None and head is None:
            revisions = sources.built_with(folder)
        else:
            revisions = releases.built_at(project, head or "head")
        output.say(f"→ {target.url}")
        if head is None and artifact is None:
            confirm(f"This checkout's head {revisions.head} is taken for what is deployed.", yes=yes)
        releases.record(target.url, target.expected, revisions, folder)
    release = releases.read(target.url, target.expected)
    if release is None:
        output.say("Nobody has said which code is live; say it with: bough migrate live --record")
    known = sorted(release.revisions) if release else []
    shown = {
        "database": str(target.url),
        "head": release.head if release else None,
        "revisions": known if output_format is not OutputFormat.TABLE else len(known),
        "artifact": release.artifact if release else None,
        "live_at": release.live_at if release else None,
    }
    output.show(shown, output_format)
