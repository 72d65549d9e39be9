"""What clients ask while a rehearsal upgrades: derived from the fork's own tables, or given in a file."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

from infra.migrate.errors import MigrationError
from infra.migrate.linting.scanner import source, split
from infra.migrate.rehearsal.probe.messages import without_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from infra.migrate.connection import Connection
    from infra.migrate.linting.scanner import Token

#: The largest tables take part, and this many rows of each are asked for.
_TABLES: Final = 50
_SAMPLE: Final = 200

#: Of the reads that are pages, and of the writes that are inserts.
_PAGES: Final = 0.25
_INSERTS: Final = 0.5

_CATALOG: Final = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), keys.names, kept.names, written.names,
        ARRAY(SELECT p FROM unnest('{INSERT,UPDATE}'::text[]) AS p WHERE has_table_privilege(c.oid, p))
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
    CROSS JOIN LATERAL (
        SELECT array_agg(quote_ident(attname) ORDER BY array_position(i.indkey::int2[], attnum)) AS names
        FROM pg_attribute WHERE attrelid = c.oid AND attnum = ANY(i.indkey)
    ) AS keys
    CROSS JOIN LATERAL (
        SELECT array_agg(quote_ident(attname) ORDER BY attnum) AS names FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    ) AS kept
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(quote_ident(attname) ORDER BY attnum), '{}') AS names FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
          AND attidentity = '' AND attnum <> ALL(i.indkey)
    ) AS written
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
      AND n.nspname <> 'information_schema' AND c.relname !~ '^bough_' AND c.relname <> 'alembic_version'
      AND has_table_privilege(c.oid, 'SELECT')
    ORDER BY c.reltuples DESC, c.oid LIMIT %s
"""

_KEYS: Final = f"SELECT {{texts}} FROM {{table}} LIMIT {_SAMPLE}"  # noqa: S608  a template
_ROW: Final = "SELECT {columns} FROM {table} WHERE ({keys}) = ({values})"
_PAGE: Final = "SELECT {columns} FROM {table} WHERE ({keys}) >= ({values}) ORDER BY {keys} LIMIT 20"
_INSERT: Final = (
    "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
    " SELECT {columns} FROM {table} WHERE ({keys}) = ({values}) ON CONFLICT DO NOTHING"
)
_UPDATE: Final = "UPDATE {table} SET {written} = {written} WHERE ({keys}) = ({values})"

_WEIGHT: Final = re.compile(r"--\s*weight:\s*(\S+)")
_PARAMETER: Final = re.compile(r"(?<![:\w]):((?:\w+\.)?\w+)\.(\w+)")

_HINT: Final = "fill the tables, or name a file of statements: `traffic` of [tool.bough.migrate]"


