"""What the models would make, as the server itself reads it: compared with what the revisions made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM
from sqlalchemy.exc import SQLAlchemyError

from infra.migrate.catalog import Catalog, Difference, Thing, differences, snapshot
from infra.migrate.connection import TIMEOUTS, as_sqlalchemy, open_connection
from infra.migrate.errors import HistoryError
from infra.migrate.history import alembic_config
from infra.migrate.writing.enums import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import sqlalchemy as sa

    from api.database.connection_url import DirectUrl
    from infra.config import Project

#: What models can say, by kind; the rest is for revisions alone.
_SAID: Final = {
    "table": {"comment", "partitioned by"},
    "column": {"type", "collation", "not null", "default", "generated", "identity", "comment"},
    "constraint": {"definition"},
    "index": {"definition"},
    "type": {"labels", "base type"},
}


def compare(project: Project, url: DirectUrl) -> tuple[Difference, ...]:
    """Return how the models differ from what the revisions made: `before` is theirs, `after` the models'.

    The tables are dropped and made from the models, and the server tells both in its own words: so
    defaults, checks, expressions and predicates count, however they were written. All of it is one
    transaction, rolled back at the end.

    Args:
        project: Whose models.
        url: A database at the head that nobody else uses, without rows.

    Raises:
        HistoryError: The models cannot be imported, or not be made into tables.
    """
    with open_connection(url, TIMEOUTS) as connection, as_sqlalchemy(connection) as lent:
        metadata, is_compared = _load(project, lent)
        by_revisions = snapshot(connection)
        try:
            for statement in _drops(metadata, lent):
                lent.exec_driver_sql(statement)
            others = snapshot(connection).by_name.keys()
            metadata.create_all(lent)
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise HistoryError(f"the models cannot be made into tables: {reason}") from error
        by_models = Catalog(tuple(each for each in snapshot(connection).things if _key(each) not in others))
    # A type that no column of the models has is the revisions' own business.
    types = {thing.name for thing in by_models.things if thing.kind == "type"}
    made = (each for each in by_revisions.things if each.kind != "type" or each.name in types)
    return differences(_sayable(made, is_compared), _sayable(by_models.things, is_compared))


def _load(project: Project, lent: sa.Connection) -> tuple[sa.MetaData, Callable[[str], bool]]:
    """Return the metadata as `migrations/env.py` names it, and which tables it would have compared."""
    found: list[dict[str, Any]] = []

    def take_options(_heads: object, context: Any) -> list[Any]:
        found.append(context.opts)
        return []

    with alembic_config(project, connection=lent) as config:
        scripts = ScriptDirectory.from_config(config)
        try:
            with EnvironmentContext(config, scripts, fn=take_options):
                scripts.run_env()
        except Exception as error:
            message = f"the models cannot be imported: {type(error).__name__}: {error}"
            raise HistoryError(message, hint="look at [tool.bough] metadata in pyproject.toml") from error
    lent.rollback()
    (options,) = found
    include = options.get("include_name")

    def is_compared(table: str) -> bool:
        schema, _, name = table.replace('"', "").rpartition(".")
        return include is None or bool(include(name, "table", {"schema_name": schema}))

    return options["target_metadata"], is_compared


def _drops(metadata: sa.MetaData, lent: sa.Connection) -> Iterator[str]:
    names = {("TABLE", table.schema, table.name) for table in metadata.tables.values()}
    for column in (column for table in metadata.tables.values() for column in table.columns):
        type_ = plain(column.type, lent.dialect)
        if isinstance(type_, ENUM | DOMAIN) and type_.name:
            names.add(("TYPE", type_.schema, type_.name))
    for kind, schema, name in sorted(names, key=str):
        identifier = sql.Identifier(*(part for part in (schema, name) if part))
        yield f"DROP {kind} IF EXISTS {identifier.as_string()} CASCADE"


def _key(thing: Thing) -> tuple[str, str]:
    return thing.kind, thing.name


def _sayable(things: Iterable[Thing], is_compared: Callable[[str], bool]) -> Catalog:
    """Return what models can say of the things, without partitions, whose models are their parents'."""
    kept = [thing for thing in things if thing.kind in _SAID]
    tables = {thing.name: dict(thing.properties) for thing in kept if thing.kind == "table"}
    compared = {name for name, said in tables.items() if "partition" not in said and is_compared(name)}
    return Catalog(
        tuple(
            replace(thing, properties=tuple(_said(thing)))
            for thing in kept
            if thing.kind == "type" or (thing.parent or thing.name) in compared
        )
    )


def _said(thing: Thing) -> Iterator[tuple[str, str]]:
    for name, value in thing.properties:
        if name in _SAID[thing.kind]:
            # Whether rows were checked already is no matter of models.
            yield name, "yes" if name == "not null" else value.removesuffix(" NOT VALID")
