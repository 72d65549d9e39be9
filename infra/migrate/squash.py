"""Make one set of revisions of many drafts, and prove that it makes the same schema.

Drafts are revisions that are in use nowhere known. What they come to is written anew, from the models,
on a server of this machine; both chains are run there, and what they make is compared.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.local import own_folder
from infra.local.throwaway import throwaway_cluster
from infra.migrate import generate, main_branch, runner
from infra.migrate.catalog import differences, snapshot
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.errors import NothingToGenerateError, SquashRefusedError
from infra.migrate.history import History, alembic_config
from infra.migrate.linting.sources import sources
from infra.migrate.rebase import look
from infra.migrate.reference import USUAL, make_reference
from infra.migrate.revision_files import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.local.postgres import PostgresCluster
    from infra.migrate.catalog import Catalog
    from infra.migrate.history import Revision

#: What statements that change rows begin with; nothing written from models holds one.
_CHANGES_ROWS: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "COPY"})


def squash(
    project: Project,
    url: DirectUrl | None,
    expected: BranchIdentity | None,
    message: str,
    *,
    first: str | None = None,
    base: str | None = None,
    allow_data: bool = False,
    announce: Callable[[str], None],
    cluster: PostgresCluster | None = None,
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Replace the drafts' files; return the new ones, and those that are gone.

    Args:
        project: Whose revisions.
        url: A database whose revisions are no drafts.
        expected: The branch that it must be.
        message: As `generate.new` takes it.
        first: The oldest to be replaced; without it the oldest draft.
        base: The git branch whose revisions are no drafts; without it the main one.
        allow_data: Leave out what changes rows.
        announce: Is told what is done.
        cluster: A server that may be filled; without one a server is started for this alone.

    Raises:
        SquashRefusedError: They are in use, not committed, change rows, or do something that the models
            do not say, such as a trigger. The files are as they were.
        TargetError, MigrationError: The files or the database cannot be read, or a revision fails.
    """
    drafts, below = _drafts(project, url, expected, first=first, base=base)
    _check_files(project, drafts, allow_data=allow_data)
    announce(f"Replacing {len(drafts)} revisions, from {drafts[0].id} to {drafts[-1].id}")
    with ExitStack() as stack:
        server = cluster or stack.enter_context(throwaway_cluster(project.root))
        copy = stack.enter_context(_copy(project))
        paths = _written_anew(copy, server, drafts, below, message)
        announce("Both make the same schema, and undoing it leaves what was there before")
        for draft in drafts:
            draft.path.unlink()
        new = tuple(Path(shutil.move(path, drafts[0].path.parent)) for path in paths)
    return new, tuple(draft.path for draft in drafts)


def _written_anew(
    copy: Project, server: PostgresCluster, drafts: Sequence[Revision], below: str, message: str
) -> tuple[Path, ...]:
    """Write revisions in place of the drafts in a copy of the migrations; return their paths there."""
    reference = make_reference(copy, server, USUAL)
    runner.apply(copy, reference, unused=True)
    wanted = _schema(reference)
    for draft in drafts:
        (copy.root / copy.migrations / "versions" / draft.path.name).unlink()
    # Only now: the owner has one password, which is another for each database.
    made = make_reference(copy, server, USUAL)
    runner.apply(copy, made, unused=True)
    before = _schema(made)
    try:
        paths = generate.new(copy, made, message)
    except NothingToGenerateError:
        raise SquashRefusedError(
            "these revisions come to nothing, as far as the models say", hint="delete their files"
        ) from None
    runner.apply(copy, made, unused=True)
    _prove(wanted, _schema(made), "the models do not say all that these revisions do")
    runner.rollback(copy, made, to=below)
    _prove(before, _schema(made), "undoing what was written leaves another schema")
    return paths


def _drafts(
    project: Project,
    url: DirectUrl | None,
    expected: BranchIdentity | None,
    *,
    first: str | None,
    base: str | None,
) -> tuple[tuple[Revision, ...], str]:
    """Return the drafts, in order, and what they follow."""
    with alembic_config(project) as config:
        history = tuple(History(config))
    known = look(project, read(project), url, expected, base=base)
    if known.database is None and known.theirs is None:
        raise SquashRefusedError(
            "nothing says which revisions are drafts",
            hint="name a database with --branch, or the git branch that others build on with --base",
        )
    used = known.applied | known.live | (known.theirs or frozenset())
    ids = [revision.id for revision in history]
    free = next((at for at in range(len(ids), 0, -1) if ids[at - 1] in used), 0)
    start = free if first is None else ids.index(first) if first in ids else -1
    if start < free:
        in_use = f"{first} is in use: applied, known to live code, or on the main git branch"
        raise SquashRefusedError(
            f"there is no revision {first}" if start < 0 else in_use,
            hint=f"the drafts are {', '.join(ids[free:]) or 'none'}",
        )
    if len(ids) - start < 2:  # noqa: PLR2004  one is one already
        raise SquashRefusedError(
            f"only {len(ids) - start} of the revisions are drafts, in use nowhere known",
            hint="what is applied here alone is a draft again after: bough migrate rollback",
        )
    return history[start:], ids[start - 1] if start else "base"


def _check_files(project: Project, drafts: Sequence[Revision], *, allow_data: bool) -> None:
    lost = main_branch.uncommitted([draft.path for draft in drafts])
    if lost is None or lost:
        raise SquashRefusedError(
            f"git could not bring back {', '.join(lost or [draft.path.name for draft in drafts])}",
            hint="commit these files first",
        )
    if allow_data:
        return
    chosen = {draft.id for draft in drafts}
    with alembic_config(project) as config:
        every = sources(config, tuple(History(config)))
    for source in every:
        if source.revision.id not in chosen:
            continue
        changing = [each for each in source.statements if each.tokens[0].text.upper() in _CHANGES_ROWS]
        if changing or source.failure:
            line = changing[0].line if changing else source.failed_line
            what = "changes rows" if changing else "asks the database, so what it does is not known here"
            raise SquashRefusedError(
                f"{source.revision.path.name}, line {line}, {what}",
                hint="keep it by squashing from a later one (--from), or leave it out: --allow-data",
            )


@contextmanager
def _copy(project: Project) -> Iterator[Project]:
    """Copy the migrations to where the project's own formatting applies: in its `.bough/`."""
    with tempfile.TemporaryDirectory(prefix="squash-", dir=own_folder.folder(project.root)) as folder:
        copied = Path(folder) / "migrations"
        shutil.copytree(
            project.root / project.migrations, copied, ignore=shutil.ignore_patterns("__pycache__")
        )
        yield replace(project, migrations=str(copied.relative_to(project.root)))


def _schema(url: DirectUrl) -> Catalog:
    with open_connection(url, TIMEOUTS) as connection:
        return snapshot(connection)


def _prove(wanted: Catalog, found: Catalog, why: str) -> None:
    if different := differences(wanted, found):
        shown = "; ".join(map(str, different[:5]))
        raise SquashRefusedError(
            f"{why}: {shown}", hint="nothing was changed; squash up to there, and keep the rest by hand"
        )
