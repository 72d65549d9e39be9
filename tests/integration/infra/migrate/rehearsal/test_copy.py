"""A copy on this machine: the target's schema, roles, sizes and records; rows only where asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from api.database.connection_url import DirectUrl
from infra.branches.identity import PLAIN, BranchIdentity
from infra.local import servers
from infra.local.names import APPLICATION
from infra.migrate import catalog, progress, runner
from infra.migrate.progress import State, Step
from infra.migrate.rehearsal.copy import CopyForking
from infra.migrate.rehearsal.fork import Origin
from infra.migrate.rehearsal.rehearse import rehearse
from infra.migrate.rehearsal.results import ForkKind, Outcome
from infra.migrate.rehearsal.target import Target
from tests.support.histories import empty_history, query, run_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.migrate.rehearsal.fork import Fork
    from infra.testing.databases import Database, World
    from tests.support.histories import History

SHOP = """
    CREATE SCHEMA sales;
    CREATE TYPE sales.state AS ENUM ('open', 'paid');
    CREATE TABLE country (code char(2) PRIMARY KEY, since date NOT NULL DEFAULT '31/12/2025');
    CREATE TABLE customer (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        country char(2) NOT NULL REFERENCES country
    );
    CREATE TABLE sales."Order" (
        id int PRIMARY KEY,
        customer_id bigint NOT NULL REFERENCES customer,
        state sales.state NOT NULL DEFAULT 'open',
        doubled int GENERATED ALWAYS AS (id * 2) STORED
    );
    CREATE INDEX ON sales."Order" (customer_id);
    CREATE MATERIALIZED VIEW names AS SELECT name FROM customer;
    ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
    CREATE POLICY all_of_them ON customer TO bough_app USING (true);
    INSERT INTO country SELECT lpad(to_hex(i), 2, '0') FROM generate_series(0, 255) AS i;
    INSERT INTO customer (name, country)
    SELECT 'customer ' || i, lpad(to_hex(i % 256), 2, '0') FROM generate_series(1, 400) AS i;
    INSERT INTO sales."Order" SELECT i, i FROM generate_series(1, 400) AS i;
    ANALYZE;
"""

BEGUN = Step("digest", State.DONE, 1)

#: With a table of its own, which is not copied: this machine would have to have the extension.
EXTENSION = """
    INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (90000, 'postgis', 10, 'public'::regnamespace, false, '1');
    CREATE TABLE of_postgis (id serial);
    INSERT INTO of_postgis DEFAULT VALUES;
    GRANT SELECT ON of_postgis, of_postgis_id_seq TO bough_owner;
    INSERT INTO pg_depend
    SELECT 'pg_class'::regclass, oid, 0, 'pg_extension'::regclass, 90000, 0, 'e'
    FROM pg_class WHERE relname LIKE 'of_postgis%'
