"""Every list and search at two sizes of the tables: what a page costs must not grow with them.

To add an endpoint, add a `Case` whose `target` finds its own parameters in the database; to fill another
table, add to `fill`.
"""

from __future__ import annotations

import asyncio
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
from scripts.seeding.text import TOPICS
from tests.benchmarks.table import Goal, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from infra.testing.databases import Database, World

    Connection = psycopg.Connection[tuple[Any, ...]]

#: How much longer a request may take on the large tables.
BOUND: Final = 5.0
#: Requests to one endpoint before the next one's turn, and rounds of turns; the first is not counted.
TURN: Final = 5


@dataclass(frozen=True, slots=True)
class Case:
    """One request to measure.

    Args:
        name: For the table.
        target: Finds the path and query in a database.
    """

    name: str
    target: Callable[[Connection], str]


def run(world: World, root: Path, *, small: int, large: int, rounds: int) -> Result:
    """Fill a small and a large database and ask both for everything, in turn."""
    os.environ |= {"BOUGH_ENVIRONMENT": "test", "AUTH_SECRET": secrets.token_hex(32)}
    with world.new_database() as first, world.new_database() as second:
        for database, posts in ((first, small), (second, large)):
            runner.apply(load_project(root), database.direct)
            load_posts(database.direct, posts, "0:0", lambda _: None)
        return compare(first, second, small=small, large=large, rounds=rounds)


def compare(first: Database, second: Database, *, small: int, large: int, rounds: int) -> Result:
    """Measure every case on both databases."""
    targets = [_targets(database) for database in (first, second)]
    taken: list[list[list[float]]] = [[[] for _ in CASES] for _ in targets]
    for number in range(rounds + 1):
        for database, found, seconds in zip((first, second), targets, taken, strict=True):
            each = asyncio.run(_round(database, found))
            for kept, new in zip(seconds, each, strict=True):
                kept.extend(new if number else ())
    medians = [[statistics.median(seconds) for seconds in each] for each in taken]
    ratios = [large_ / small_ for small_, large_ in zip(*medians, strict=True)]
    return Result(
        "Lists and searches by the size of the tables",
        f"Through the app in one process, PgBouncer and PostgreSQL, median of {rounds * TURN} requests each "
        f"to a database of {small:,} posts and to one of {large:,}, in turn; pages of 20.",
        ("request", f"{small:,} posts, ms", f"{large:,} posts, ms", "ratio"),
        [
            (case.name, f"{a * 1000:.1f}", f"{b * 1000:.1f}", f"{ratio:.2f}")
            for case, a, b, ratio in zip(CASES, *medians, ratios, strict=True)
        ],
        [Goal("largest ratio", max(ratios), BOUND)],
    )


async def _round(database: Database, targets: Iterable[str]) -> list[list[float]]:
    """Return the seconds of each request of one turn per target."""
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
    return f"/posts/search?q={_rarest(connection, 1)}"


def _rare_phrase(connection: Connection) -> str:
    words = _newest_body(connection).split()
    return "/posts/search?" + urlencode({"q": f'"{words[1]} {words[2]} {words[3]}"'})


def _rarest(connection: Connection, count: int) -> str:
    from scripts.seeding.text import vocabulary

    ranks = {word: rank for rank, word in enumerate(vocabulary().words)}
    words = sorted(_newest_body(connection).lower().replace(".", "").split(), key=ranks.__getitem__)
    return " ".join(words[-count:])


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
    Case("search: phrase", _rare_phrase),
    Case("tags: first page", _path("/tags")),
    Case("tags: that begin with *ma*", _path("/tags", ("prefix", "ma"))),
)
