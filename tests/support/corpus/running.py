"""Running the corpus: a shop, copies of it, what is predicted on one and what happens to another."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg

from infra.branches import identity
from infra.branches.identity import PLAIN, BranchIdentity
from infra.local.names import OWNER
from infra.migrate import runner
from infra.migrate.errors import RevisionFailedError
from infra.migrate.findings import Verdict, worst
from infra.migrate.lock_modes import MODES
from infra.migrate.plan import plan
from infra.migrate.rehearsal.measurement import Measurement
from infra.migrate.rehearsal.verdict import judge
from tests.support.corpus import shop
from tests.support.histories import run_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from api.database.connection_url import DirectUrl
    from infra.migrate.rehearsal.results import RevisionMeasure, Statement
    from infra.testing.databases import Database, World
    from tests.support.corpus.migration import Migration
    from tests.support.histories import History

BASE: Final = "shop"


@dataclass(frozen=True)
class Run:
    """What a migration did; of one that failed, what those of its revisions did that ran."""

    measures: tuple[RevisionMeasure, ...]
    failure: str | None

    @property
    def locks(self) -> dict[str, str]:
        """The strongest on each relation; those left out that only read."""
        return _strongest((lock.relation, lock.mode) for each in self.measures for lock in each.locks)

    @property
    def rewrites(self) -> set[str]:
        """What was written anew; of a table's indexes only those that were without it."""
        locked = {lock.relation for each in self.measures for lock in each.locks}
        return {_short(name) for each in self.statements for name in each.rewrites if name in locked}

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Those of all revisions."""
        return tuple(statement for measure in self.measures for statement in measure.statements)

    @property
    def seconds(self) -> float:
        """That its statements took."""
        return sum(statement.seconds for statement in self.statements)

    @property
    def may_have_missed_locks(self) -> bool:
        """Whether a statement outside a transaction may have been over before its locks were seen.

        A concurrent build of an index waits until they were.
        """
        return any(each.transaction is None and "CREATE" not in each.tag for each in self.statements)

    def certain(self) -> list[object]:
        """Return what must be the same whenever it is run."""
        return [
            (
                measure.revision.id,
                {(lock.relation, lock.mode, lock.statement) for lock in measure.locks if not lock.sampled},
                [(each.sql, each.tag, set(each.rewrites), each.changed) for each in measure.statements],
            )
            for measure in self.measures
        ]


@dataclass(frozen=True)
class Prediction:
    """What is said of a migration before it is applied.

    Args:
        verdict: That of a rehearsal.
        measured: Rules of the measurement that found something.
        linted: Rules of the linter that did.
        planned: The strongest lock on each relation, as `bough migrate plan` has it.
        run: What it did to the copy.
    """

    verdict: Verdict
    measured: frozenset[str]
    linted: frozenset[str]
    planned: dict[str, str]
    run: Run


@contextmanager
def shop_of(world: World, history: History, rows: int) -> Iterator[Database]:
    """Make the database that each migration gets copies of, with so many rows in its two largest tables."""
    history.write(BASE, None, shop.SCHEMA)
    with world.new_database() as database:
        runner.apply(history.project, database.direct)
        fill(database.superuser, rows)
        yield database


def fill(superuser: DirectUrl, rows: int) -> None:
    run_script(superuser, shop.rows(rows))
    run_script(superuser, "VACUUM ANALYZE")


@contextmanager
def copy_of(world: World, template: Database) -> Iterator[DirectUrl]:
    """Copy a database file by file, which takes a tenth of a second for 200 MB; drop it at the end."""
    name = f"test_{secrets.token_hex(6)}"
    how = f'OWNER {OWNER} TEMPLATE "{template.name}" TABLESPACE {world.tablespace} STRATEGY file_copy'
    run_script(world.superuser("postgres"), f"CREATE DATABASE {name} {how}")
    try:
        url = world.direct(name)
        with psycopg.connect(url.libpq()) as connection:
            identity.mark(connection, BranchIdentity(PLAIN, "tests", name))
        yield url
    finally:
        run_script(world.superuser("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


def write(history: History, migration: Migration) -> None:
    """Let a migration be all that is pending."""
    for path in (history.project.root / history.project.migrations / "versions").glob("step_*.py"):
        path.unlink()
    below, slug = BASE, "".join(c if c.isalnum() else "_" for c in migration.name)
    for number, step in enumerate(migration.steps, 1):
        revision = f"step_{number}_{slug}"
        path = history.write(revision, below, step.upgrade, step.downgrade, step.phase)
        if migration.irreversible:
            reason = f"irreversible = {migration.irreversible!r}\nphase ="
            path.write_text(path.read_text().replace("phase =", reason, 1))
        below = revision


def predict(history: History, url: DirectUrl) -> Prediction:
    """Lint what is pending and run it, measured."""
    revisions = plan(history.project, url).revisions
    ran = run(history, url)
    judged = [found for each in ran.measures for found in judge(each, history.project.migrate)]
    linted = [found for each in revisions for found in each.findings]
    planned = _strongest(
        (e.relation, e.mode) for each in revisions for s in each.statements for e in s.effects
    )
    if planned.get("events") == planned.get("events_old"):
        # What is measured is told of the table that a partition is locked with.
        planned.pop("events_old", None)
    return Prediction(
        Verdict.UNSAFE if ran.failure else worst([*judged, *linted]),
        frozenset(found.rule for found in judged),
        frozenset(found.rule for found in linted),
        planned,
        ran,
    )


def run(history: History, url: DirectUrl) -> Run:
    """Apply what is pending, measured; no code is live there."""
    measurement, failure = Measurement(), None
    try:
        runner.apply(history.project, url, observer=measurement, unused=True)
    except RevisionFailedError as error:
        failure = str(error)
    return Run(measurement.results(), failure)


def _short(relation: str) -> str:
    return relation.removeprefix("public.")


def _strongest(locks: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the strongest mode for each relation, in the words of the corpus."""
    found: dict[str, str] = {}
    for relation, mode in locks:
        name = _short(relation)
        found[name] = max(found.get(name, mode), mode, key=MODES.index)
    return {name: mode.removesuffix("Lock") for name, mode in found.items() if mode != MODES[0]}
