"""What revisions share beyond Alembic's own operations: `updated_at` and row-level security.

The server keeps `updated_at`. The first revision calls `create_updated_at_function`, and one that
creates a table with `Timestamps` calls `create_updated_at_trigger` after it; `bough migrate new` writes
both. Dropping a table drops its trigger.
"""

from __future__ import annotations

from typing import Protocol


class Operations(Protocol):
    """What is asked of `alembic.op`."""

    def execute(self, sqltext: str, /) -> None:
        """Run one statement, or write it in offline mode."""


def create_updated_at_function(op: Operations) -> None:
    """Create the trigger function `bough_set_updated_at()`, once per database."""
    # clock_timestamp(), not now(): a transaction that began before a row was inserted elsewhere
    # may update it, and now() would set updated_at before created_at.
    op.execute(
        """
        CREATE FUNCTION bough_set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at = clock_timestamp();
            RETURN NEW;
        END
        $$
        """
    )


def drop_updated_at_function(op: Operations) -> None:
    """Drop the trigger function; every table's trigger must be gone."""
    op.execute("DROP FUNCTION bough_set_updated_at()")


def create_updated_at_trigger(op: Operations, table: str) -> None:
    """Make the server set `updated_at` of `table` at each UPDATE; takes SHARE ROW EXCLUSIVE."""
    op.execute(
        f'CREATE TRIGGER bough_set_updated_at BEFORE UPDATE ON "{table}" '
        "FOR EACH ROW EXECUTE FUNCTION bough_set_updated_at()"
    )


def drop_updated_at_trigger(op: Operations, table: str) -> None:
    """Leave `updated_at` of `table` to its writers again; needed only where the table stays."""
    op.execute(f'DROP TRIGGER bough_set_updated_at ON "{table}"')


def enable_row_level_security(op: Operations, table: str) -> None:
    """Let the policies of `table` decide which rows the application sees and writes; takes ACCESS EXCLUSIVE.

    Set `BOUGH_ROW_LEVEL_SECURITY` first, or nobody is somebody: without claims only public rows are left.
    The table's owner, superusers and roles with BYPASSRLS are not bound.
    """
    op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')


def disable_row_level_security(op: Operations, table: str) -> None:
    """Leave the rows of `table` to the application's own conditions again; takes ACCESS EXCLUSIVE."""
    op.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')
