"""Servers and data that everything is measured on: PostgreSQL 18 behind PgBouncer, 500 posts."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg

from infra.config import load_project
from infra.local.pooler import Pooler
from infra.local.postgres import PostgresCluster
from infra.migrate import runner
from infra.testing.databases import APPLICATION, Database, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.database.connection_url import DirectUrl

POSTS: Final = """
    INSERT INTO users (id, email, username, hashed_password)
        SELECT gen_random_uuid(), 'author' || n || '@example.org', 'author' || n, 'none'
        FROM generate_series(1, 5) n;
    INSERT INTO tags (id, name) SELECT gen_random_uuid(), 'tag-' || n FROM generate_series(1, 30) n;
    INSERT INTO posts (id, author_id, title, slug, body, status, published_at)
        SELECT gen_random_uuid(), (SELECT id FROM users ORDER BY username OFFSET n % 5 LIMIT 1),
            'Post number ' || n, 'post-' || n, repeat('Words and more words. ', 40), 'published',
            now() - n * interval '1 hour'
        FROM generate_series(1, 500) n;
    INSERT INTO post_tags (post_id, tag_id)
        SELECT posts.id, tags.id FROM posts, tags WHERE hashtext(posts.slug || tags.name) % 10 = 0;
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A migrated database full of posts.

    Args:
        database: Its URLs.
        application_direct: The application role's way past the pooler.
        world: Its servers.
    """

    database: Database
    application_direct: DirectUrl
    world: World


@contextmanager
def place(root: Path, folder: Path) -> Iterator[Place]:
    """Start the servers below `folder`; stop and delete them at the end."""
    password = secrets.token_urlsafe()
    cluster = PostgresCluster.start(folder / "postgres", durable=False)
    try:
        pooler = Pooler.start(folder / "pooler", postgres=cluster, users={APPLICATION: password}, pool_size=5)
        try:
            world = World(cluster, pooler, secrets.token_urlsafe(), password)
            with world.new_database() as database:
                runner.apply(load_project(root), database.direct)
                with psycopg.connect(database.direct.libpq()) as connection:
                    connection.execute(POSTS)
                    connection.commit()
                    connection.autocommit = True
                    connection.execute("VACUUM ANALYZE")
                direct = database.direct.replace(user=APPLICATION, password=password)
                yield Place(database, direct, world)
        finally:
            pooler.remove()
    finally:
        cluster.remove()
