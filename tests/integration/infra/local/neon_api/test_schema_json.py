"""A database's schema as JSON: complete, in Neon's form."""

from __future__ import annotations

import psycopg
import pytest

from infra.local.neon_api.schema_json import schema_json

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


@pytest.fixture
def shop(empty_database):
    """The direct URL of a database with tables in two schemas and a row."""
    with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
        connection.execute(SCHEMA)
    return empty_database.direct


class TestSchemaJson:
    def test_has_tables_columns_and_constraints_in_neons_form(self, shop):
        """As the published schema describes it: types with their parameters, references with columns."""
        tables = {f"{table['schema']}.{table['name']}": table for table in schema_json(shop)["tables"]}
        assert {"public.bare", "public.customers", "sales.orders"} <= set(tables)
        assert tables["public.bare"]["columns"] == []
        assert tables["sales.orders"]["columns"] == [
            {"name": "customer_id", "type": "integer", "nullable": False, "generated": False},
            {"name": "price", "type": "numeric(10,2)", "nullable": True, "generated": False},
            {"name": "price_with_tax", "type": "numeric", "nullable": True, "generated": True},
        ]
        assert tables["sales.orders"]["constraints"] == [
            {
                "type": "foreign_key",
                "name": "orders_customer",
                "columns": ["customer_id"],
                "referenced_table": {"schema": "public", "table": "customers", "columns": ["id"]},
            }
        ]
        kinds = [constraint["type"] for constraint in tables["public.customers"]["constraints"]]
        assert kinds == ["unique", "primary_key"]
