"""Measured runs of revisions that a test writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.migrate import runner
from infra.migrate.rehearsal.measurement import Measurement

if TYPE_CHECKING:
    from infra.migrate.rehearsal.results import RevisionMeasure, Statement
    from infra.testing.databases import Database
    from tests.support.histories import History

#: Two tables of 2,000 rows; each of `posts` refers to one of `users`, without a foreign key.
TABLES = """
    CREATE TABLE users (id int PRIMARY KEY, age int, name varchar(50), at timestamptz DEFAULT now());
    INSERT INTO users SELECT i, i, 'name ' || i FROM generate_series(1, 2000) AS i;
    CREATE TABLE posts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int, body text);
    INSERT INTO posts (user_id, body) SELECT i, 'body' FROM generate_series(1, 2000) AS i;
    ANALYZE users, posts;
"""


def statement(sql: str) -> str:
    """Return the line of a revision that sends a statement."""
    return f"op.execute({sql!r})"


def in_autocommit(*statements: str) -> str:
    """Return lines of a revision that send statements outside a transaction."""
    lines = "".join(f"\n    {statement(each)}" for each in statements)
    return f"with op.get_context().autocommit_block():{lines}"


def measured(history: History, database: Database, *upgrades: str) -> tuple[RevisionMeasure, ...]:
    """Apply revisions r0, r1, … with these upgrades, and return how they ran."""
    for number, upgrade in enumerate(upgrades):
        history.write(f"r{number}", f"r{number - 1}" if number else None, upgrade)
    measurement = Measurement()
    runner.apply(history.project, database.direct, observer=measurement)
    return measurement.results()


def locks_of(measure: RevisionMeasure) -> set[tuple[str, str]]:
    """Return relations, without the schema `public`, and modes, without `Lock`."""
    return {(lock.relation.removeprefix("public."), lock.mode.removesuffix("Lock")) for lock in measure.locks}


def rewritten(each: Statement) -> tuple[str, ...]:
    """Return what a statement wrote anew, without the schema `public`."""
    return tuple(name.removeprefix("public.") for name in each.rewrites)


def read(each: Statement) -> dict[str, int]:
    """Return the rows that a statement read, by table without the schema `public`."""
    return {scan.relation.removeprefix("public."): scan.rows for scan in each.scans}
