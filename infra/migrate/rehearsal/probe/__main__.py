"""Try every mapped table's statements on `DATABASE_URL`, roll each back, and write down how they ended.

`BOUGH_PROBE_METADATA` and `BOUGH_PROBE_APP` are import strings, `BOUGH_PROBE_RESULT` names a file.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import operator
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import mapperlib
from sqlalchemy.pool import NullPool

from . import rows
from .messages import without_values
from .values import NoValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: How often a row is made up anew when a random value was there already.
_ATTEMPTS: Final = 3
_UNIQUE_VIOLATION: Final = "23505"

#: Variables with import strings.
_IMPORTED: Final = ("BOUGH_PROBE_METADATA", "BOUGH_PROBE_APP")

Trial = dict[str, Any]


def main() -> None:
    """Write a JSON object: `trials`, and `error` where there can be none."""
    result: dict[str, Any] = {"error": None, "trials": []}
    # Before the code can put another in its place, as one that loads a `.env` file may.
    url = sa.make_url(os.environ["DATABASE_URL"])
    try:
        tables = find_tables(*(os.environ[name] for name in _IMPORTED))
        run(url, lambda connection: result["trials"].extend(probe(connection, tables)))
    except Exception as error:  # noqa: BLE001  whatever the artifact's code raises
        result["error"] = describe(error)[1]
    Path(os.environ["BOUGH_PROBE_RESULT"]).write_text(json.dumps(result), encoding="utf-8")


def find_tables(metadata: str, app: str) -> list[sa.Table]:
    """Import the code's tables: those of its metadata, and of every class that importing it has mapped."""
    module, _, attribute = metadata.partition(":")
    found = [operator.attrgetter(attribute)(importlib.import_module(module))]
    importlib.import_module(app.partition(":")[0])
    # Also of classes that share no base: SQLModel's, and those of declarative_base().
    found += [registry.metadata for registry in mapperlib._all_registries()]  # noqa: SLF001  no other way
    tables = {rows.qualified(table): table for each in found for table in each.tables.values()}
    return [tables[name] for name in sorted(tables)]


class NoDriverError(Exception):
    """The artifact has none of the drivers that are known."""


def run(url: sa.URL, work: Callable[[sa.Connection], None]) -> None:
    """Call `work` with a connection by the driver that the artifact has.

    Raises:
        NoDriverError: It has none that can be imported.
    """
    if _importable("asyncpg"):
        asyncio.run(_run_asyncpg(url, work))
        return
    driver = next((name for name in ("psycopg", "psycopg2") if _importable(name)), None)
    if driver is None:
        raise NoDriverError("none of asyncpg, psycopg and psycopg2 can be imported from the artifact")
    # Statements that a driver prepares by name outlive their transaction, which a pooler cannot know.
    arguments = {"prepare_threshold": None} if driver == "psycopg" else {}
    engine = sa.create_engine(
        url.set(drivername=f"postgresql+{driver}"), poolclass=NullPool, connect_args=arguments
    )
    with engine.connect() as connection:
        work(connection)


async def _run_asyncpg(url: sa.URL, work: Callable[[sa.Connection], None]) -> None:
    # It needs greenlet, which an artifact with another driver has not.
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  see above

    # asyncpg sends what it does not know of a URL to the server, and a pooler refuses that.
    arguments = {"ssl": url.query.get("sslmode", "prefer"), "statement_cache_size": 0}
    if (root := url.query.get("sslrootcert", "system")) != "system":
        os.environ["PGSSLROOTCERT"] = str(root)
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg", query={}).update_query_dict(
            {"prepared_statement_cache_size": "0"}
        ),
        poolclass=NullPool,
        connect_args=arguments,
    )
    async with engine.connect() as connection:
        await connection.run_sync(work)
    await engine.dispose()


