"""A database's schema as SQL: complete, equal for equal schemas, and without secrets."""

from __future__ import annotations

import threading

import psutil
import psycopg
import pytest

from infra.branches.schema_dump import compare, owned_schemas_sql, schema_sql, without_own_tables
from infra.local.errors import ProgramError
from infra.migrate.records import make_tables

SCHEMA = """
    CREATE SCHEMA sales;
    CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE);
    CREATE TABLE sales.orders (
        customer_id int NOT NULL CONSTRAINT orders_customer REFERENCES customers,
        price numeric(10, 2),
        price_with_tax numeric GENERATED ALWAYS AS (price * 1.2) STORED
    );
    CREATE TABLE bare ();
    INSERT INTO customers VALUES (1, 'a@example.org');
"""


def run(url, statements):
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        connection.execute(statements)


@pytest.fixture
def shop(empty_database):
    """The direct URL of a database with tables in two schemas and a row."""
    run(empty_database.direct, SCHEMA)
    return empty_database.direct


class TestSchemaSql:
    def test_has_the_tables_and_neither_rows_nor_owners_nor_noise(self, shop):
        """What is dumped is the schema, not whose it is nor who dumped it."""
        sql = schema_sql(shop)
        assert "CREATE TABLE sales.orders" in sql
        for absent in ("a@example.org", "OWNER TO", "GRANT", "restrict", "Dumped"):
            assert absent not in sql

    def test_equal_schemas_give_equal_text(self, shop, world):
        """A database that was made the same way elsewhere dumps alike, each time."""
        with world.new_database() as twin:
            run(twin.direct, SCHEMA)
            assert schema_sql(shop) == schema_sql(twin.direct) == schema_sql(shop)

    def test_missing_database_is_an_error_with_the_reason(self, shop):
        """The error quotes what pg_dump said, and no password."""
        with pytest.raises(ProgramError, match='database "absent" does not exist') as caught:
            schema_sql(shop.replace(database="absent"))
        assert ":" + shop.libpq().split(":")[2].split("@")[0] not in repr(caught.value)

    def test_password_is_on_no_command_line(self, shop):
        """Everybody may read command lines: pg_dump gets the password another way."""
        password = shop.libpq().split(":")[2].split("@")[0]
        seen = []
        with psycopg.connect(shop.libpq()) as connection:
            connection.execute("LOCK TABLE customers")  # until then pg_dump waits, however late we look
            dumping = threading.Thread(target=schema_sql, args=(shop,))
            dumping.start()
            while dumping.is_alive() and not seen:
                children = psutil.Process().children()
                seen = [each.cmdline() for each in children if each.name() == "pg_dump"]
        dumping.join()
        assert seen
        assert not [line for line in seen if any(password in argument for argument in line)]


class TestWithoutOwnTables:
    def test_the_kit_s_records_are_left_out_and_nothing_else(self, shop):
        """Identities, keys and rights belong to them; functions of that name are the application's."""
        run(shop, "CREATE FUNCTION bough_set_updated_at() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        before = without_own_tables(schema_sql(shop))
        with psycopg.connect(shop.libpq(), autocommit=True) as connection:
            make_tables(connection)
        after = schema_sql(shop)
        assert "bough_rehearsal" in after
        assert without_own_tables(after) == before
        assert "bough_set_updated_at" in before


class TestOwnedSchemasSql:
    def test_schema_of_any_name_is_there_and_the_mark_is_not(self, shop):
        """pg_dump takes patterns: a name is one thing, whatever is in it."""
        run(shop, 'CREATE SCHEMA "say ""x*"""; CREATE TABLE "say ""x*""".said ()')
        sql = owned_schemas_sql(shop)
        assert 'CREATE TABLE "say ""x*""".said' in sql
        assert "CREATE TABLE sales.orders" in sql
        assert "bough_branch" not in sql


class TestCompare:
    def test_difference_is_a_unified_diff_and_none_is_empty(self, shop):
        """A new column is a line with a plus; equal schemas give nothing at all."""
        base = schema_sql(shop)
        run(shop, "ALTER TABLE customers ADD name text")
        diff = compare(base, schema_sql(shop), names=("main", "preview"))
        assert diff.startswith("--- main\n+++ preview\n@@ ")
        assert "+    name text\n" in diff
        assert compare(base, base, names=("main", "main")) == ""