class TrafficError(MigrationError):
    """The load cannot be read, or there is nothing in the database to ask for."""

    code = "TRAFFIC_INVALID"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One kind of request.

    Args:
        statement: With a placeholder for each parameter.
        writes: Whether it runs in a transaction, which is rolled back.
        weight: How often it is made, against the others.
        parameters: Sets of them, one of which is taken for each request.
    """

    statement: sql.SQL
    writes: bool
    weight: float
    parameters: Sequence[tuple[Any, ...]]


def derived(connection: Connection, reads: float) -> list[Request]:
    """Return requests for the tables that the role may read: rows and pages by primary key, and writes.

    A write sets a column to itself, or inserts a row that is there, which its key refuses once all else has
    been checked.

    Args:
        connection: As the application logs in, in autocommit.
        reads: Their share.

    Raises:
        TrafficError: No table has a primary key and a row.
    """
    found = connection.execute(sql.SQL(_CATALOG), (_TABLES,)).fetchall()
    requests = [request for row in found for request in _of_table(connection, reads, row)]
    # One that fails already, for a policy or a trigger, tells nothing of the upgrade.
    working = [request for request in requests if _failure(connection, request) is None]
    if not working:
        raise TrafficError("no table that the application may read has a primary key and a row", hint=_HINT)
    return working


def _of_table(connection: Connection, reads: float, row: tuple[Any, ...]) -> Iterator[Request]:
    """Yield the requests for one table of `_CATALOG`, whose names are quoted already."""
    table, keys, kept, written, privileges = row
    values = ", ".join(["%s"] * len(keys))
    names = {"table": table, "keys": ", ".join(keys), "columns": ", ".join(kept), "values": values}
    # As text: not every value of every type can be read here, `infinity` for one.
    names["texts"] = ", ".join(f"{key}::text" for key in keys)
    try:
        sample = connection.execute(sql.SQL(_KEYS.format_map(names))).fetchall()
    except psycopg.Error:
        sample = []  # a policy that wants claims, or looks through all rows
    if not sample:
        return
    # From here on there are placeholders, and a percent sign in a name is none.
    names = {key: name.replace("%", "%%") for key, name in names.items()} | {"values": values}
    weights = {_ROW: reads * (1 - _PAGES), _PAGE: reads * _PAGES}
    if "INSERT" in privileges:
        weights[_INSERT] = (1 - reads) * _INSERTS
    if "UPDATE" in privileges and written:
        names["written"] = written[0].replace("%", "%%")
        weights[_UPDATE] = (1 - reads) * (1 - _INSERTS)
    for text, weight in weights.items():
        if weight:
            yield Request(sql.SQL(text.format_map(names)), text in {_INSERT, _UPDATE}, weight, sample)


def given(connection: Connection, file: Path) -> list[Request]:
    """Return the statements of a file: each ends with `;`, and may have a line `-- weight: 3` before it.

    `:table.column` stands for a value of that column; those of one table are from the same row.

    Raises:
        TrafficError: The file cannot be read or has no statement, a weight is no number, or a statement
            fails already.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrafficError(f"{file} cannot be read: {error}", hint=_HINT) from None
    requests, end = [], 0
    for tokens in split(text):
        times = _weight(file, text[end : tokens[0].start])
        end = tokens[-1].end
        requests.append(_given(connection, file, text, tokens, times))
    if not requests:
        raise TrafficError(f"{file} has no statement", hint=_HINT)
    return requests


def _weight(file: Path, comment: str) -> float:
    found = _WEIGHT.search(comment)
    if found is None:
        return 1.0
    with suppress(ValueError):
        if 0 < (weight := float(found[1])) < math.inf:
            return weight
    raise TrafficError(f"{file}: the weight {found[1]!r} is not a number above 0")


def _given(connection: Connection, file: Path, text: str, tokens: Sequence[Token], weight: float) -> Request:
    body = source(text, tokens)
    wanted = [(match[1], match[2]) for match in _PARAMETER.finditer(body)]
    statement = sql.SQL(_PARAMETER.sub("%s", body.replace("%", "%%")))
    writes = tokens[0].word != "SELECT"
    request = Request(statement, writes, weight, _sampled(connection, file, wanted))
    if (why := _failure(connection, request)) is not None:
        raise TrafficError(f"{file}: {why} in: {' '.join(body.split())}")
    return request


def _sampled(connection: Connection, file: Path, wanted: list[tuple[str, str]]) -> list[tuple[Any, ...]]:
    """Return sets of parameters: the n-th rows of all tables give the n-th set."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for table in dict.fromkeys(table for table, _ in wanted):
        columns = sorted({column for each, column in wanted if each == table})
        select = sql.SQL("SELECT {} FROM {} LIMIT %s").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(*table.split("."))
        )
        try:
            found = connection.execute(select, (_SAMPLE,)).fetchall()
        except psycopg.Error as error:
            raise TrafficError(f"{file}: the parameters cannot be read: {failure(error)}") from None
        if not found:
            raise TrafficError(f"{file} wants a row of {table}, and there is none to be seen")
        rows[table] = [dict(zip(columns, row, strict=True)) for row in found]
    count = max((len(each) for each in rows.values()), default=1)
    return [
        tuple(rows[table][number % len(rows[table])][column] for table, column in wanted)
        for number in range(count)
    ]


def _failure(connection: Connection, request: Request) -> str | None:
    """Make the request once, and return why it fails before any upgrade."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(request.statement, request.parameters[0] or None)
    except psycopg.Error as error:
        return failure(error)
    return None


def failure(error: psycopg.Error) -> str:
    """Return what a client would see of an error, without values."""
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return str(error).partition("\n")[0]  # of a connection that ended, or was not made
    return without_values(
        error.sqlstate or "", error.diag.message_primary or str(error), error.diag.source_function
    )
