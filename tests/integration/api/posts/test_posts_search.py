"""What a search shows of a post, and titles that are completed while somebody types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.journeys import problem, write_post

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

#: Bodies, and what their headlines hold.
HEADLINES: Final = [
    ("a <script>alert(1)</script> engine", "<mark>engine</mark>"),
    ("an engine & <b>looms</b>", "<mark>engine</mark> &amp;"),
    ("an engine, 1 < 2 > looms", "<mark>engine</mark>, 1 &lt; 2 &gt; looms"),
    ("&lt;script&gt; engine", "script&amp;gt; <mark>engine</mark>"),
    ("<mark>loom</mark> engine", "<mark>engine</mark>"),
    ("\x02loom\x03 engine", "loom <mark>engine</mark>"),
    ("<mark engine", "<mark>engine</mark>"),
]


async def headline(client: httpx2.AsyncClient, words: str) -> str:
    [found] = (await client.get("/posts/search", params={"q": words})).json()["items"]
    text: str = found["headline"]
    return text


class TestHeadline:
    """`headline` of GET /posts/search."""

    async def test_marks_every_form_of_a_word_with_what_surrounds_it(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Of a long body only the places that match."""
        filler = "Nothing of the kind was ever heard. " * 40
        body = f"{filler} Two engines turned. {filler} The engine stopped. {filler}"
        await write_post(client, people.add(), publish=True, title="Looms", body=body)
        statement_counts.clear()
        text = await headline(client, "engine")
        assert statement_counts == [1]
        assert "<mark>engines</mark>" in text
        assert "<mark>engine</mark>" in text
        assert " … " in text
        assert len(text) < 400

    async def test_is_the_bodys_beginning_when_only_the_title_matches(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Without a mark."""
        await write_post(client, people.add(), publish=True, title="Engines", body="They weave.")
        assert await headline(client, "engine") == "They weave."

    async def test_nothing_of_the_body_is_markup(self, client: httpx2.AsyncClient, people: People) -> None:
        """Neither tags nor entities nor our own marks: only what matches is between `<mark>`s."""
        ada = people.add()
        for body, expected in HEADLINES:
            people.query("DELETE FROM posts")
            await write_post(client, ada, publish=True, title="T", body=body)
            text = await headline(client, "engine")
            assert expected in text
            assert not {"<", ">"} & set(text.replace("<mark>engine</mark>", "")), text


class TestSuggestPosts:
    """GET /posts/suggest."""

    async def titles(self, client: httpx2.AsyncClient, beginning: str, **parameters: Any) -> list[str]:
        response = await client.get("/posts/suggest", params={"q": beginning, **parameters})
        return [post["title"] for post in response.json()]

    async def test_finds_published_titles_in_any_case_by_title(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Their beginnings only; drafts are not told."""
        ada = people.add()
        for title in ("On looms", "on Engines", "Élan", "Looms on engines"):
            await write_post(client, ada, publish=True, title=title)
        await write_post(client, ada, title="On secrets")
        statement_counts.clear()
        assert await self.titles(client, "ON ") == ["on Engines", "On looms"]
        assert await self.titles(client, "on ", limit=1) == ["on Engines"]
        assert await self.titles(client, "éL") == ["Élan"]
        assert await self.titles(client, "zz") == []
        assert statement_counts == [1, 1, 1, 1]

    async def test_wildcards_are_ordinary_characters(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Of any kind."""
        ada = people.add()
        beginnings = ("%", "_", "\\", "100%", "a_b", "c\\d", "'", "%%")
        titles = [*(f"{beginning}x" for beginning in beginnings), "other", "1000", "axb", "cd"]
        for title in titles:
            await write_post(client, ada, publish=True, title=title)
        for beginning in beginnings:
            expected = sorted(title for title in titles if title.startswith(beginning))
            assert await self.titles(client, beginning) == expected

    @pytest.mark.parametrize(
        "parameters", [{}, {"q": ""}, {"q": "x" * 201}, {"q": "a\0"}, {"q": "a", "limit": 0}]
    )
    async def test_unusable_parameter_is_refused(
        self, client: httpx2.AsyncClient, parameters: dict[str, Any]
    ) -> None:
        """Not ignored."""
        assert problem(await client.get("/posts/suggest", params=parameters)) == (422, "VALIDATION_FAILED")
