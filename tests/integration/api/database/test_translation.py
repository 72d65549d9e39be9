"""Every failure that a real server can be made to produce becomes the application's own error."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.database import errors
from api.database.session import read, write
from api.database.timeouts import Timeouts
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.local.pooler import Pooler
    from infra.testing.databases import Database

TABLES = """
    CREATE TABLE parent (id int CONSTRAINT pk_parent PRIMARY KEY, name text CONSTRAINT uq_parent_name UNIQUE);
    CREATE TABLE child (
        id int PRIMARY KEY,
        parent_id int NOT NULL
            CONSTRAINT fk_child_parent_id REFERENCES parent ON DELETE RESTRICT DEFERRABLE,
        size int CONSTRAINT ck_child_size CHECK (size > 0),
        during int4range CONSTRAINT ex_child_during CHECK (NOT isempty(during)),
        EXCLUDE USING gist (during WITH &&)
    );
    INSERT INTO parent VALUES (1, 'secret-name'), (2, 'other');
    INSERT INTO child VALUES (1, 1, 1, '[1,2)');
"""
CONSTRAINTS = [
    ("INSERT INTO parent VALUES (3, 'secret-name')", errors.UniqueViolationError, "uq_parent_name"),
    ("INSERT INTO child VALUES (2, 77, 1, '[5,6)')", errors.ForeignKeyViolationError, "fk_child_parent_id"),
    ("DELETE FROM parent WHERE id = 1", errors.ForeignKeyViolationError, "fk_child_parent_id"),
    ("INSERT INTO child VALUES (2, 2, -5, '[5,6)')", errors.CheckViolationError, "ck_child_size"),
    ("INSERT INTO child VALUES (2, NULL, 1, '[5,6)')", errors.NotNullViolationError, None),
    ("INSERT INTO child VALUES (2, 2, 1, '[1,4)')", errors.ConstraintViolationError, "child_during_excl"),
]


async def execute(engine: AsyncEngine, *statements: str, timeouts: Timeouts | None = None) -> None:
    """Run statements in one write transaction."""
    async with read(engine) as session, write(session, timeouts=timeouts) as writer:
        for statement in statements:
            await writer.execute(text(statement))


@pytest.fixture
def _tables(owner: psycopg.Connection) -> None:
    owner.execute(TABLES.encode())


@pytest.mark.usefixtures("_tables")
class TestConstraints:
    """What the data does not allow."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("statement", "kind", "constraint"), CONSTRAINTS, ids=lambda value: str(value)[:40]
    )
    async def test_violation_names_the_constraint_and_no_value(
        self,
        engine: AsyncEngine,
        statement: str,
        kind: type[errors.ConstraintViolationError],
        constraint: str | None,
    ) -> None:
        """Services tell conflicts apart by the name; logs stay free of what was sent."""
        with pytest.raises(kind) as caught:
            await execute(engine, statement)
        assert type(caught.value) is kind
        assert caught.value.constraint == constraint
        assert "secret-name" not in str(caught.value)

    @pytest.mark.asyncio
    async def test_violation_at_commit_is_the_same_error(self, engine: AsyncEngine) -> None:
        """A deferred constraint speaks at COMMIT; nothing was committed, and that is certain."""
        with pytest.raises(errors.ForeignKeyViolationError) as caught:
            await execute(
                engine,
                "SET CONSTRAINTS fk_child_parent_id DEFERRED",
                "INSERT INTO child VALUES (2, 77, 1, '[5,6)')",
            )
        assert caught.value.constraint == "fk_child_parent_id"