"""


@pytest.fixture(scope="module")
def shop(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, History]]:
    """A database at revision `one`, with tables and rows beside it."""
    with world.new_database() as database, empty_history(tmp_path_factory.mktemp("copied")) as history:
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
        # Dates are written there as no other database reads them.
        run_script(database.superuser, f"ALTER DATABASE {database.name} SET datestyle = 'SQL, DMY'")
        runner.apply(history.project, database.direct)
        run_script(database.direct, SHOP)
        run_script(database.superuser, EXTENSION)
        with psycopg.connect(database.direct.libpq()) as connection:
            progress.prepare(connection)
            progress.note(connection, "one", 0, BEGUN, undoing=False)
        yield database, history


def origin(database: Database, said: list[str] | None = None, *, keep: bool = False) -> Origin:
    """Return a database as what is forked."""
    who = BranchIdentity(PLAIN, "tests", database.name)
    return Origin(database.direct, who, keep, said.append if said is not None else lambda _: None)


@pytest.fixture(scope="module")
def copied(shop: tuple[Database, History]) -> Iterator[tuple[Database, Fork]]:
    """A copy of it with up to 100 rows of each table."""
    database, history = shop
    with CopyForking(history.project.root, APPLICATION, rows=100)(origin(database)) as fork:
        yield database, fork


class TestCopyForking:
    """`CopyForking`."""

    def test_has_the_schema_and_says_that_it_is_a_copy(self, copied: tuple[Database, Fork]) -> None:
        """All that can be compared is equal but an extension, which is told; the copy is another branch."""
        database, fork = copied
        with psycopg.connect(database.direct.libpq()) as there, psycopg.connect(fork.direct.libpq()) as here:
            (lacking,) = catalog.differences(catalog.snapshot(there), catalog.snapshot(here))
            assert str(lacking) == "extension postgis is gone"
            assert progress.load(here) == {"one": {0: BEGUN}}
        assert (fork.kind, fork.rows_per_table) == (ForkKind.COPY, 100)
        assert fork.differs == "it has no extension postgis"
        assert runner.target(fork.direct) == fork.identity
        assert fork.identity.branch_id != database.name

    def test_has_the_sizes_of_the_target(self, copied: tuple[Database, Fork]) -> None:
        """Not those of the sample: verdicts go by them."""
        _, fork = copied
        sizes = "SELECT relname, reltuples FROM pg_class WHERE relname IN ('customer', 'Order') ORDER BY 1"
        assert query(fork.direct, sizes) == [("Order", 400.0), ("customer", 400.0)]

    def test_sample_keeps_foreign_keys_true(self, copied: tuple[Database, Fork]) -> None:
        """As many orders as were asked for, none without its customer and country, which come along."""
        _, fork = copied
        ((customers, orders, orphans),) = query(
            fork.direct,
            """
            SELECT (SELECT count(*) FROM customer), count(*), count(*) FILTER (WHERE code IS NULL)
            FROM sales."Order" LEFT JOIN customer ON customer.id = customer_id
            LEFT JOIN country ON code = country
            """,
        )
        assert 100 <= customers <= 200
        assert (orders, orphans) == (100, 0)
        assert query(fork.direct, "SELECT max(since)::text FROM country") == [("2025-12-31",)]

    def test_new_rows_do_not_meet_old_ones(self, copied: tuple[Database, Fork]) -> None:
        """Sequences go on where the target's are."""
        _, fork = copied
        assert query(
            fork.direct, "INSERT INTO customer (name, country) VALUES ('new', '00') RETURNING id"
        ) == [(401,)]

    def test_application_role_has_its_rights_through_the_pooler(self, copied: tuple[Database, Fork]) -> None:
        """And no more: it cannot write what migrations record."""
        _, fork = copied
        assert fork.pooled is not None
        with psycopg.connect(fork.pooled.libpq(), prepare_threshold=None) as connection:
            assert connection.execute("SELECT count(*) > 0 FROM customer").fetchone() == (True,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("DELETE FROM bough_revision")

    def test_owner_is_no_superuser(self, copied: tuple[Database, Fork]) -> None:
        """A revision that lacks a right at the target lacks it here."""
        _, fork = copied
        assert query(
            fork.direct, "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"
        ) == [("bough_owner", False)]

    @pytest.mark.prove
    def test_kept_copy_stays_until_another_is_made(
        self, shop: tuple[Database, History], tmp_path: Path
    ) -> None:
        """The way into it is in a file that only its owner reads."""
        database, _ = shop
        said: list[str] = []
        copies = CopyForking(tmp_path, APPLICATION)
        with copies(origin(database, said, keep=True)):
            pass
        (folder,) = (tmp_path / ".bough" / "rehearsals").iterdir()
        assert said[-1] == f"The copy stays until another is made; the way into it is in {folder / 'url'}"
        assert (folder / "url").stat().st_mode & 0o777 == 0o600
        assert query(DirectUrl.parse((folder / "url").read_text()), "SELECT count(*) FROM customer") == [(0,)]
        with copies(origin(database)):
            assert not folder.exists()


class TestRehearse:
    """`rehearse` on a copy."""

    def test_copies_no_row_unasked_and_says_what_times_are(
        self, shop: tuple[Database, History], tmp_path: Path
    ) -> None:
        """The target stays as it was, and nothing is left on this machine."""
        database, history = shop
        history.write(
            "two", "one", "op.execute('ALTER TABLE customer ADD n int')", "op.drop_column('customer', 'n')"
        )
        said: list[str] = []
        target = Target(database.direct, None, CopyForking(tmp_path, APPLICATION))
        found = rehearse(history.project, target, announce=said.append, code=False)
        assert found is not None
        assert found.fork is ForkKind.COPY
        assert "Copying the schema and the tables' sizes to this machine, and no rows" in said
        times = next(check for check in found.checks if check.name == "times are the target's")
        assert times.outcome is Outcome.SKIPPED
        assert "no rows" in times.detail
        failed = [check.name for check in found.checks if check.outcome is Outcome.FAILED]
        # The history has no models.
        assert failed == ["models and schema agree"]
        assert query(database.direct, "SELECT count(*) FROM alembic_version WHERE version_num = 'one'") == [
            (1,)
        ]
        assert servers.running_below(tmp_path) == []
        assert list((tmp_path / ".bough" / "rehearsals").iterdir()) == []
