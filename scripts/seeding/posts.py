"""Posts by the hundred thousand: authors, tags of very different popularity, rows for COPY.

Every chunk of posts has a random generator of its own, seeded by the run's seed and the chunk's number:
the rows are the same whoever makes a chunk, and in whatever order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from random import Random
from typing import TYPE_CHECKING, Final

from api.database.base import uuid7_of
from api.posts.models import Status
from api.posts.slugs import distinguished, slug_of
from scripts.seeding import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

CHUNK: Final = 2000

#: The columns of the rows, by table.
COLUMNS: Final = {
    "posts": "id, author_id, title, slug, body, status, published_at, created_at, updated_at",
    "post_tags": "post_id, tag_id, published_at",
}

_FIRST_NAMES: Final = (
    "ada alan anna barbara dennis donald edsger emmy frances grace hedy john karen katherine linus margaret "
    "mary radia sophie tim"
).split()
_LAST_NAMES: Final = (
    "archer baker brook carter dyer field fisher fletcher hill lake mason miller north potter reed shepherd "
    "smith turner weaver wood"
).split()
USERNAMES: Final = [f"{first}-{last}" for first in _FIRST_NAMES for last in _LAST_NAMES]

#: Tags on a share of all posts, by Zipf's law: the first on about 20 %, the last on one of some thousands.
POPULAR_TAGS: Final = [
    *text.TOPICS,
    *(f"{first}-{second}" for first, second in pairwise(text.TOPICS)),
]
#: Tags on ten posts each, however many there are.
RARE_TAGS: Final = [f"rare-{number}" for number in range(20)]
_POSTS_OF_A_RARE_TAG: Final = 10
_MOST_TAGS: Final = 5

_AUTHORS_SKEW: Final = 0.7
_TAGS_OFFSET: Final = 2.5

#: The years over which the posts are spread. Fixed, so that the same seed makes the same rows.
_BEGINNING: Final = datetime(2021, 1, 1, tzinfo=UTC)
_SPAN: Final = timedelta(days=5 * 365)
_LONGEST_DRAFT: Final = timedelta(days=20)
_PUBLISHED: Final = 0.9


@dataclass(frozen=True, slots=True)
class Rows:
    """Lines for COPY in its text format, and how many they are."""

    posts: str
    post_tags: str
    count: int
    links: int


@dataclass(frozen=True)
class Posts:
    """A number of posts, made chunk by chunk.

    Args:
        count: How many posts.
        seed: Makes them these and no others.
        authors: Keys of users, the most productive first.
        popular: Keys of `POPULAR_TAGS`, in their order.
        rare: Keys of `RARE_TAGS`.
    """

    count: int
    seed: str
    authors: Sequence[UUID]
    popular: Sequence[UUID]
    rare: Sequence[UUID]

    def chunks(self) -> range:
        """Return the numbers of the chunks' first posts."""
        return range(0, self.count, CHUNK)

    def rows(self, first: int) -> Rows:
        """Return the rows of a chunk."""
        random = Random(f"{self.seed}:{first}")
        numbers = range(first, min(first + CHUNK, self.count))
        posts, links = [], []
        authors = random.choices(
            self.authors, cum_weights=_zipf(len(self.authors), 1, _AUTHORS_SKEW), k=len(numbers)
        )
        tag_weights = _zipf(len(self.popular), _TAGS_OFFSET, 1)
        for number, author in zip(numbers, authors, strict=True):
            created = _BEGINNING + _SPAN * ((number + random.random()) / self.count)
            key = _key_at(created, random)
            published = created + _LONGEST_DRAFT * random.random() if random.random() < _PUBLISHED else None
            posts.append(_line(*_post(key, author, created, published, random)))
            chosen = {*random.choices(self.popular, cum_weights=tag_weights, k=random.randint(0, _MOST_TAGS))}
            chosen |= self._rare_tag(number)
            links += [_line(key, tag, published) for tag in sorted(chosen)]
        return Rows("".join(posts), "".join(links), len(numbers), len(links))

    def _rare_tag(self, number: int) -> set[UUID]:
        rank = number % max(1, self.count // _POSTS_OF_A_RARE_TAG)
        return {self.rare[rank]} if rank < len(self.rare) else set()


def _post(
    key: UUID, author: UUID, created: datetime, published: datetime | None, random: Random
) -> tuple[object, ...]:
    title = text.title(random)
    slug = distinguished(slug_of(title), key)
    status = Status.PUBLISHED if published else Status.DRAFT
    body = text.body(random).replace("\n", "\\n")
    return key, author, title, slug, body, status, published, created, published or created


def _line(*values: object) -> str:
    return "\t".join("\\N" if value is None else str(value) for value in values) + "\n"


def _key_at(moment: datetime, random: Random) -> UUID:
    """Return a key as if the row had been made at that moment."""
    return uuid7_of(int(moment.timestamp() * 1000), random.getrandbits(80))


def _zipf(count: int, offset: float, exponent: float) -> list[float]:
    return list(accumulate((rank + offset) ** -exponent for rank in range(count)))
