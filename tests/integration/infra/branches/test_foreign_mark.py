"""A mark that the owner of the database did not leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches import identity
from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.testing.databases import Database

MAIN = BranchIdentity("supabase", "abcdefghijklmnopqrst", "mainmainmainmainmain", "main")
PREVIEW = BranchIdentity("supabase", "abcdefghijklmnopqrst", "previewpreviewprevie", "pr-7")


@pytest.fixture
def owner(empty_database: Database) -> Iterator[psycopg.Connection]:
    """The owner's connection to a database that is marked as `MAIN`."""
    with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
        identity.mark(connection, MAIN)
        yield connection


class TestForeignMark:
    """`read` and `mark`."""

    def test_counts_for_nothing_when_somebody_else_made_it(
        self, owner: psycopg.Connection, empty_database: Database
    ) -> None:
        """Who may make tables could otherwise let a database pass for another, or have us run a trigger."""
        with psycopg.connect(empty_database.superuser.libpq(), autocommit=True) as superuser:
            superuser.execute("CREATE ROLE intruder")
            superuser.execute("ALTER TABLE public.bough_branch OWNER TO intruder")
            superuser.execute(f"GRANT SELECT ON public.bough_branch TO {owner.info.user}".encode())
            try:
                assert identity.read(owner) is None
                with pytest.raises(TargetError, match="intruder") as caught:
                    identity.mark(owner, PREVIEW)
                assert "drop it" in (caught.value.hint or "")
            finally:
                superuser.execute("DROP OWNED BY intruder; DROP ROLE intruder")

    def test_counts_for_nothing_when_it_is_no_table(self, owner: psycopg.Connection) -> None:
        """A view runs what its maker wrote, as whoever reads it."""
        owner.execute("ALTER TABLE bough_branch RENAME TO kept")
        owner.execute("CREATE VIEW bough_branch AS SELECT * FROM kept")
        assert identity.read(owner) is None
        with pytest.raises(TargetError):
            identity.mark(owner, MAIN)
