"""What the statements about posts do with slugs and tags, and what the tables refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from api.database.session import read, write
from api.posts.models import post_tags
from api.posts.repository import posts
from api.tags.repository import set_tags

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


async def add(author: UUID) -> UUID:
    async with read() as session, write(session) as writer:
        return await posts.insert(writer, author=author, title="T", slug="t", body="b")


class TestAdd:
    """A new draft."""

    async def test_taken_slug_gets_the_end_of_the_key(self, people: People) -> None:
        """And the first keeps its own."""
        ada = people.add()
        first, second = await add(ada.id), await add(ada.id)
        slugs: dict[UUID, str] = dict(people.query("SELECT id, slug FROM posts"))
        assert slugs == {first: "t", second: f"t-{second.hex[-8:]}"}


class TestSetTags:
    """The tags of a post."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [([], ["b", "a"]), (["a"], ["a"]), (["a", "b"], ["b", "c"]), (["a"], []), ([], ["a", "a"])],
    )
    async def test_are_these_and_no_others(self, people: People, before: list[str], after: list[str]) -> None:
        """Whatever they were; other posts keep theirs."""
        ada = people.add()
        post, other = await add(ada.id), await add(ada.id)
        async with read() as session:
            async with write(session) as writer:
                await set_tags(writer, post_tags, other, ["a", "b"])
                await set_tags(writer, post_tags, post, before)
                await set_tags(writer, post_tags, post, after)
            found, untouched = [await posts.find(session, key=key) for key in (post, other)]
        assert found is not None
        assert untouched is not None
        assert [tag.name for tag in found.tags] == sorted(set(after))
        assert [tag.name for tag in untouched.tags] == ["a", "b"]


class TestTables:
    """What no code can get past."""

    @pytest.mark.parametrize(
        ("statement", "constraint"),
        [
            ("UPDATE posts SET status = 'hidden'", "ck_posts_status"),
            ("UPDATE posts SET status = 'published'", "ck_posts_published_at"),
            ("UPDATE posts SET published_at = now()", "ck_posts_published_at"),
            ("DELETE FROM users", "fk_posts_author_id_users"),
            ("UPDATE posts SET author_id = gen_random_uuid()", "fk_posts_author_id_users"),
        ],
    )
    async def test_impossible_states_are_refused(
        self, people: People, statement: str, constraint: str
    ) -> None:
        """By constraints with names."""
        await add(people.add().id)
        with pytest.raises(psycopg.IntegrityError) as caught:
            people.query(statement)
        assert caught.value.diag.constraint_name == constraint
