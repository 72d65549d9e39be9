"""Which invalid indexes are in a statement's way."""

from __future__ import annotations

import pytest

from infra.migrate.invalid_indexes import InvalidIndex, in_the_way, is_built_by

OLD = InvalidIndex(1, "public", "ix_a", "a", busy=False)
CCNEW = InvalidIndex(2, "public", "ix_b_ccnew1", "b", busy=False)
ODD = InvalidIndex(3, "public", 'My "ix" on a', "A table", busy=False)
BUSY = InvalidIndex(4, "public", "ix_a", "a", busy=True)


class TestIsBuiltBy:
    """`is_built_by`."""

    @pytest.mark.parametrize(
        ("statement", "index"),
        [
            ("CREATE INDEX CONCURRENTLY ix_a ON a (n)", OLD),
            ("create unique index concurrently if not exists IX_A\non only public.a (n)", OLD),
            ("/* on a */ -- on b\nCREATE INDEX CONCURRENTLY ix_a ON a USING gin (n)", OLD),
            ('CREATE INDEX CONCURRENTLY "My ""ix"" on a" ON "A table" (n)', ODD),
        ],
    )
    def test_knows_the_name_and_the_table(self, statement: str, index: InvalidIndex) -> None:
        """However they are written."""
        assert is_built_by(statement, index)

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE INDEX CONCURRENTLY ix_a ON other (n)",
            "CREATE INDEX CONCURRENTLY ix_b ON a (ix_a)",
            "CREATE INDEX CONCURRENTLY ON a (ix_a)",
            "CREATE INDEX ix_a ON a (n)",
            "DROP INDEX CONCURRENTLY ix_a",
            "",
        ],
    )
    def test_leaves_others_alone(self, statement: str) -> None:
        """Another table, another name, none, or another statement."""
        assert not is_built_by(statement, OLD)


class TestInTheWay:
    """`in_the_way`."""

    def test_is_the_one_of_the_same_name_however_old(self) -> None:
        """IF NOT EXISTS would take it."""
        found = (OLD, CCNEW, ODD)
        assert in_the_way("CREATE INDEX CONCURRENTLY ix_a ON a (n)", found, {1, 2, 3}) == (OLD,)

    def test_is_what_an_earlier_try_left(self) -> None:
        """By the index's own name, that of the one it was to replace, or its table."""
        for statement in ("REINDEX INDEX CONCURRENTLY ix_b", "CREATE INDEX CONCURRENTLY ON b (n)"):
            assert in_the_way(statement, (OLD, CCNEW), {1}) == (CCNEW,)
            assert in_the_way(statement, (OLD, CCNEW), {1, 2}) == ()

    def test_is_never_one_that_is_being_built(self) -> None:
        """It becomes valid when whoever builds it has ended."""
        assert in_the_way("CREATE INDEX CONCURRENTLY ix_a ON a (n)", (BUSY,), ()) == ()