def _importable(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def probe(connection: sa.Connection, tables: list[sa.Table]) -> list[Trial]:
    """Try the statements of each table in a transaction of its own, which is rolled back."""
    trials: list[Trial] = []
    for table in tables:
        with connection.begin() as transaction:
            trials += _Table(connection, table).probe()
            transaction.rollback()
    return trials


class _Table:
    """One table's trials, in the order of trying."""

    def __init__(self, connection: sa.Connection, table: sa.Table) -> None:
        self._connection = connection
        self._table = table
        self._trials: list[Trial] = []
        self._made_up = False

    def probe(self) -> list[Trial]:
        existing = self._try("SELECT", self._select)
        self._try("SELECT ... WHERE", self._filter)
        inserted = self._try("INSERT", lambda: self._insert(existing, rows.Draft.with_nulls))
        if existing is not None:
            inserted = (
                self._try("INSERT of a copied row", lambda: self._insert(existing, rows.Draft.copied))
                or inserted
            )
        written = inserted or existing
        if written is not None and self._table.primary_key.columns:
            self._try("UPDATE", lambda: self._update(written))
        if inserted is not None:
            self._try("COMMIT", self._check_deferred)
            if self._table.primary_key.columns:
                # Of the new row only: others may be referred to by many.
                self._try("DELETE", lambda: self._delete(inserted))
        return self._trials

    def _try(self, statement: str, work: Callable[[], Any]) -> Any:
        """Run one statement in a savepoint; note how it ended and how many rows it found."""
        self._made_up = False
        trial: Trial = {"table": self._table.fullname, "statement": statement}
        outcome = None
        try:
            with self._connection.begin_nested():
                outcome = work()
        except Exception as error:  # noqa: BLE001  types of the artifact's own may raise anything
            sqlstate, message, column = describe(error)
            known = self._table.columns.values()
            nullable = next((each.nullable for each in known if each.name == column), None)
            trial |= {"ok": False, "sqlstate": sqlstate, "message": message}
            trial["unforeseen_null"] = column is not None and nullable is not False
        else:
            trial |= {"ok": True, "found": bool(outcome)}
        self._trials.append(trial | {"made_up": self._made_up})
        return outcome

    def _select(self) -> Mapping[str, Any] | None:
        return rows.first(self._connection, self._table)

    def _filter(self) -> bool:
        """Compare each column with a NULL of the type that the code takes it to have."""
        conditions = [
            column == sa.bindparam(None, None, type_=column.type)
            for column in self._table.columns
            if type(column.type) is not sa.JSON  # `json` has no equality
        ]
        self._connection.execute(sa.select(sa.literal(1)).select_from(self._table).where(*conditions))
        return True

    def _insert(
        self, existing: Mapping[str, Any] | None, draft: Callable[[rows.Draft], rows.Row]
    ) -> Mapping[str, Any]:
        for attempt in range(1, _ATTEMPTS + 1):
            row = draft(rows.Draft(self._connection, self._table, existing))
            self._made_up = row.made_up
            try:
                with self._connection.begin_nested():
                    return rows.insert(self._connection, self._table, row)
            except sa.exc.DBAPIError as error:
                if describe(error)[0] != _UNIQUE_VIOLATION or attempt == _ATTEMPTS:
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _delete(self, row: Mapping[str, Any]) -> bool:
        return bool(self._connection.execute(self._table.delete().where(*self._is(row))).rowcount)

    def _is(self, row: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
        return [key == row[key.key] for key in self._table.primary_key.columns]

    def _update(self, row: Mapping[str, Any]) -> bool:
        """Set every column of a row to what it is."""
        keys = self._table.primary_key.columns
        values = {
            column: row[column.key]
            for column in self._table.columns
            if column.name not in keys and column.computed is None and column.identity is None
        }
        statement = self._table.update().values(values or {key: row[key.key] for key in keys})
        return bool(self._connection.execute(statement.where(*self._is(row))).rowcount)

    def _check_deferred(self) -> bool:
        """Have checked what else is checked at a COMMIT, which never comes."""
        self._connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        return True


def describe(error: BaseException) -> tuple[str | None, str, str | None]:
    """Return an error's SQLSTATE, its message without values, and the column that it names."""
    if isinstance(error, rows.NoRowError | NoValueError | NoDriverError):
        return None, str(error), None
    original = getattr(error, "orig", None)
    if original is None:
        module = f" of {error.name}" if isinstance(error, ImportError) and error.name else ""
        return "", f"{type(error).__name__}{module}{_place(error)}", None
    cause = original.__cause__ if getattr(original, "__cause__", None) is not None else original
    diagnosis = getattr(original, "diag", None)
    sqlstate = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
    message = getattr(diagnosis, "message_primary", None) or getattr(cause, "message", None) or str(cause)
    column = getattr(diagnosis, "column_name", None) or getattr(cause, "column_name", None)
    raised_by = getattr(diagnosis, "source_function", None) or getattr(cause, "server_source_function", None)
    return sqlstate, without_values(sqlstate, str(message), raised_by), column


def _place(error: BaseException) -> str:
    """Return where in the code an error comes from; its own words may be secret."""
    packages = {os.environ[name].partition(":")[0].partition(".")[0] for name in _IMPORTED}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(Path.cwd()):
            file = file.relative_to(Path.cwd())
            if file.parts[0].removesuffix(".py") in packages:
                return f" at {file}:{frame.lineno}"
    return ""


if __name__ == "__main__":
    main()
