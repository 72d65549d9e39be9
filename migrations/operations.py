"""What revisions share beyond Alembic's own operations: `updated_at`, kept by the server.

The first revision calls `create_updated_at_function`; a revision that creates a table with
`Timestamps` calls `create_updated_at_trigger` after it. Generated revisions hold the same statements.
Dropping a table drops its trigger.
"""

from __future__ import annotations

from typing import Final, Protocol

# clock_timestamp(), not now(): a transaction that began before a row was inserted elsewhere may
# update it, and now() would set updated_at before created_at.
UPDATED_AT_FUNCTION: Final = """
CREATE FUNCTION bough_set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = clock_timestamp();
    RETURN NEW;
END
$$
"""

DROP_UPDATED_AT_FUNCTION: Final = "DROP FUNCTION bough_set_updated_at()"

#: To be formatted with `table`.
UPDATED_AT_TRIGGER: Final = (
    'CREATE TRIGGER bough_set_updated_at BEFORE UPDATE ON "{table}" '
    "FOR EACH ROW EXECUTE FUNCTION bough_set_updated_at()"
)


class Operations(Protocol):
    """What is asked of `alembic.op`."""

    def execute(self, sqltext: str, /) -> None:
        """Run one statement, or write it in offline mode."""


def create_updated_at_function(op: Operations) -> None:
    """Create the trigger function `bough_set_updated_at()`, once per database."""
    op.execute(UPDATED_AT_FUNCTION)


def drop_updated_at_function(op: Operations) -> None:
    """Drop the trigger function; every table's trigger must be gone."""
    op.execute(DROP_UPDATED_AT_FUNCTION)


def create_updated_at_trigger(op: Operations, table: str) -> None:
    """Make the server set `updated_at` of `table` at each UPDATE; takes SHARE ROW EXCLUSIVE."""
    op.execute(UPDATED_AT_TRIGGER.format(table=table))


def drop_updated_at_trigger(op: Operations, table: str) -> None:
    """Leave `updated_at` of `table` to its writers again; needed only where the table stays."""
    op.execute(f'DROP TRIGGER bough_set_updated_at ON "{table}"')
