"""The foreign keys of a sample: rows that it refers to are fetched, and what refers to nothing is dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.migrate.connection import Connection

#: Rows that are asked for at once.
_BATCH: Final = 500

#: The names of tables and types are the server's own, in quotes where they need them.
_KEYS: Final = """
    SELECT conrelid::regclass::text, format('%I.%I', nspname, relname),
        ARRAY(
            SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
            JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place
        ),
        ARRAY(
            SELECT attname::text FROM unnest(confkey) WITH ORDINALITY AS key (number, place)
            JOIN pg_attribute ON attrelid = confrelid AND attnum = number ORDER BY place
        ),
        ARRAY(
            SELECT format_type(atttypid, -1) FROM unnest(confkey) WITH ORDINALITY AS key (number, place)
            JOIN pg_attribute ON attrelid = confrelid AND attnum = number ORDER BY place
        ),
        ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = confrelid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        )
    FROM pg_constraint
    JOIN pg_class ON pg_class.oid = confrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE contype = 'f' AND conparentid = 0
"""


def complete(source: Connection, copy: Connection) -> None:
    """Make every foreign key of a copy true, whose triggers and foreign keys are switched off meanwhile."""
    # Nothing but pg_catalog: names of types are then told with their schemas, as both servers need them.
    copy.execute("SET search_path = ''")
    keys = [_ForeignKey(*row) for row in copy.execute(_KEYS).fetchall()]
    while sum(key.fetch(source, copy) for key in keys):
        pass
    # Rows that were deleted at the source meanwhile.
    while sum(copy.execute(key.orphans()).rowcount for key in keys):
        pass
    copy.execute("RESET search_path")


@dataclass(frozen=True, slots=True)
class _ForeignKey:
    child: str
    parent: str
    columns: list[str]
    referenced: list[str]
    types: list[str]
    parent_columns: list[str]

    def fetch(self, source: Connection, copy: Connection) -> int:
        """Copy what rows refer to and is not there; return how many that were."""
        names = sql.SQL(", ").join(map(sql.Identifier, self.parent_columns))
        write = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.SQL(self.parent), names)
        fetched = 0
        missing = copy.execute(self._missing()).fetchall()
        for batch in _batches(missing):
            read = sql.SQL("COPY (SELECT {} FROM {} WHERE ({}) IN ({})) TO STDOUT").format(
                names,
                sql.SQL(self.parent),
                sql.SQL(", ").join(map(sql.Identifier, self.referenced)),
                sql.SQL(", ").join(self._literal(values) for values in batch),
            )
            with source.cursor().copy(read) as reading:
                rows = b"".join(reading)
            with copy.cursor().copy(write) as writing:
                writing.write(rows)
            fetched += rows.count(b"\n")
        return fetched

    def orphans(self) -> sql.Composed:
        """Return what deletes the rows that refer to nothing."""
        return sql.SQL("DELETE FROM {} AS child WHERE {}").format(sql.SQL(self.child), self._dangling())

    def _missing(self) -> sql.Composed:
        wanted = sql.SQL(", ").join(sql.SQL("child.{}::text").format(sql.Identifier(c)) for c in self.columns)
        statement = sql.SQL("SELECT DISTINCT {} FROM {} AS child WHERE {}")
        return statement.format(wanted, sql.SQL(self.child), self._dangling())

    def _dangling(self) -> sql.Composed:
        pairs = zip(self.columns, self.referenced, strict=True)
        equal = (
            sql.SQL("parent.{} = child.{}").format(sql.Identifier(theirs), sql.Identifier(ours))
            for ours, theirs in pairs
        )
        given = (sql.SQL("child.{} IS NOT NULL").format(sql.Identifier(ours)) for ours in self.columns)
        conjunction = sql.SQL(" AND ")
        return sql.SQL("{} AND NOT EXISTS (SELECT FROM {} AS parent WHERE {})").format(
            conjunction.join(given), sql.SQL(self.parent), conjunction.join(equal)
        )

    def _literal(self, values: Sequence[str]) -> sql.Composed:
        typed = (
            sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(type_))
            for value, type_ in zip(values, self.types, strict=True)
        )
        return sql.SQL("({})").format(sql.SQL(", ").join(typed))


def _batches(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[Sequence[str]]]:
    for begin in range(0, len(rows), _BATCH):
        yield rows[begin : begin + _BATCH]
