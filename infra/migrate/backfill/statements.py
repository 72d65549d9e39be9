"""The statements of a backfill over one table, by ranges of its primary key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString, Self

import psycopg
from psycopg import sql

from infra.migrate.backfill.errors import BackfillBlockedError, BackfillInvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.migrate.backfill.definition import Definition
    from infra.migrate.connection import Connection

#: A key's values as text, in the order of the key's columns.
Key = tuple[str, ...]

_TABLE: Final = """
    SELECT relation.oid, format('%%I.%%I', nspname, relname), relkind::text,
        coalesce(
            (SELECT sum(greatest(part.reltuples, 0))
             FROM pg_partition_tree(relation.oid) JOIN pg_class AS part ON part.oid = relid WHERE isleaf),
            greatest(relation.reltuples, 0)
        )::bigint,
        ARRAY(
            SELECT ARRAY[attname, format_type(atttypid, atttypmod)]
            FROM pg_index, unnest(indkey) WITH ORDINALITY AS key (number, place), pg_attribute
            WHERE indrelid = relation.oid AND indisprimary
              AND attrelid = relation.oid AND attnum = key.number
            ORDER BY place
        )::text[]
    FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE relation.oid = to_regclass(%s)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What a batch did.

    Args:
        changed: Rows changed or deleted.
        skipped: Rows that still have to be changed, but were locked by others.
        kept: Rows that were to be changed, and that a trigger kept as they are.
        again: Rows that were changed, and still have to be as the definition says it.
    """

    changed: int
    skipped: int
    kept: int
    again: int


@dataclass(frozen=True, slots=True)
class Statements:
    """A definition on its table.

    Args:
        definition: What is changed.
        relation: The table's qualified name, quoted where SQL asks for it.
        oid: Of the table.
        rows: In the table, as its statistics have it; 0 where nobody has counted yet.
        key: Name and type of the primary key's columns.
    """

    definition: Definition
    relation: str
    oid: int
    rows: int
    key: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, connection: Connection, definition: Definition) -> Self:
        """Look the table up, and let the server read the definition; nothing is changed.

        From then on the session fails where row-level security would hide rows from it.

        Raises:
            BackfillInvalidError: There is no such table, it has no primary key, or the SQL is wrong.
            BackfillBlockedError: Others have locked the whole table.
        """
        try:
            row = connection.execute(_TABLE, (definition.table,)).fetchone()
        except psycopg.Error as error:
            raise _invalid(definition, f"table {definition.table!r}", error) from None
        if row is None:
            message = f"backfill {definition.name}: there is no table {definition.table!r}"
            raise BackfillInvalidError(message, hint="is the revision applied that makes it?")
        oid, relation, kind, rows, key = row
        if kind not in {"r", "p"}:
            message = f"backfill {definition.name}: {relation} is no table"
            raise BackfillInvalidError(message, hint="name the table that has the rows")
        if not key:
            message = f"backfill {definition.name}: {relation} has no primary key to go along"
            raise BackfillInvalidError(message, hint="add one, or change its rows in a revision")
        statements = cls(definition, relation, oid, rows, tuple((name, type_) for name, type_ in key))
        try:
            connection.execute("SET row_security = off")
            statements.check(connection)
        except psycopg.errors.LockNotAvailable:
            message = f"backfill {definition.name}: {relation} is locked by other sessions"
            raise BackfillBlockedError(message, hint="run this again when they have ended") from None
        except psycopg.Error as error:
            raise _invalid(definition, "its set or where", error) from None
        return statements

    def check(self, connection: Connection) -> None:
        """Let the server read the statements.

        Raises:
            psycopg.Error: It cannot, or may not run them.
        """
        # Without the parentheses that it has elsewhere: one too many in it would end those.
        alone = sql.SQL("EXPLAIN SELECT FROM {} WHERE {}")
        connection.execute(alone.format(_text(self.relation), _text(self.definition.where)), _values())
        self.plan(connection, None, 1)

    def end_of_batch(self, connection: Connection, after: Key | None, size: int) -> tuple[Key, int] | None:
        """Return the last key of the next `size` rows, and how many they are; `None` at the table's end."""
        names = [_name(name) for name, _ in self.key]
        statement = sql.SQL(
            "SELECT count(*) OVER (), {texts} FROM ("
            "SELECT {names} FROM {table} WHERE {after} ORDER BY {names} LIMIT {size}"
            ") AS batch ORDER BY {down} LIMIT 1"
        ).format(
            texts=_list("{}::text", names),
            names=_list("{}", names),
            table=_text(self.relation),
            after=self._range(after, None),
            size=sql.Literal(size),
            # Of the batch: the bare name would be the text's, which sorts otherwise.
            down=_list("batch.{} DESC", names),
        )
        row = connection.execute(statement, _values(after)).fetchone()
        return (tuple(row[1:]), row[0]) if row else None

    def change(self, connection: Connection, after: Key | None, end: Key) -> Change:
        """Change the rows after one key up to another that have to be; those that others hold are skipped.

        Nothing is waited for while rows are locked, so no writer can be brought into a deadlock.
        """
        values = _values(after, end)
        changed, again, locked, found = _row(connection.execute(self._change(after, end), values).fetchone())
        return Change(changed, skipped=found - locked, kept=locked - changed, again=again)

    def matching(self, connection: Connection) -> int:
        """Count the rows that have to be changed; reads the whole table."""
        count = sql.SQL("SELECT count(*) FROM {} WHERE ({}\n)").format(
            _text(self.relation), _text(self.definition.where)
        )
        (found,) = _row(connection.execute(count, _values()).fetchone())
        return int(found)

    def plan(self, connection: Connection, after: Key | None, size: int) -> str:
        """Return how the server would run the next batch of `size` rows, without running it."""
        end = self.end_of_batch(connection, after, size)
        explain = sql.SQL("EXPLAIN ") + self._change(after, end[0] if end else None)
        rows = connection.execute(explain, _values(after, end[0] if end else None)).fetchall()
        return "\n".join(line for (line,) in rows)

    def _change(self, after: Key | None, end: Key | None) -> sql.Composed:
        """Return the statement: names that a definition might use are taken by nothing of it."""
        names = [_name(name) for name, _ in self.key]
        own = [sql.Identifier(f"bough_{place}") for place in range(len(names))]
        table, where = _text(self.relation), _text(self.definition.where)
        lock = "UPDATE" if self.definition.set is None else "NO KEY UPDATE"
        batch = sql.SQL(
            "WITH bough_batch AS MATERIALIZED ("
            "SELECT {keys} FROM {table} WHERE {range} AND ({where}\n) ORDER BY {names}"
            " FOR {lock} SKIP LOCKED)"
        ).format(
            keys=_list("{} AS {}", names, own),
            table=table,
            range=self._range(after, end),
            where=where,
            names=_list("{}", names),
            lock=sql.SQL(lock),
        )
        # The range again: without it the planner may read the whole table to find the batch's rows.
        found = sql.SQL("{} AND {}").format(self._range(after, end), _list("{} = {}", names, own, " AND "))
        if self.definition.set is None:
            change = sql.SQL("DELETE FROM {} USING bough_batch WHERE {} RETURNING false").format(table, found)
        else:
            change = sql.SQL("UPDATE {} SET {}\n FROM bough_batch WHERE {} RETURNING ({}\n)").format(
                table, _text(self.definition.set), found, where
            )
        # Counted as of the statement's beginning, which does not see its own changes.
        return batch + sql.SQL(
            ", bough_change (again) AS ({change}) SELECT count(*), count(*) FILTER (WHERE again),"
            " (SELECT count(*) FROM bough_batch),"
            " (SELECT count(*) FROM {table} WHERE {range} AND ({where}\n)) FROM bough_change"
        ).format(change=change, table=table, range=self._range(after, end), where=where)

    def _range(self, after: Key | None, end: Key | None) -> sql.Composable:
        names = _list("{}", [_name(name) for name, _ in self.key])
        bounds = [
            sql.SQL("({}) {} ({})").format(names, sql.SQL(sign), self._parameters(bound))
            for bound, sign, key in (("after", ">", after), ("end", "<=", end))
            if key is not None
        ]
        return sql.SQL(" AND ").join(bounds) if bounds else sql.SQL("true")

    def _parameters(self, bound: str) -> sql.Composed:
        # Cast from text: the driver would send other types than the columns'.
        names = [sql.Placeholder(f"{bound}_{place}") for place in range(len(self.key))]
        return _list("{}::{}", names, [_text(type_) for _, type_ in self.key])


