"""What statements do to tables: the locks that PostgreSQL takes, and the work under them."""

from __future__ import annotations

import pytest

from infra.migrate.linting.effects import Statement, Work, short
from infra.migrate.linting.scanner import split
from infra.migrate.linting.schema import Schema
from infra.migrate.linting.statements import read
from tests.support.locking_statements import AX, BEFORE, STATEMENTS


def read_last(script: str) -> Statement:
    """Read a script, and return its last statement."""
    schema = Schema()
    return [read(tokens, schema) for tokens in split(script)][-1]


def does(statement: str) -> list[tuple[str, str, Work]]:
    """Return the relations that a statement locks, the modes and the work."""
    effects = read_last(f"{BEFORE}; {statement}").effects
    return [(short(each.relation), each.mode.removesuffix("Lock"), each.work) for each in effects]


class TestRead:
    """`read`."""

    @pytest.mark.parametrize(
        ("statement", "expected"),
        STATEMENTS,
    )
    def test_tells_locks_and_work(self, statement: str, expected: list[tuple[str, str, Work]]) -> None:
        """The same table is held against PostgreSQL itself, see `test_locks_on_database`."""
        assert does(statement) == expected

    def test_follows_renames(self) -> None:
        """A table and a column are known by their new names."""
        renamed = "ALTER TABLE a RENAME TO z; ALTER TABLE z RENAME v TO w"
        assert (
            read_last(f"{BEFORE}; {renamed}; ALTER TABLE z ALTER w TYPE text").effects[0].work is Work.INSTANT
        )

    def test_assumes_the_worst_of_an_unknown_type(self) -> None:
        """No statement told what the column was."""
        assert does("ALTER TABLE elsewhere ALTER v TYPE text") == [("elsewhere", AX, Work.REWRITE)]
