"""The linter: what revisions would do to a database that is in use, without asking one.

squawk finds most of what a statement does by itself; the kit's own rules know transactions, phases,
sizes and what the earlier revisions made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from infra.migrate import phases
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.errors import GitBranchUnknownError
from infra.migrate.history import History, alembic_config
from infra.migrate.linting import revision_rules, statement_rules, suppressions
from infra.migrate.linting.declarations import declarations
from infra.migrate.linting.reading import Reading, Tables, read
from infra.migrate.linting.schema import Schema
from infra.migrate.linting.sources import sources
from infra.migrate.linting.squawk import KEPT, squawk
from infra.migrate.main_branch import revision_files
from infra.migrate.rehearsal import verdict
from infra.migrate.sizes import estimated_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.database.connection_url import DirectUrl
    from infra.config import Project
    from infra.migrate.findings import Finding
    from infra.migrate.history import Revision

#: All that there are: what a suppression may name.
RULES: Final = tuple(
    sorted(
        {*KEPT, *statement_rules.RULES, *revision_rules.RULES, *suppressions.RULES, *verdict.RULES}
        | {phases.EXPAND_AFTER_CONTRACT}
    )
)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A revision, read and held against the rules."""

    reading: Reading
    tables: Tables
    findings: tuple[Finding, ...]

    @property
    def revision(self) -> Revision:
        """Which it is."""
        return self.reading.revision


def lint(
    project: Project,
    base: str | tuple[str, ...] | None,
    *,
    revision: str = "head",
    sizes: Mapping[str, int] | None = None,
) -> tuple[Finding, ...]:
    """Hold revisions against the rules.

    Args:
        project: Whose.
        base: What is applied: a revision, or what `alembic_version` holds. With `None` or nothing every
            revision is judged as if all before it were applied.
        revision: The last to look at.
        sizes: Rows by qualified name of the tables that the target has; without them all count as large.

    Raises:
        MigrationError: The history is broken, a revision is unknown, or squawk does not run.
    """
    reviewed = review(project, base, revision=revision, sizes=sizes)
    return tuple(finding for each in reviewed for finding in each.findings)


def lint_since(project: Project, base: str | None) -> tuple[Finding, ...]:
    """Hold the revisions against the rules that a git branch lacks; needs no database.

    Args:
        project: Whose.
        base: The git branch; `None` for the main one.

    Raises:
        GitBranchUnknownError: There is no such git branch.
        MigrationError: As `lint`.
    """
    with alembic_config(project) as config:
        history = tuple(History(config))
    files = revision_files(project, base)
    if files is None:
        raise GitBranchUnknownError(
            f"git knows no {base!r} here" if base else "no main git branch is known here",
            hint="in CI, fetch it first: git fetch origin main; or name another with --base",
        )
    known = {each.id for each in history if each.path.name in files}
    own = {each.id for each in history} - known
    # One of our own may stand before one of theirs, which waits at the tail.
    before = tuple(takewhile(lambda each: each.id in known, history))
    if not own:
        return ()
    findings = lint(project, before[-1].id if before else None)
    return tuple(each for each in findings if each.revision in own)


def lint_pending(project: Project, url: DirectUrl) -> tuple[Finding, ...]:
    """Hold the revisions against the rules that a database lacks, knowing how large its tables are.

    Raises:
        MigrationError: As `lint`, or the database cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection:
        versions, sizes = current_versions(connection), estimated_rows(connection)
    return lint(project, versions, sizes=sizes)


def review(
    project: Project,
    base: str | tuple[str, ...] | None,
    *,
    revision: str = "head",
    sizes: Mapping[str, int] | None = None,
) -> tuple[Reviewed, ...]:
    """Read revisions and hold them against the rules; as `lint`, with the statements."""
    versions = (base,) if isinstance(base, str) else base or ()
    versions = () if versions == ("base",) else versions
    with alembic_config(project) as config:
        history = History(config)
        if history.head is None:
            return ()
        pending = history.upgrades(versions, revision)
        if not pending:
            return ()
        # From the first one on: what earlier revisions made says what a later one works on.
        whole = (*takewhile(lambda each: each != pending[-1], history), pending[-1])
        found = sources(config, whole)
    if sizes is not None:
        # The server quotes a name that needs it.
        sizes = {name.replace('"', ""): rows for name, rows in sizes.items()}
    schema = Schema()
    readings = tuple(read(source, schema) for source in found)[-len(pending) :]
    misplaced = phases.check_order(whole, {each.id for each in whole} - {each.id for each in pending})
    return tuple(_reviewed(project, readings, misplaced, sizes, alone=not versions))


def _reviewed(
    project: Project,
    readings: tuple[Reading, ...],
    misplaced: tuple[Finding, ...],
    sizes: Mapping[str, int] | None,
    *,
    alone: bool,
) -> Iterator[Reviewed]:
    tables = Tables(frozenset(), sizes, project.migrate.large_table)
    for reading in readings:
        # What the pending revisions make themselves, nobody uses yet.
        tables = replace(tables, new=reading.made if alone else tables.new | reading.made)
        findings = [each for each in misplaced if each.revision == reading.revision.id]
        findings += _findings(reading, tables)
        declared = declarations(reading.revision.path)
        findings += revision_rules.way_back(reading, declared)
        complete = sizes is None and reading.source.failure is None
        findings = list(
            suppressions.suppress(
                reading, declared, findings, RULES, measured=verdict.RULES, complete=complete
            )
        )
        yield Reviewed(reading, tables, tuple(sorted(findings, key=lambda each: (each.line, each.rule))))


def _findings(reading: Reading, tables: Tables) -> Iterator[Finding]:
    yield from revision_rules.unreadable(reading)
    said = tuple(squawk(reading, tables))
    yield from (finding for _, finding in said)
    told = {at for at, _ in said}
    for at in reading.statements:
        yield from statement_rules.about_effects(reading, at, tables)
        yield from statement_rules.about_session(reading, at)
        if at not in told:
            yield from statement_rules.long_lock(reading, at, tables)
    yield from revision_rules.transactions(reading, tables)
    yield from revision_rules.enum_values(reading)
    yield from revision_rules.data_with_schema(reading, tables)
    yield from revision_rules.destructive(reading, tables)
