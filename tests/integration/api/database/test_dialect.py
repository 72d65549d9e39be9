"""The dialect's overrides fit the SQLAlchemy that is installed, and what a dialect must do still works."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    CursorResult,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    bindparam,
    cast,
    insert,
    literal,
    select,
    text,
    types,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import asyncpg as upstream

from api.database import dialect as ours
from api.database.errors import DatabaseError, InvalidValueError, StatementTimeoutError, UniqueViolationError
from api.database.session import read, write
from api.database.statistics import Statistics, statistics
from api.database.timeouts import Timeouts

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

ITEMS = Table(
    "item",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, unique=True),
)
CREATE_ITEMS = "CREATE TABLE item (id int PRIMARY KEY, name text UNIQUE)"

PAIRS = [
    (ours.Cursor, upstream.AsyncAdapt_asyncpg_cursor, "_prepare_and_execute"),
    (ours.Cursor, upstream.AsyncAdapt_asyncpg_cursor, "_executemany"),
    (ours.Connection, upstream.AsyncAdapt_asyncpg_connection, "_prepare"),
    (ours.Connection, upstream.AsyncAdapt_asyncpg_connection, "_start_transaction"),
    (ours.Connection, upstream.AsyncAdapt_asyncpg_connection, "_call_and_discard"),
    (ours.Connection, upstream.AsyncAdapt_asyncpg_connection, "commit"),
    (ours.Connection, upstream.AsyncAdapt_asyncpg_connection, "rollback"),
    (ours.Dialect, upstream.PGDialect_asyncpg, "import_dbapi"),
    (ours.Dialect, upstream.PGDialect_asyncpg, "_get_server_version_info"),
    (ours.Dialect, upstream.PGDialect_asyncpg, "_get_default_schema_name"),
    (ours.Dialect, upstream.PGDialect_asyncpg, "get_default_isolation_level"),
    (ours.Dialect, upstream.PGDialect_asyncpg, "_set_backslash_escapes"),
]


class TestOverrides:
    """What `dialect.py` replaces or calls, by name, in SQLAlchemy's asyncpg dialect."""

    @pytest.mark.parametrize(
        ("own", "base", "name"), PAIRS, ids=lambda value: getattr(value, "__name__", value)
    )
    def test_signature_equals_that_of_what_it_replaces(self, own: type, base: type, name: str) -> None:
        """An override takes what SQLAlchemy passes, and both are awaited or both are not."""
        assert name in vars(own)
        replaced, override = getattr(base, name), getattr(own, name)
        assert list(inspect.signature(replaced).parameters) == list(inspect.signature(override).parameters)
        assert inspect.iscoroutinefunction(replaced) == inspect.iscoroutinefunction(override)

    @pytest.mark.parametrize(
        ("base", "names"),
        [
            (
                upstream.AsyncAdapt_asyncpg_connection,
                ["_cursor_cls", "_ss_cursor_cls", "_handle_exception", "_terminate_force_close", "terminate"],
            ),
            (
                upstream.PGDialect_asyncpg,
                [
                    "connection_characteristics",
                    "setup_asyncpg_json_codec",
                    "setup_asyncpg_jsonb_codec",
                    "connect",
                ],
            ),
            (upstream.AsyncAdapt_asyncpg_dbapi, ["Error", "OperationalError"]),
        ],
        ids=["connection", "dialect", "dbapi"],
    )
    def test_names_that_it_relies_on_exist(self, base: type, names: list[str]) -> None:
        """A private name that SQLAlchemy renames is noticed here and not by its effects."""
        assert [name for name in names if not hasattr(base, name)] == []

    def test_adapter_only_commits_the_transaction_object(self) -> None:
        """It asks nothing else of what `_start_transaction` leaves, `rollback` being replaced."""
        source = inspect.getsource(upstream.AsyncAdapt_asyncpg_connection)
        used = re.findall(r"self\._transaction\.(\w+)", source)
        assert sorted(used) == ["commit", "rollback"]

    @pytest.mark.asyncio
    async def test_connection_has_the_attributes_that_it_reads(self, engine: AsyncEngine) -> None:
        """State that lives in SQLAlchemy's adapter is where the overrides look for it."""
        async with engine.connect() as connection:
            raw = (await connection.get_raw_connection()).dbapi_connection
            assert isinstance(raw, ours.Connection)
            assert raw._prepared_statement_cache is None
            assert (raw._transaction, raw.isolation_level, raw.readonly, raw.deferrable) == (
                None,
                None,
                False,
                False,
            )
            assert raw.driver_connection is raw._connection
            assert isinstance(raw.cursor(), ours.Cursor)
            assert isinstance(raw.cursor(server_side=True), ours.ServerSideCursor)


