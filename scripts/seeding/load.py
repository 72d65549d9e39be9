"""Load posts with COPY, over several connections, all of it or nothing.

A connection is one transaction, and they commit one right after the other when all rows are there: whoever
interrupts leaves no post behind. Authors and tags are committed before, because the connections must see
them; a second run finds and uses them. Indexes and triggers stay as they are: the table may be in use.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Final

import psycopg

from api.database.base import uuid7
from scripts.seeding.connection import connect
from scripts.seeding.errors import SeedRunningError
from scripts.seeding.posts import COLUMNS, POPULAR_TAGS, RARE_TAGS, USERNAMES, Posts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from scripts.seeding.connection import Connection

#: More gain nothing on 2 cores: making the rows takes one of them.
_CONNECTIONS: Final = 3

#: Key of the session advisory lock, which one run holds until its end. Two runs that write the same keys
#: could each wait for a connection of the other, whose thread waits for nothing that PostgreSQL knows of.
_LOCK_KEY: Final = int.from_bytes(b"bough/se", "big")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was written, and the seconds it took, `VACUUM ANALYZE` included.

    Args:
        posts: Rows.
        post_tags: Rows.
        bytes: What went over the connections.
        table_bytes: What the two tables take on the disk now, indexes included.
        seconds: From the first connection to the end.
    """

    posts: int
    post_tags: int
    bytes: int
    table_bytes: int
    seconds: float


def load_posts(
    url: DirectUrl,
    count: int,
    seed: str,
    progress: Callable[[int], None],
    expected: BranchIdentity | None = None,
) -> Loaded:
    """Write `count` posts with authors and tags.

    Args:
        url: Where to.
        count: How many.
        seed: The same seed writes the same posts.
        progress: Called, by several threads, with the number of posts just written.
        expected: The branch that it must be; without one it must be some branch.

    Raises:
        TargetError: It is another branch, or does not say which.
        SeedRunningError: Another run has not ended.
        SeedError: Nothing was written but authors and tags.
    """
    started = time.monotonic()
    with connect(url, expected) as connection:
        connection.autocommit = True
        _lock(connection, url)
        posts = Posts(count, seed, *_prepare(connection))
        links, size = _copy(url, expected, posts, progress)
        # Besides statistics it merges what the GIN index keeps waiting, and marks pages that index-only scans
        # need not look up.
        connection.execute("VACUUM (ANALYZE) users, tags, posts, post_tags")
        row = connection.execute(
            "SELECT pg_total_relation_size('posts') + pg_total_relation_size('post_tags')"
        ).fetchone()
    return Loaded(count, links, size, int(row[0]) if row else 0, time.monotonic() - started)


def _lock(connection: Connection, url: DirectUrl) -> None:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK_KEY,)).fetchone()
    if not (row and row[0]):
        raise SeedRunningError(f"{url} is being filled by another run", hint="wait for its end")


def _prepare(connection: Connection) -> tuple[list[UUID], list[UUID], list[UUID]]:
    """Add the authors and tags that are missing; return all of their keys."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            # Without passwords: they write, and nobody logs in as them.
            "INSERT INTO users (id, email, username) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [(uuid7(), f"{name}@example.com", name) for name in USERNAMES],
        )
        cursor.executemany(
            "INSERT INTO tags (id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [(uuid7(), name) for name in (*POPULAR_TAGS, *RARE_TAGS)],
        )
    authors = "SELECT lower(username), id FROM users WHERE lower(username) = ANY(%s) AND deleted_at IS NULL"
    return (
        _keys(connection, authors, USERNAMES),
        _keys(connection, "SELECT name, id FROM tags WHERE name = ANY(%s)", POPULAR_TAGS),
        _keys(connection, "SELECT name, id FROM tags WHERE name = ANY(%s)", RARE_TAGS),
    )


def _keys(connection: Connection, statement: str, names: Sequence[str]) -> list[UUID]:
    found: dict[str, UUID] = dict(connection.execute(statement, (list(names),)).fetchall())
    return [found[name] for name in names if name in found]


def _copy(
    url: DirectUrl, expected: BranchIdentity | None, posts: Posts, progress: Callable[[int], None]
) -> tuple[int, int]:
    """Copy all chunks and commit; return the number of links and of bytes."""
    waiting: SimpleQueue[int] = SimpleQueue()
    for first in posts.chunks():
        waiting.put(first)
    stop = Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(url, expected)) for _ in range(_CONNECTIONS)]
        pool = stack.enter_context(ThreadPoolExecutor(len(connections)))
        work = [pool.submit(_copy_chunks, each, posts, waiting, stop, progress) for each in connections]
        try:
            totals = [each.result() for each in as_completed(work)]
        except BaseException:
            # Also on Ctrl-C, which reaches this thread alone; the others may be waiting for a lock.
            stop.set()
            for each in connections:
                with suppress(psycopg.Error):
                    each.cancel_safe()
            raise
        for each in connections:
            each.commit()
    return sum(links for links, _ in totals), sum(size for _, size in totals)


def _copy_chunks(
    connection: Connection,
    posts: Posts,
    waiting: SimpleQueue[int],
    stop: Event,
    progress: Callable[[int], None],
) -> tuple[int, int]:
    links = size = 0
    while not stop.is_set():
        try:
            rows = posts.rows(waiting.get_nowait())
        except Empty:
            break
        for table, lines in (("posts", rows.posts), ("post_tags", rows.post_tags)):
            with connection.cursor().copy(f"COPY {table} ({COLUMNS[table]}) FROM STDIN") as copy:
                copy.write(lines)
            size += len(lines)
        links += rows.links
        progress(rows.count)
    return links, size
