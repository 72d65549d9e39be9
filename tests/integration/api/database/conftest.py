"""Engines and outside observers for tests of `api.database` on real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from api.database.engine import make_engine
from tests.support.items import count
from tests.support.notes import OwnBase, create_tables
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from api.database.connection_url import ConnectionUrl
    from infra.testing.databases import Database, World


@pytest_asyncio.fixture
async def engine_to() -> AsyncIterator[Callable[..., AsyncEngine]]:
    """Make engines as the application does; all are disposed of at the end."""
    engines: list[AsyncEngine] = []

    def make(url: ConnectionUrl, **options: Any) -> AsyncEngine:
        engines.append(make_engine(url, **options))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.dispose()


@pytest.fixture
def engine(engine_to: Callable[..., AsyncEngine], empty_database: Database) -> AsyncEngine:
    """The application's engine through the pooler."""
    return engine_to(empty_database.pooled)


@pytest_asyncio.fixture
async def notes_engine(engine_to: Callable[..., AsyncEngine], empty_database: Database) -> AsyncEngine:
    """The application's engine over the tables of `tests.support.notes`, impatient for the pool."""
    await create_tables(empty_database)
    return engine_to(empty_database.pooled, pool_timeout=0.2)


@pytest.fixture
def owner(empty_database: Database) -> Iterator[psycopg.Connection]:
    """The owner's connection past the pooler, in autocommit."""
    with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def administrator(empty_database: Database) -> Iterator[psycopg.Connection]:
    """The superuser's connection past the pooler, in autocommit: sees and ends what others run."""
    with psycopg.connect(empty_database.superuser.libpq(), autocommit=True) as connection:
        yield connection


class Clock:
    """Wall-clock time that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The engine's clock."""
    return Clock()


@pytest.fixture
def proxy(empty_database: Database) -> Iterator[TcpProxy]:
    """A proxy in front of the pooler."""
    with TcpProxy(empty_database.pooled.port) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def warm(
    engine_to: Callable[..., AsyncEngine],
    empty_database: Database,
    proxy: TcpProxy,
    owner: psycopg.Connection,
    clock: Clock,
) -> AsyncIterator[AsyncEngine]:
    """An engine with one pooled connection, by way of the proxy, and an empty table `item`."""
    owner.execute("CREATE TABLE item (id int PRIMARY KEY)")
    engine = engine_to(empty_database.pooled.replace(port=proxy.port), clock=clock)
    await count(engine)
    proxy.reset()
    yield engine
    proxy.thaw()


@pytest.fixture(scope="module")
def shared_notes(world: World) -> Iterator[Database]:
    """A database with the tables of `tests.support.notes`, made once: there are many small tests."""
    with world.new_database() as database:
        engine = create_engine(database.direct.psycopg(), poolclass=NullPool)
        OwnBase.metadata.create_all(engine)
        yield database


@pytest.fixture
def notes_database(shared_notes: Database) -> Iterator[Database]:
    """The same database, emptied afterwards."""
    yield shared_notes
    with psycopg.connect(shared_notes.direct.libpq()) as owner:
        owner.execute("TRUNCATE test_note, test_parent")


@pytest.fixture(params=["direct", "pooled"])
def notes_url(notes_database: Database, request: pytest.FixtureRequest) -> ConnectionUrl:
    """The database's URL: past the pooler as the owner, through it as the application role."""
    return getattr(notes_database, request.param)
