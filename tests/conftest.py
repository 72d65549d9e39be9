"""The world that tests run in: real PostgreSQL behind real PgBouncer, one of each for every worker."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.config import load_project
from infra.local.pooler import Pooler
from infra.local.postgres import PostgresCluster
from infra.testing.databases import APPLICATION, Database, World, quick_tablespace

if TYPE_CHECKING:
    from collections.abc import Iterator


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
def template(world: World) -> Iterator[Database]:
    """The migrated database that `database` copies; nobody may be connected to it then."""
    from infra.migrate import runner

    with world.new_database() as database:
        runner.apply(load_project(Path(__file__).parent), database.direct)
        yield database


@pytest.fixture
def database(world: World, template: Database) -> Iterator[Database]:
    """A migrated database of the test's own, dropped at the end."""
    with world.new_database(template.name) as database:
        yield database