def _values(after: Key | None = None, end: Key | None = None) -> dict[str, str]:
    bounds = {"after": after or (), "end": end or ()}
    return {f"{bound}_{place}": value for bound, key in bounds.items() for place, value in enumerate(key)}


def _list(
    form: LiteralString,
    items: Sequence[sql.Composable],
    others: Sequence[sql.Composable] | None = None,
    between: LiteralString = ", ",
) -> sql.Composed:
    rows = zip(items, others, strict=True) if others else ((item,) for item in items)
    return sql.SQL(between).join(sql.SQL(form).format(*row) for row in rows)


def _name(name: str) -> sql.SQL:
    return _text(sql.Identifier(name).as_string())


def _text(text: str) -> sql.SQL:
    """Take the project's own SQL as it is; the driver would take a % of it for a parameter."""
    return sql.SQL(text.replace("%", "%%"))


def _row(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    assert row is not None  # noqa: S101  an aggregate always has a row
    return row


def _invalid(definition: Definition, what: str, error: psycopg.Error) -> BackfillInvalidError:
    said = error.diag.message_primary or str(error)
    hint = None
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        hint = "connect as a role that may change the table and sees all of its rows, such as its owner"
    return BackfillInvalidError(f"backfill {definition.name}: the server refuses {what}: {said}", hint=hint)
