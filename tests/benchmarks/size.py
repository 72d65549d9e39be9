"""Every list and search at two sizes of the tables: what a page costs must not grow with them.

To add an endpoint, add a `Case`; its `target` finds parameters in the database. Where its table is not filled
yet, fill it beside `load_posts`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import httpx2
import psycopg

from api.app import create_app
from api.database.engine import dispose
from api.posts.models import Post
from api.settings import get_settings
from api.web.pagination import cut
from infra.config import load_project
from infra.migrate import runner
from scripts.seeding.load import load_posts
from scripts.seeding.posts import POPULAR_TAGS, RARE_TAGS
from scripts.seeding.text import TOPICS, vocabulary
from tests.benchmarks.table import Goal, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from infra.testing.databases import Database, World

    Connection = psycopg.Connection[tuple[Any, ...]]

#: How much longer a request may take on the large tables.
BOUND: Final = 5.0
SMALL: Final = 1000
#: Requests for one case before the next one's turn, and how often all have theirs; the first is not counted.
TURN: Final = 5
ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Case:
    """One request to measure.

    Args:
        name: For the table.
        target: Finds the path and query in a database.
    """

    name: str
    target: Callable[[Connection], str]


def run(world: World, root: Path, *, large: int) -> Result:
    """Fill a small database and a large one, and ask both for everything, in turn."""
    os.environ |= {"BOUGH_ENVIRONMENT": "test", "AUTH_SECRET": secrets.token_hex(32)}
    # One line a request, on standard output.
    logging.disable(logging.INFO)
    try:
        with world.new_database() as first, world.new_database() as second:
            for database, posts in ((first, SMALL), (second, large)):
                runner.apply(load_project(root), database.direct)
                load_posts(database.direct, posts, "0:0", lambda _: None)
            return compare(first, second, large)
    finally:
        logging.disable(logging.NOTSET)


def compare(first: Database, second: Database, large: int) -> Result:
    """Measure every case on both databases."""
    databases = {first: _targets(first), second: _targets(second)}
    taken: dict[Database, list[list[float]]] = {database: [[] for _ in CASES] for database in databases}
    for number in range(ROUNDS + 1):
        for database, targets in databases.items():
            for kept, new in zip(taken[database], asyncio.run(_turn(database, targets)), strict=True):
                kept.extend(new if number else ())
    medians = [[statistics.median(seconds) for seconds in each] for each in taken.values()]
    rows = [
        (case.name, f"{few * 1000:.1f}", f"{many * 1000:.1f}", f"{many / few:.2f}")
        for case, few, many in zip(CASES, *medians, strict=True)
    ]
    return Result(
        "Lists and searches by the size of the tables",
        f"Through the app in this process, PgBouncer and PostgreSQL; pages of 20; median of {ROUNDS * TURN} "
        f"requests to a database of {SMALL:,} posts and of as many to one of {large:,}, in turns of {TURN}.",
        ("request", f"{SMALL:,} posts, ms", f"{large:,} posts, ms", "ratio"),
        rows,
        [Goal("the largest ratio", max(many / few for few, many in zip(*medians, strict=True)), BOUND)],
    )


async def _turn(database: Database, targets: Iterable[str]) -> list[list[float]]:
    """Ask for each target some times; return the seconds of each request."""
    os.environ["DATABASE_URL"] = database.pooled.libpq()
    get_settings.cache_clear()
    transport = httpx2.ASGITransport(create_app())
    taken = []
    async with httpx2.AsyncClient(transport=transport, base_url="http://bench") as client:
        for target in targets:
            seconds = []
            for _ in range(TURN):
                started = time.perf_counter()
                response = await client.get(target)
                seconds.append(time.perf_counter() - started)
                assert response.status_code == 200, (target, response.text)
                body = response.json()
                assert body["items"] if isinstance(body, dict) else body, (target, "nothing found")
            taken.append(seconds)
    await dispose()
    return taken


def _targets(database: Database) -> list[str]:
    with psycopg.connect(database.direct.libpq(), autocommit=True) as connection:
        return [case.target(connection) for case in CASES]


def _path(path: str, *parameters: tuple[str, str]) -> Callable[[Connection], str]:
    """Return a target that is the same in every database."""
    return lambda _: f"{path}?{urlencode(parameters)}"


def _middle(connection: Connection) -> str:
    """Return the page in the middle of the list."""
    statement = (
        "SELECT published_at, id FROM posts WHERE published_at IS NOT NULL ORDER BY 1 DESC, 2 DESC "
        "OFFSET (SELECT count(published_at) / 2 FROM posts) LIMIT 1"
    )
    return f"/posts?{urlencode({'cursor': _cursor(connection, statement)})}"


def _cursor(connection: Connection, statement: str) -> str:
    row = connection.execute(statement).fetchone()
    assert row is not None
    post = Post(published_at=row[0], id=row[1])
    _, cursor = cut([post, post], (Post.published_at, Post.id), 1)
    assert cursor is not None
    return cursor


def _author(connection: Connection) -> str:
    """Return the list of whoever wrote most."""
    return (
        f"/posts?author={_value(connection, 'SELECT author_id FROM posts GROUP BY 1 ORDER BY count(*) DESC')}"
    )


def _rare_word(connection: Connection) -> str:
    """Return the search of the rarest word of the newest post."""
    ranks = {word: rank for rank, word in enumerate(vocabulary().words)}
    words = _newest_body(connection).lower().replace(".", "").split()
    return f"/posts/search?q={max(words, key=ranks.__getitem__)}"


def _phrase(connection: Connection) -> str:
    """Return the search of three words of the newest post."""
    return "/posts/search?" + urlencode({"q": '"{} {} {}"'.format(*_newest_body(connection).split()[1:4])})


def _newest_body(connection: Connection) -> str:
    return str(
        _value(connection, "SELECT body FROM posts WHERE published_at IS NOT NULL ORDER BY published_at DESC")
    )


def _value(connection: Connection, statement: str) -> object:
    row = connection.execute(f"{statement} LIMIT 1").fetchone()
    assert row is not None
    return row[0]


_RANGE: Final = (("published_after", "2023-03-01T00:00:00Z"), ("published_before", "2023-06-01T00:00:00Z"))
_COMMON, _SECOND, _MIDDLING, _RARE = POPULAR_TAGS[0], POPULAR_TAGS[1], POPULAR_TAGS[40], RARE_TAGS[0]

CASES: Final = (
    Case("posts: first page", _path("/posts")),
    Case("posts: page in the middle", _middle),
    Case("posts: of the busiest author", _author),
    Case("posts: of three months", _path("/posts", *_RANGE)),
    Case("posts: tag on a fifth", _path("/posts", ("tag", _COMMON))),
    Case("posts: tag on one in a hundred", _path("/posts", ("tag", _MIDDLING))),
    Case("posts: tag on ten posts", _path("/posts", ("tag", _RARE))),
    Case("posts: two common tags", _path("/posts", ("tag", _COMMON), ("tag", _SECOND))),
    Case("posts: tag of three months", _path("/posts", ("tag", _COMMON), *_RANGE)),
    Case("posts: titles that begin with *the*", _path("/posts/suggest", ("q", "the "))),
    Case("posts: titles that begin with *fire*", _path("/posts/suggest", ("q", "fire "))),
    Case("search: word in a sixth of the posts", _path("/posts/search", ("q", TOPICS[0]))),
    Case("search: two common words", _path("/posts/search", ("q", f"{TOPICS[0]} {TOPICS[1]}"))),
    Case("search: rare word", _rare_word),
    Case("search: phrase", _phrase),
    Case("tags: first page", _path("/tags")),
    Case("tags: that begin with *ma*", _path("/tags", ("prefix", "ma"))),
)
