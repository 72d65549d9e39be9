"""Titles as they stand in addresses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.database.base import uuid7
from api.posts.slugs import distinguished, slug_of


class TestSlugOf:
    """From a title to a slug."""

    @pytest.mark.parametrize(
        ("title", "slug"),
        [
            ("On Analytical Engines!", "on-analytical-engines"),
            ("  Crème brûlée -- a history ", "creme-brulee-a-history"),
            ("C++ & C#", "c-c"),
            ("日本語", "post"),
            ("---", "post"),
            ("a" * 79 + " bc", "a" * 79),
        ],
    )
    def test_keeps_ascii_letters_and_digits(self, title: str, slug: str) -> None:
        """The rest becomes one hyphen between words."""
        assert slug_of(title) == slug

    @given(st.text(max_size=200))
    def test_any_title_gives_a_usable_slug(self, title: str) -> None:
        """Never empty, never long, never with a hyphen at an end."""
        slug = slug_of(title)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
        assert len(slug) <= 80


class TestDistinguished:
    """A second post of the same title."""

    def test_suffix_comes_from_the_random_end_of_the_key(self) -> None:
        """The front of a UUIDv7 is a clock, the same for posts of one moment."""
        assert len({distinguished("title", uuid7()) for _ in range(100)}) == 100
        assert re.fullmatch(r"title-[0-9a-f]{8}", distinguished("title", uuid7()))
