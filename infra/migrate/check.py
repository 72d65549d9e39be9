"""What must hold before revisions are merged: found without the database that they are meant for.

Whatever is wrong is a finding at a revision's file. What is not one history cannot be looked at, and
is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.local.throwaway import throwaway_cluster
from infra.migrate import models, phases, runner
from infra.migrate.catalog import differences, snapshot
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.errors import RevisionFailedError
from infra.migrate.findings import Finding, Verdict
from infra.migrate.history import History, alembic_config
from infra.migrate.lint import lint_since
from infra.migrate.linting.declarations import declarations
from infra.migrate.main_branch import is_in_repository, revision_files
from infra.migrate.reference import USUAL, make_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.database.connection_url import DirectUrl
    from infra.config import Project
    from infra.local.postgres import PostgresCluster
    from infra.migrate.catalog import Catalog, Difference
    from infra.migrate.history import Revision

#: How many differences a message names.
_NAMED: Final = 3


def check_files(
    project: Project, *, base: str | None, announce: Callable[[str], None]
) -> tuple[Finding, ...]:
    """Check the history and the revisions that a git branch lacks; needs no database.

    Args:
        project: Whose.
        base: The git branch; `None` for the main one. Without a repository nothing tells own revisions
            from those that were applied long ago: then all that is checked is that they are one history.
        announce: Is told what was looked at, and what could not be.

    Raises:
        GitBranchUnknownError: The git branch is not there, such as in a shallow clone.
        MigrationError: The revisions are not one history, or squawk does not run.
    """
    history = _history(project)
    announce(f"{len(history)} revisions in one history")
    files = revision_files(project, base)
    if files is None and base is None and not is_in_repository(project.root):
        announce("Not linted: there is no git repository, so nothing tells new revisions from old ones")
        return ()
    found = lint_since(project, base)
    known = {each.id for each in history if each.path.name in (files or ())}
    # The linter takes what main has for applied; here one of its contracts may still wait.
    order = phases.check_order(history, (), unsure=known)
    said = {each.revision for each in found if each.rule == phases.EXPAND_AFTER_CONTRACT}
    announce(f"Linted {len(history) - len(known)} of them, which {base or 'the main git branch'} lacks")
    return (*found, *(each for each in order if each.revision not in said))


def check_database(
    project: Project, *, announce: Callable[[str], None], cluster: PostgresCluster | None = None
) -> tuple[Finding, ...]:
    """Run all revisions on an empty database of this machine, back, and up again.

    Args:
        project: Whose.
        announce: Is told what was done.
        cluster: A server that may be filled; without one a server is started for this alone.

    Raises:
        MigrationError: The revisions are not one history.
    """
    if cluster is None:
        with throwaway_cluster(project.root) as started:
            return check_database(project, announce=announce, cluster=started)
    history = _history(project)
    if not history:
        return ()
    url = make_reference(project, cluster, USUAL)
    try:
        return tuple(_up_and_down(project, url, history, announce))
    except RevisionFailedError as error:
        at = next((each for each in history if each.id == error.revision), history[-1])
        return (_finding("revision-fails", at, f"on an empty database: {error}", error.hint),)


def _up_and_down(
    project: Project, url: DirectUrl, history: tuple[Revision, ...], announce: Callable[[str], None]
) -> Iterator[Finding]:
    head = history[-1]
    # There is no way back beyond the last revision that says so.
    fixed = [index for index, each in enumerate(history) if _has_no_way_back(each)]
    lowest = history[fixed[-1]].id if fixed else "base"
    if fixed:
        runner.apply(project, url, revision=lowest, unused=True)
    before = _catalog(url)
    runner.apply(project, url, unused=True)
    after = _catalog(url)
    drift = models.compare(project, url)
    if lowest != head.id:
        runner.rollback(project, url, to=lowest)
        if left := differences(before, _catalog(url)):
            hint = "let downgrade undo all that upgrade does"
            yield _finding("downgrade-leaves-trace", head, f"down to {lowest}: {_named(left)}", hint)
        runner.apply(project, url, unused=True)
        if changed := differences(after, _catalog(url)):
            yield _finding("upgrade-differs", head, f"the second time up: {_named(changed)}")
    announce(f"Ran {len(history)} revisions up, down to {lowest} and up again")
    if drift:
        message = f"the models differ from what the revisions make: {_named(drift)}"
        yield _finding("models-differ", head, message, "run: bough migrate new")


def _has_no_way_back(revision: Revision) -> bool:
    declared = declarations(revision.path)
    return declared.irreversible is not None or (declared.does and not declared.undoes)


def _catalog(url: DirectUrl) -> Catalog:
    with open_connection(url, TIMEOUTS) as connection:
        return snapshot(connection)


def _named(found: tuple[Difference, ...]) -> str:
    more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(str(each) for each in found[:_NAMED]) + more


def _finding(rule: str, revision: Revision, message: str, hint: str | None = None) -> Finding:
    return Finding(rule, Verdict.UNSAFE, message, revision.id, revision.path, 1, hint)


def _history(project: Project) -> tuple[Revision, ...]:
    with alembic_config(project) as config:
        return tuple(History(config))
