"""Make one history of two heads, with the contracts that wait at its tail.

What others rely on keeps its place: what is applied, what the live code was built with, and what the
main git branch has. Ours follow theirs; then expand revisions go before contract revisions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infra.branches import identity
from infra.migrate import main_branch, records
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.errors import RebaseAmbiguousError, RebaseRefusedError, UnknownRevisionError
from infra.migrate.revision_files import Edit, heads, in_order, read, with_ancestors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.revision_files import RevisionFile


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of where revisions are in use.

    Args:
        database: The one that was asked, for people; `None` without one.
        applied: What it has.
        live: What its live code was built with.
        theirs: What the main git branch has; `None` where that is not known.
    """

    database: str | None = None
    applied: frozenset[str] = frozenset()
    live: frozenset[str] = frozenset()
    theirs: frozenset[str] | None = None


def rebase(
    project: Project,
    url: DirectUrl | None,
    expected: BranchIdentity | None = None,
    *,
    onto: str | None = None,
    base: str | None = None,
    dry_run: bool = False,
    announce: Callable[[str], None],
) -> tuple[Edit, ...]:
    """Put the revisions into one line by changing `down_revision` where need be; return what was changed.

    Args:
        project: Whose revisions.
        url: A database whose revisions stay where they are.
        expected: The branch that it must be.
        onto: The head that the others follow; without it the main git branch says.
        base: The git branch that counts as main.
        dry_run: Change nothing.
        announce: Is told what stays although its place is not the best.

    Raises:
        RebaseAmbiguousError: Nothing says which head comes first.
        RebaseRefusedError: Two revisions that must stay follow the same one.
        UnknownRevisionError: There is no revision `onto`.
        HistoryError, TargetError, MigrationError: The files or the database cannot be read.
    """
    files = read(project)
    if onto is not None and onto not in files:
        raise UnknownRevisionError(f"there is no revision {onto}")
    known = look(project, files, url, expected, base=base)
    if onto is not None:
        known = replace(known, theirs=with_ancestors(files, [onto]))
    after, moved = reorder(files, known)
    if sentence := _waiting(files, after, moved, known):
        announce(sentence)
    edits = edits_of(files, after, moved)
    if not dry_run:
        # From the oldest to the newest: whenever this is interrupted, the files hold no circle.
        for edit in edits:
            edit.write()
    return edits


def look(
    project: Project,
    files: Mapping[str, RevisionFile],
    url: DirectUrl | None,
    expected: BranchIdentity | None,
    *,
    base: str | None = None,
) -> Known:
    """Ask the database, if there is one, and git where the revisions are in use.

    Raises:
        TargetError, MigrationError: The database is another one, or cannot be read.
    """
    names = main_branch.revision_files(project, base)
    theirs = None if names is None else [file.id for file in files.values() if file.path.name in names]
    known = None if theirs is None else with_ancestors(files, theirs)
    if url is None:
        return Known(theirs=known)
    with open_connection(url, TIMEOUTS) as connection:
        found = identity.verify(connection, expected)
        applied = [*records.applied_revisions(connection), *current_versions(connection)]
        live = records.live_release(connection)
    return Known(
        str(found),
        with_ancestors(files, applied),
        with_ancestors(files, live.revisions if live else ()),
        known,
    )


def reorder(files: Mapping[str, RevisionFile], known: Known) -> tuple[str | None, tuple[str, ...]]:
    """Return the last revision that keeps its place, and the order of all others, which follow it.

    Raises:
        RebaseAmbiguousError, RebaseRefusedError: As `rebase`.
    """
    theirs = known.theirs
    if theirs is not None and len(heads(files, theirs)) > 1:
        # Two pull requests met there: which was first, git does not say of a file.
        theirs = None
    fixed = _fixed(files, known, theirs)
    ends = heads(files, fixed)
    if len(ends) > 1:
        raise _refused(files, ends, known)
    moved = files.keys() - fixed
    _check_merges(files, moved)
    open_ends = heads(files, moved)
    if theirs is None and (len(open_ends) > 1 or (moved and not fixed)):
        ends = heads(files, files)
        raise RebaseAmbiguousError(
            f"nothing says which revisions others build on; the history ends with {', '.join(ends)}",
            hint=f"name the one that stays: bough migrate rebase --onto {open_ends[0]}",
        )
    first = theirs or frozenset()
    order = [*in_order(files, moved & first), *in_order(files, moved - first)]
    order.sort(key=lambda each: files[each].contract)
    return (ends[0] if ends else None), tuple(order)


def edits_of(files: Mapping[str, RevisionFile], after: str | None, moved: Sequence[str]) -> tuple[Edit, ...]:
    """Return what must change for revisions to follow each other in this order, the first one `after`."""
    parents = (after, *moved)
    return tuple(
        Edit(files[each], parent)
        for parent, each in zip(parents, moved, strict=False)
        if files[each].parents != ((parent,) if parent else ())
    )


def _fixed(files: Mapping[str, RevisionFile], known: Known, theirs: frozenset[str] | None) -> frozenset[str]:
    """Return what keeps its place."""
    if known.database is None:
        return theirs or frozenset()
    fixed = known.applied | known.live
    # Contracts at the main git branch's tail may wait everywhere; what was built upon does not.
    expands = [each for each in in_order(files, theirs or ()) if not files[each].contract]
    return fixed | with_ancestors(files, expands)


def _refused(files: Mapping[str, RevisionFile], ends: Sequence[str], known: Known) -> RebaseRefusedError:
    moving = next((each for each in ends if each not in (known.theirs or ())), ends[-1])
    others = ", ".join(each for each in ends if each != moving)
    where = f"is applied in {known.database}" if moving in known.applied else "is known to the live code"
    below = sorted(with_ancestors(files, [moving]) & with_ancestors(files, set(ends) - {moving}))
    common = in_order(files, below)[-1] if below else "base"
    return RebaseRefusedError(
        f"{moving} {where}, so it cannot be moved behind {others}",
        hint=f"undo it there first, with: bough migrate rollback {common}; "
        "where its data must stay, join both with: alembic merge heads -m join",
    )


def _check_merges(files: Mapping[str, RevisionFile], moved: Iterable[str]) -> None:
    for each in moved:
        if len(files[each].parents) > 1:
            raise RebaseRefusedError(
                f"{each} joins {' and '.join(files[each].parents)}, and is applied nowhere known",
                hint=f"delete {files[each].path.name}: rebase makes one history without it",
            )


def _waiting(
    files: Mapping[str, RevisionFile], after: str | None, moved: Sequence[str], known: Known
) -> str | None:
    """Say why an expand still follows a contract that waits."""
    expands = [each for each in moved if not files[each].contract]
    if after is None or not expands or not files[after].contract or after in known.applied:
        return None
    stays = f"{expands[0]} stays after contract revision {after}"
    if known.database is None:
        return f"{stays}: without a database it is not known whether that is applied"
    return f"{stays}, which the live code knows; apply that first, with: bough migrate apply --contract"