class TestFirstConnection:
    """What happens between connecting and the first statement of the application."""

    @pytest.mark.asyncio
    async def test_initialize_issues_no_statement(self, engine: AsyncEngine) -> None:
        """SQLAlchemy's first-connection queries are gone, its own and any that a release may add."""
        counters = Statistics()
        token = statistics.set(counters)
        async with engine.connect():
            pass
        statistics.reset(token)
        assert (counters.statements, counters.connections) == (0, 1)

    @pytest.mark.asyncio
    async def test_answers_equal_those_of_the_queries_they_replace(self, engine: AsyncEngine) -> None:
        """What is deduced without asking is what the server would have said."""
        async with engine.connect() as connection:
            asked = await connection.execute(
                text(
                    "SELECT current_setting('server_version_num')::int, current_schema(),"
                    " current_setting('default_transaction_isolation'),"
                    " current_setting('standard_conforming_strings')"
                )
            )
            version, schema, isolation, strings = asked.one()
        dialect = engine.dialect
        assert isinstance(dialect, ours.Dialect)
        assert dialect.server_version_info == (version // 10000, version % 10000)
        assert dialect.default_schema_name == schema
        assert str(dialect.default_isolation_level).lower() == isolation
        assert dialect._backslash_escapes == (strings == "off")


TYPES: list[tuple[Any, Any]] = [
    (types.Boolean(), True),
    (BigInteger(), 2**62),
    (Numeric(20, 5), Decimal("123456789.00001")),
    (types.Double(), 0.1),
    (Text(), "naïve ✓ '\\ \n"),
    (types.LargeBinary(), b"\x00\xff"),
    (types.Uuid(), UUID("0190163d-8694-739b-aea5-966c26f8ad91")),
    (types.Date(), date(2026, 2, 28)),
    (types.Time(), time(23, 59, 59, 999999)),
    (DateTime(timezone=True), datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
    (types.Interval(), timedelta(days=400, microseconds=1)),
    (types.JSON(), {"a": [1, None, "ü"]}),
    (postgresql.JSONB(), {"b": {"c": 1.5}}),
    (ARRAY(Text()), ["a", None, 'b"c']),
    (ARRAY(types.Uuid()), [UUID(int=7)]),
    (ARRAY(Integer()), []),
    (postgresql.INET(), IPv4Address("10.0.0.1")),
]


class TestTypes:
    """Values go to the server and come back as they were."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("kind", "value"), TYPES, ids=lambda value: type(value).__name__)
    async def test_value_survives_the_round_trip(self, engine: AsyncEngine, kind: Any, value: Any) -> None:
        """The codecs are set although the first-connection queries are cut."""
        statement = select(cast(literal(value, kind), kind), cast(None, kind))
        async with read(engine) as session:
            assert (value, None) == tuple((await session.execute(statement)).one())

    @pytest.mark.asyncio
    async def test_value_comes_back_without_introspection(self, engine: AsyncEngine) -> None:
        """The driver asks the catalogue about types that it does not know; these it knows."""
        counters = Statistics()
        async with read(engine) as session:
            await session.execute(select(1))
            token = statistics.set(counters)
            await session.execute(select(*[cast(literal(value, kind), kind) for kind, value in TYPES]))
            statistics.reset(token)
        assert counters.statements == 1


class TestBegin:
    """The message that opens a transaction."""

    @pytest.mark.asyncio
    async def test_refused_setting_leaves_the_connection_usable(self, engine: AsyncEngine) -> None:
        """Its BEGIN was carried out: without a ROLLBACK the next request finds an aborted transaction."""
        with pytest.raises(InvalidValueError):
            async with read(engine) as session, write(session, settings={"work_mem": "nonsense"}) as writer:
                await writer.execute(select(1))
        async with read(engine) as session:
            assert (await session.execute(select(1))).scalar_one() == 1

    @pytest.mark.asyncio
    async def test_refused_setting_is_not_committed_around(self, engine: AsyncEngine) -> None:
        """Who swallows the error cannot go on without the setting."""
        with pytest.raises(DatabaseError, match="ROLLBACK"):
            async with read(engine) as session, write(session, settings={"work_mem": "nonsense"}) as writer:
                with pytest.raises(InvalidValueError):
                    await writer.execute(select(1))


class TestStatements:
    """Kinds of execution beside the plain one."""

    @pytest.mark.asyncio
    async def test_executemany_inserts_all(self, engine: AsyncEngine, owner: psycopg.Connection) -> None:
        """Several parameter sets without RETURNING run through asyncpg's executemany."""
        owner.execute(CREATE_ITEMS)
        counters = Statistics()
        token = statistics.set(counters)
        async with engine.begin() as connection:
            statement = text("INSERT INTO item VALUES (:id, :name)").bindparams(
                bindparam("id", type_=Integer)
            )
            await connection.execute(statement, [{"id": n, "name": str(n)} for n in range(300)])
        statistics.reset(token)
        assert owner.execute("SELECT count(*), sum(id) FROM item").fetchone() == (300, 44850)
        assert counters.statements == 3  # BEGIN, all the INSERTs, COMMIT

    @pytest.mark.asyncio
    async def test_bulk_insert_returns_rows_in_order(
        self, engine: AsyncEngine, owner: psycopg.Connection
    ) -> None:
        """SQLAlchemy's "insertmanyvalues" batches work."""
        owner.execute(CREATE_ITEMS)
        rows = [{"id": n, "name": str(n)} for n in range(2500)]
        async with read(engine) as session, write(session) as writer:
            returned = await writer.scalars(
                insert(ITEMS).returning(ITEMS.c.id, sort_by_parameter_order=True), rows
            )
            assert list(range(2500)) == returned.all()

    @pytest.mark.asyncio
    async def test_rowcount_is_the_servers(self, engine: AsyncEngine, owner: psycopg.Connection) -> None:
        """UPDATE and DELETE report the rows they touched."""
        owner.execute(CREATE_ITEMS)
        owner.execute("INSERT INTO item SELECT n, n::text FROM generate_series(1, 5) n")
        async with read(engine) as session, write(session) as writer:
            result = await writer.execute(text("UPDATE item SET name = name || 'x' WHERE id > 2"))
            assert isinstance(result, CursorResult)
            assert result.rowcount == 3

    @pytest.mark.asyncio
    async def test_stream_delivers_all_in_a_transaction(self, engine: AsyncEngine) -> None:
        """Server-side cursors read in batches."""
        async with engine.begin() as connection:
            result = await connection.stream(text("SELECT generate_series(1, 180)"))
            assert list(range(1, 181)) == [row[0] async for row in result]

    @pytest.mark.asyncio
    async def test_stream_timeout_is_translated_between_batches(self, engine: AsyncEngine) -> None:
        """A failure in a later batch speaks the same language as one in the first."""
        async with read(engine) as session, write(session, timeouts=Timeouts(statement=0.2)) as writer:
            statement = text("SELECT n, CASE WHEN n > 60 THEN pg_sleep(1) END FROM generate_series(1, 100) n")
            result = await writer.stream(statement)
            with pytest.raises(StatementTimeoutError):
                await result.all()
            await writer.rollback()

    @pytest.mark.asyncio
    async def test_savepoint_undoes_its_part_only(
        self, engine: AsyncEngine, owner: psycopg.Connection
    ) -> None:
        """A violation inside `begin_nested` leaves the transaction usable."""
        owner.execute(CREATE_ITEMS)
        async with read(engine) as session, write(session) as writer:
            await writer.execute(insert(ITEMS).values(id=1, name="a"))
            with pytest.raises(UniqueViolationError):
                async with writer.begin_nested():
                    await writer.execute(insert(ITEMS).values(id=2, name="a"))
            await writer.execute(insert(ITEMS).values(id=3, name="c"))
        assert owner.execute("SELECT id FROM item ORDER BY id").fetchall() == [(1,), (3,)]
