"""The safe way to what a statement does, told from its words: a hint, on which no verdict rests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.migrate.rehearsal.results import Statement

BATCHES: Final = "change the rows in batches, outside the revision: bough migrate backfill"
APART: Final = "give each a revision of its own: its locks end with its transaction"

_REINDEX: Final = "REINDEX … CONCURRENTLY in op.get_context().autocommit_block()"
_INDEX: Final = (
    "CREATE INDEX CONCURRENTLY: in op.get_context().autocommit_block(), "
    "op.create_index(…, postgresql_concurrently=True)"
)
_PARTITION: Final = (
    "give the table a CHECK with the partition's bounds first, NOT VALID, and VALIDATE CONSTRAINT "
    "in a revision after it; ATTACH PARTITION then reads nothing"
)
_FOREIGN_KEY: Final = "add the foreign key NOT VALID, and VALIDATE CONSTRAINT in a revision after it"
_UNIQUE: Final = (
    "CREATE UNIQUE INDEX CONCURRENTLY in op.get_context().autocommit_block(), "
    "then ADD CONSTRAINT … USING INDEX"
)
_NOT_NULL: Final = (
    "ADD CHECK (column IS NOT NULL) NOT VALID; VALIDATE CONSTRAINT in a revision after it; then "
    "SET NOT NULL, which reads nothing, and drop the CHECK; from PostgreSQL 18 on "
    "ADD CONSTRAINT … NOT NULL column NOT VALID, then VALIDATE CONSTRAINT"
)
_CHECK: Final = "add the CHECK NOT VALID, and VALIDATE CONSTRAINT in a revision after it"
_TYPE: Final = (
    "add a column of the new type, have the code write both, fill it with bough migrate backfill, "
    "and drop the old one in a contract revision"
)
_GENERATED: Final = (
    "add a plain column, have new rows filled by a default or a trigger, and the old ones by "
    "bough migrate backfill"
)
_DEFAULT: Final = (
    "add the column without a default, then SET DEFAULT for new rows, and fill the old ones with "
    "bough migrate backfill; only a volatile default, such as gen_random_uuid(), rewrites"
)

# The first that matches.
_SCANS: Final = (
    (r"\bREINDEX\b", _REINDEX),
    (r"\bCREATE\s+(UNIQUE\s+)?INDEX\b", _INDEX),
    (r"\bATTACH\s+PARTITION\b", _PARTITION),
    (r"\b(FOREIGN\s+KEY|REFERENCES)\b", _FOREIGN_KEY),
    (r"\b(UNIQUE|PRIMARY\s+KEY)\b", _UNIQUE),
    (r"\bCHECK\b", _CHECK),
    (r"\bNOT\s+NULL\b", _NOT_NULL),
)
_REWRITES: Final = (
    (r"\bREINDEX\b", _REINDEX),
    (r"\b(VACUUM|CLUSTER)\b", "leave it to autovacuum, or use pg_repack or pg_squeeze"),
    (r"\bTYPE\b", _TYPE),
    (r"\b(STORED|IDENTITY|(SMALL|BIG)?SERIAL)\b", _GENERATED),
    (r"\bDEFAULT\b", _DEFAULT),
)


def for_scan(statement: Statement) -> str:
    """Return how to do the same without a lock that blocks while the table is read."""
    return (
        _first(_SCANS, statement) or "read the table in a revision of its own, before the one that locks it"
    )


def for_rewrite(statement: Statement) -> str:
    """Return how to do the same without writing the table anew."""
    return (
        _first(_REWRITES, statement)
        or "make the new form beside the old one, fill it in batches, then switch"
    )


def _first(recipes: tuple[tuple[str, str], ...], statement: Statement) -> str | None:
    return next((recipe for words, recipe in recipes if re.search(words, statement.sql, re.IGNORECASE)), None)
