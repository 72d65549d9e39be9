"""Several statements in one transaction, and what happens to the session."""

from __future__ import annotations

from tests.support.corpus.migration import AX, CARE, UNSAFE, S, expand, migration, sql

NOTHING = sql("SELECT 1")
SEVERAL = {
    "verdict": CARE,
    "measured": ("locks-on-several-tables",),
    "linted": ("locks-on-several-tables",),
    "locks": {"customers": AX, "orders": AX},
}


def add(table: str) -> str:
    return f"op.add_column('{table}', sa.Column('extra', sa.Integer))"


def drop(table: str) -> str:
    return f"op.drop_column('{table}', 'extra')"


MIGRATIONS = (
    migration(
        "add two columns of one table",
        expand(
            f"{add('customers')}\nop.add_column('customers', sa.Column('more', sa.Integer))",
            f"{drop('customers')}\nop.drop_column('customers', 'more')",
        ),
        locks={"customers": AX},
    ),
    migration(
        "add a column to each of two tables",
        expand(f"{add('customers')}\n{add('orders')}", f"{drop('customers')}\n{drop('orders')}"),
        **SEVERAL,
    ),
    migration(
        "add a column to each of two tables, in two revisions",
        expand(add("customers"), drop("customers")),
        expand(add("orders"), drop("orders")),
        locks={"customers": AX, "orders": AX},
    ),
    migration(
        "add a column, and an index in the same transaction",
        expand(f"{add('orders')}\nop.create_index('ix_new', 'orders', ['code', 'extra'])", drop("orders")),
        verdict=UNSAFE,
        measured=("work-under-lock",),
        linted=("require-concurrent-index-creation", "work-under-lock"),
        locks={"orders": AX},
    ),
    migration(
        "add a column, and read another large table in the same transaction",
        expand(f"{add('customers')}\n{sql('SELECT count(*) FROM orders')}", drop("customers")),
        verdict=UNSAFE,
        measured=("work-under-lock",),
        locks={"customers": AX},
    ),
    migration(
        "add a column to a small table, and read a large one in the same transaction",
        expand(f"{add('countries')}\n{sql('SELECT count(*) FROM orders')}", drop("countries")),
        verdict=UNSAFE,
        measured=("work-under-lock",),
        locks={"countries": AX},
    ),
    migration(
        "add a column to a small table and fill it in the same transaction",
        expand(f"{add('countries')}\n{sql('UPDATE countries SET extra = 1')}", drop("countries")),
        locks={"countries": AX},
    ),
    migration(
        "count a table, then add a column",
        expand(f"{sql('SELECT count(*) FROM orders')}\n{add('customers')}", drop("customers")),
        locks={"customers": AX},
    ),
    migration(
        "create two indexes of two tables",
        expand(
            "op.create_index('ix_new', 'orders', ['customer_id'])\n"
            "op.create_index('ix_other', 'customers', ['age'])",
            "op.drop_index('ix_new')\nop.drop_index('ix_other')",
        ),
        verdict=UNSAFE,
        measured=("scan-under-blocking-lock",),
        linted=("require-concurrent-index-creation", "work-under-lock"),
        locks={"orders": S, "customers": S},
    ),
    migration(
        "set a setting for the rest of the run",
        expand(f"{sql('SET work_mem = 65536')}\n{add('customers')}", drop("customers")),
        verdict=CARE,
        linted=("setting-leaks",),
        locks={"customers": AX},
    ),
    migration(
        "set a setting for the transaction",
        expand(f"{sql('SET LOCAL work_mem = 65536')}\n{add('customers')}", drop("customers")),
        locks={"customers": AX},
    ),
)