@pytest.mark.usefixtures("_tables")
class TestConcurrency:
    """What another transaction does not allow."""

    @pytest.mark.asyncio
    async def test_serialization_failure(self, engine: AsyncEngine, owner: psycopg.Connection) -> None:
        """A row that changed under REPEATABLE READ cannot be written."""
        with pytest.raises(errors.SerializationError):
            async with read(engine) as session, write(session, isolation="REPEATABLE READ") as writer:
                await writer.execute(text("SELECT * FROM parent"))
                owner.execute("UPDATE parent SET name = 'changed' WHERE id = 2")
                await writer.execute(text("UPDATE parent SET name = 'mine' WHERE id = 2"))

    @pytest.mark.asyncio
    async def test_deadlock(self, engine_to: Callable[..., AsyncEngine], empty_database: Database) -> None:
        """Of two transactions that wait for each other one gets the error and one its way."""
        both_hold_one = asyncio.Barrier(2)

        async def update(first: int, second: int) -> None:
            async with read(engine_to(empty_database.pooled)) as session, write(session) as writer:
                await writer.execute(text(f"UPDATE parent SET name = name || 'x' WHERE id = {first}"))
                await both_hold_one.wait()
                await writer.execute(text(f"UPDATE parent SET name = name || 'y' WHERE id = {second}"))

        outcomes = await asyncio.gather(update(1, 2), update(2, 1), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if outcome is not None] == [errors.DeadlockError]

    @pytest.mark.asyncio
    async def test_lock_timeout(self, engine: AsyncEngine, owner: psycopg.Connection) -> None:
        """A lock that is held longer than the limit."""
        with owner.transaction(), pytest.raises(errors.LockTimeoutError):
            owner.execute("LOCK TABLE parent")
            await execute(engine, "DELETE FROM parent", timeouts=Timeouts(lock=0.1))

    @pytest.mark.asyncio
    async def test_server_that_takes_no_writes(self, engine: AsyncEngine) -> None:
        """A standby after a failover is a database that is not available, not a bug."""
        with pytest.raises(errors.DatabaseUnavailableError):
            async with read(engine) as session, write(session) as writer:
                await writer.execute(text("SET TRANSACTION READ ONLY"))
                await writer.execute(text("CREATE TABLE refused ()"))

    @pytest.mark.asyncio
    async def test_lock_not_waited_for(self, engine: AsyncEngine, owner: psycopg.Connection) -> None:
        """NOWAIT is answered by the same error."""
        with owner.transaction(), pytest.raises(errors.LockTimeoutError):
            owner.execute("SELECT * FROM parent FOR UPDATE")
            await execute(engine, "SELECT * FROM parent FOR UPDATE NOWAIT")

    @pytest.mark.asyncio
    async def test_statement_timeout(self, engine: AsyncEngine) -> None:
        """A statement that takes longer than its limit."""
        with pytest.raises(errors.StatementTimeoutError):
            await execute(engine, "SELECT pg_sleep(10)", timeouts=Timeouts(statement=0.1))


class TestConnecting:
    """No connection can be made, directly or through the pooler."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("way", ["pooled", "direct"])
    async def test_wrong_password(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database, way: str
    ) -> None:
        """The message names the user at most."""
        engine = engine_to(getattr(empty_database, way).replace(password="a-wrong-password"))
        with pytest.raises(errors.DatabaseAuthenticationError) as caught:
            await execute(engine, "SELECT 1")
        assert "a-wrong-password" not in str(caught.value)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("way", ["pooled", "direct"])
    async def test_unknown_user(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database, way: str
    ) -> None:
        """A user that does not exist is refused like a wrong password."""
        with pytest.raises(errors.DatabaseAuthenticationError):
            await execute(engine_to(getattr(empty_database, way).replace(user="nobody")), "SELECT 1")

    @pytest.mark.asyncio
    @pytest.mark.parametrize("way", ["pooled", "direct"])
    async def test_unknown_database(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database, way: str
    ) -> None:
        """The message says which."""
        engine = engine_to(getattr(empty_database, way).replace(database="nowhere"))
        with pytest.raises(errors.DatabaseUnavailableError, match="nowhere"):
            await execute(engine, "SELECT 1")

    @pytest.mark.asyncio
    async def test_refused_port(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database
    ) -> None:
        """Nobody listens."""
        engine = engine_to(empty_database.pooled.replace(port=1))
        with pytest.raises(errors.DatabaseUnavailableError):
            await execute(engine, "SELECT 1")

    @pytest.mark.asyncio
    async def test_silent_server(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database
    ) -> None:
        """It accepts and says nothing: the URL's connect timeout ends the wait."""
        with TcpProxy(empty_database.pooled.port) as proxy:
            proxy.freeze()
            pooled = empty_database.pooled.replace(port=proxy.port)
            engine = engine_to(type(pooled).parse(pooled.libpq() + "&connect_timeout=2"))
            started = time.monotonic()
            with pytest.raises(errors.DatabaseUnavailableError, match="within 2 s"):
                await execute(engine, "SELECT 1")
            assert time.monotonic() - started < 4

    @pytest.mark.asyncio
    async def test_too_many_connections(
        self,
        engine_to: Callable[..., AsyncEngine],
        empty_database: Database,
        administrator: psycopg.Connection,
    ) -> None:
        """The server's own limit, past the pooler."""
        administrator.execute(f"ALTER DATABASE {empty_database.name} CONNECTION LIMIT 0")
        with pytest.raises(errors.DatabaseUnavailableError):
            await execute(engine_to(empty_database.direct), "SELECT 1")

    @pytest.mark.asyncio
    async def test_pooler_that_is_down(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database, pooler: Pooler
    ) -> None:
        """A warm engine whose pooler went away says that the database is unavailable, then works again."""
        engine = engine_to(empty_database.pooled)
        await execute(engine, "SELECT 1")
        pooler.stop()
        try:
            with pytest.raises(errors.DatabaseUnavailableError):
                await execute(engine, "SELECT 1")
        finally:
            pooler.restart()
        await execute(engine, "SELECT 1")


class TestBugs:
    """What no user can cause stays the driver's error."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("statement", ["SELECT * FROM nothing", "SELEC 1", "CREATE TABLE mine (id int)"])
    async def test_wrong_statement_is_not_translated(self, engine: AsyncEngine, statement: str) -> None:
        """A missing table, a syntax error, a right that the role lacks: seen in the log as it is."""
        with pytest.raises(DBAPIError):
            await execute(engine, statement)
