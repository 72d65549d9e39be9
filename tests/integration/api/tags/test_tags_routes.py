"""Listing tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.tags import repository
from tests.support.journeys import problem, write_post
from tests.support.plans import plan

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


async def names(client: httpx2.AsyncClient, **parameters: Any) -> list[str]:
    items: list[str] = (await client.get("/tags", params=parameters)).json()["items"]
    return items


class TestListTags:
    """GET /tags."""

    async def test_pages_hold_every_tag_once_by_name(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """One statement a page."""
        await write_post(client, people.add(), tags=["looms", "c++", "éclair", "engines", "1843"])
        statement_counts.clear()
        page = (await client.get("/tags", params={"limit": 3})).json()
        rest = (await client.get("/tags", params={"limit": 3, "cursor": page["next_cursor"]})).json()
        assert page["items"] + rest["items"] == ["1843", "c++", "engines", "looms", "éclair"]
        assert rest["next_cursor"] is None
        assert statement_counts == [1, 1]

    async def test_prefix_is_taken_literally_in_any_spelling(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """A tag's own: lower case, words joined by hyphens."""
        await write_post(
            client, people.add(), tags=["open-source", "open-data", "openness", "c++", "a_b", "axb"]
        )
        assert await names(client, prefix="OPEN S") == ["open-source"]
        assert await names(client, prefix="open") == ["open-data", "open-source", "openness"]
        assert await names(client, prefix="c+") == ["c++"]
        assert await names(client, prefix="a_") == ["a_b"]
        assert await names(client, prefix="%") == []

    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ({"prefix": "x" * 51}, (422, "VALIDATION_FAILED")),
            ({"prefix": "a\0"}, (422, "VALIDATION_FAILED")),
            ({"limit": 0}, (422, "VALIDATION_FAILED")),
            ({"cursor": "x"}, (400, "INVALID_CURSOR")),
        ],
    )
    async def test_unusable_parameter_is_refused(
        self, client: httpx2.AsyncClient, parameters: dict[str, Any], expected: tuple[int, str]
    ) -> None:
        """Not ignored."""
        assert problem(await client.get("/tags", params=parameters)) == expected

    async def test_prefix_is_found_in_the_unique_index(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Among ten thousand tags, without a sort."""
        people.query("INSERT INTO tags SELECT gen_random_uuid(), 'tag' || n FROM generate_series(1, 10000) n")
        people.query("ANALYZE tags")
        found = await plan(lambda session: repository.list_tags(session, "tag77", None, 20))
        assert "uq_tags_name" in found
        assert "name >= 'tag77'::text" in found
        assert "Seq Scan" not in found
