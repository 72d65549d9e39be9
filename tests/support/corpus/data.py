"""Rows that are changed."""

from __future__ import annotations

from tests.support.corpus.migration import AX, CARE, RX, UNSAFE, expand, migration, sql
from tests.support.measurements import in_autocommit

MANY = {"verdict": UNSAFE, "measured": ("many-rows-in-one-transaction",)}
NOTHING = sql("SELECT 1")

MIGRATIONS = (
    migration(
        "change every row",
        expand(sql("UPDATE customers SET note = 'new'"), NOTHING),
        linted=("unbounded-write",),
        locks={"customers": RX},
        **MANY,
    ),
    migration(
        "change a third of the rows",
        expand(sql("UPDATE customers SET note = 'new' WHERE id % 3 = 0"), NOTHING),
        locks={"customers": RX},
        **MANY,
    ),
    migration(
        "change ten rows",
        expand(sql("UPDATE customers SET note = 'new' WHERE id <= 10"), NOTHING),
        locks={"customers": RX},
    ),
    migration(
        "change every row of a small table",
        expand(sql("UPDATE countries SET code = 'YY'"), NOTHING),
        locks={"countries": RX},
    ),
    migration(
        "change every row in a block",
        expand(sql("DO $$ BEGIN UPDATE customers SET note = 'new'; END $$"), NOTHING),
        linted=("opaque-block",),
        locks={"customers": RX},
        unread=("customers",),
        **MANY,
    ),
    migration(
        "change every row outside a transaction",
        expand(in_autocommit("UPDATE customers SET note = 'new'"), NOTHING),
        linted=("unbounded-write",),
        locks={"customers": RX},
        **MANY,
    ),
    migration(
        "delete every row",
        expand(sql("DELETE FROM events_spare"), "raise NotImplementedError"),
        linted=("unbounded-write",),
        locks={"events_spare": RX},
        irreversible="the rows are gone",
        **MANY,
    ),
    migration(
        "delete a few rows of a large table",
        expand(sql("DELETE FROM events_spare WHERE kind = 'other'"), NOTHING),
        locks={"events_spare": RX},
    ),
    migration(
        "insert a few rows",
        expand(
            "countries = sa.table('countries', sa.column('id', sa.Integer), sa.column('code', sa.String))\n"
            "op.bulk_insert(countries, [{'id': 99, 'code': 'ZZ'}])",
            sql("DELETE FROM countries WHERE id = 99"),
        ),
        locks={"countries": RX},
    ),
    migration(
        "insert as many rows as there are",
        expand(
            sql("INSERT INTO events_spare SELECT id + 5000000, kind FROM events_spare"),
            sql("DELETE FROM events_spare WHERE id > 15000000"),
        ),
        verdict=CARE,
        measured=("many-rows-in-one-transaction",),
        locks={"events_spare": RX},
    ),
    migration(
        "add a column and fill it in one transaction",
        expand(
            "op.add_column('customers', sa.Column('extra', sa.Boolean))\n"
            + sql("UPDATE customers SET extra = true"),
            "op.drop_column('customers', 'extra')",
        ),
        verdict=UNSAFE,
        measured=("many-rows-in-one-transaction", "work-under-lock"),
        linted=("data-with-schema", "unbounded-write", "work-under-lock"),
        locks={"customers": AX},
    ),
    migration(
        "add a column and fill it in two revisions",
        expand(
            "op.add_column('customers', sa.Column('extra', sa.Boolean))",
            "op.drop_column('customers', 'extra')",
        ),
        expand(sql("UPDATE customers SET extra = true"), NOTHING),
        linted=("unbounded-write",),
        locks={"customers": AX},
        **MANY,
    ),
    migration(
        "add a column with a default, and read a few rows",
        expand(
            sql(
                "ALTER TABLE customers ADD COLUMN extra boolean DEFAULT true",
                "SELECT id FROM customers WHERE id = 1",
            ),
            "op.drop_column('customers', 'extra')",
        ),
        locks={"customers": AX},
    ),
)
