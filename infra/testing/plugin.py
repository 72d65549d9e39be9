"""Fixtures for the tests of a project: real PostgreSQL behind real PgBouncer, one of each for every worker.

A project's top conftest.py says `pytest_plugins = ["infra.testing.plugin"]`. What the fixtures know
of the project is what `[tool.bough]` says in the pyproject.toml of pytest's root folder.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from api.database.engine import dispose, make_engine
from api.database.session import ReadSession, WriteSession, read
from infra.config import Project, load_project
from infra.local.names import APPLICATION
from infra.local.pooler import Pooler
from infra.local.postgres import PostgresCluster
from infra.testing.application import forget_settings, load_application, make_client
from infra.testing.databases import Database, World, quick_tablespace
from infra.testing.sessions import rolled_back

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx2


@pytest.fixture(scope="session")
def bough_project(pytestconfig: pytest.Config) -> Project:
    """The project under test."""
    return load_project(pytestconfig.rootpath)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """One PostgreSQL server, without fsync."""
    server = PostgresCluster.start(tmp_path_factory.mktemp("postgres"), durable=False)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def application_password() -> str:
    """The application role's password on the worker's cluster."""
    return secrets.token_urlsafe()


@pytest.fixture(scope="session")
def pooler(
    cluster: PostgresCluster, application_password: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pooler]:
    """One PgBouncer in front of it, with five server connections for each database."""
    server = Pooler.start(
        tmp_path_factory.mktemp("pooler"),
        postgres=cluster,
        users={APPLICATION: application_password},
        pool_size=5,
    )
    yield server
    server.remove()


@pytest.fixture(scope="session")
def world(cluster: PostgresCluster, pooler: Pooler, application_password: str) -> Iterator[World]:
    """How to reach and make databases."""
    with quick_tablespace(cluster) as tablespace:
        yield World(cluster, pooler, secrets.token_urlsafe(), application_password, tablespace)


@pytest.fixture
def empty_database(world: World) -> Iterator[Database]:
    """A database with roles and rights and nothing else, dropped at the end."""
    with world.new_database() as database:
        yield database


@pytest.fixture(scope="session")
def template(world: World, bough_project: Project) -> Iterator[Database]:
    """The migrated database that others are copied from; nobody may be connected to it then."""
    from infra.migrate import runner  # noqa: PLC0415  Alembic, for tests that need a database only

    with world.new_database() as database:
        runner.apply(bough_project, database.direct)
        yield database


@pytest.fixture
def database(world: World, template: Database) -> Iterator[Database]:
    """A migrated database of the test's own, dropped at the end."""
    with world.new_database(template.name) as database:
        yield database


@pytest.fixture(scope="session")
def shared_database(world: World, template: Database) -> Iterator[Database]:
    """A migrated database for all tests of the worker, none of which may change it."""
    with world.new_database(template.name) as database:
        yield database


@pytest_asyncio.fixture
async def session(request: pytest.FixtureRequest, shared_database: Database) -> AsyncIterator[WriteSession]:
    """A transaction that is rolled back at the end: the quickest way to a database.

    It has flushes, savepoints and constraints, but what is checked at a commit is not checked.
    """
    if "client" in request.fixturenames:
        message = "`session` is never committed, so `client` cannot see it; use write(read_session) instead"
        raise pytest.UsageError(message)
    async with rolled_back(shared_database.pooled) as session:
        yield session


@pytest_asyncio.fixture
async def read_session(database: Database) -> AsyncIterator[ReadSession]:
    """A session on the test's own database: what `write(read_session)` commits, `client` sees."""
    engine = make_engine(database.pooled)
    try:
        async with read(engine) as session:
            yield session
    finally:
        await engine.dispose()


@pytest_asyncio.fixture
async def app(
    bough_project: Project, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """The project's application on the test's own database, set up by environment variables.

    A project whose application needs more than these overrides this fixture.
    """
    monkeypatch.setenv("DATABASE_URL", database.pooled.libpq())
    monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
    # More than in a Lambda: here several requests may run at once in one process.
    monkeypatch.setenv("BOUGH_POOL_SIZE", "4")
    forget_settings()
    yield load_application(bough_project)
    await dispose()
    forget_settings()


@pytest_asyncio.fixture
async def client(app: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application, which raises on an answer of 500 and on a hidden lazy load."""
    async with make_client(app) as client:
        yield client
