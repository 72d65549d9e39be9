"""Columns that get another type."""

from __future__ import annotations

from tests.support.corpus.migration import AX, CARE, UNSAFE, Migration, contract, expand, migration, sql


def retype(name: str, table: str, column: str, old: str, new: str, **known: object) -> Migration:
    """Change a type and nothing else; instant where nothing else is known."""
    step = contract if known.pop("takes_away", False) else expand
    up, down = (f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {each}" for each in (new, old))
    return migration(name, step(sql(up), sql(down)), **{"locks": {table: AX}, **known})


def rewrite(table: str) -> dict[str, object]:
    return {
        "verdict": UNSAFE,
        "measured": ("rewrite-of-large-table",),
        "linted": ("changing-column-type",),
        "rewrites": (table,),
    }


MIGRATIONS = (
    retype("int to bigint", "customers", "age", "int", "bigint", **rewrite("customers")),
    retype("int to bigint of a small table", "countries", "place", "int", "bigint", rewrites=("countries",)),
    migration(
        "int to bigint by a column beside it",
        expand(
            "op.add_column('customers', sa.Column('new_age', sa.BigInteger))",
            "op.drop_column('customers', 'new_age')",
        ),
        expand(
            sql(
                "CREATE FUNCTION copy_age() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN NEW.new_age = NEW.age; RETURN NEW; END'",
                "CREATE TRIGGER copies_age BEFORE INSERT OR UPDATE ON customers"
                " FOR EACH ROW EXECUTE FUNCTION copy_age()",
            ),
            sql("DROP TRIGGER copies_age ON customers", "DROP FUNCTION copy_age()"),
        ),
        verdict=CARE,
        linted=("trigger-on-existing-table",),
        locks={"customers": AX},
    ),
    retype("more characters", "customers", "name", "varchar(50)", "varchar(80)"),
    retype(
        "more characters of a checked column",
        "customers",
        "nickname",
        "varchar(50)",
        "varchar(80)",
        verdict=UNSAFE,
        measured=("scan-under-blocking-lock",),
        linted=("changing-column-type",),
    ),
    retype(
        "fewer characters",
        "customers",
        "name",
        "varchar(50)",
        "varchar(40)",
        takes_away=True,
        **rewrite("customers"),
    ),
    retype("varchar to text", "customers", "name", "varchar(50)", "text"),
    retype("more digits before the point", "customers", "balance", "numeric(10,2)", "numeric(14,2)"),
    retype("no limit of digits", "customers", "balance", "numeric(10,2)", "numeric"),
    retype(
        "more digits after the point",
        "customers",
        "balance",
        "numeric(10,2)",
        "numeric(14,4)",
        **rewrite("customers"),
    ),
    migration(
        "timestamp to timestamptz, from a time zone",
        expand(
            sql(
                "SET LOCAL timezone = 'Europe/Berlin'", "ALTER TABLE customers ALTER joined TYPE timestamptz"
            ),
            sql("SET LOCAL timezone = 'Europe/Berlin'", "ALTER TABLE customers ALTER joined TYPE timestamp"),
        ),
        locks={"customers": AX},
        **{**rewrite("customers"), "linted": ("changing-column-type", "destructive-in-expand")},
    ),
    migration(
        "text to int by an expression",
        contract(
            sql("ALTER TABLE orders ALTER legacy TYPE int USING legacy::int"),
            sql("ALTER TABLE orders ALTER legacy TYPE text"),
        ),
        locks={"orders": AX},
        **rewrite("orders"),
    ),
)
