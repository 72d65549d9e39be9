"""Factories: rows that the database takes, with as little said as possible."""

from __future__ import annotations

import pytest
from polyfactory.exceptions import MissingBuildKwargException
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from infra.testing.factories import Factory
from infra.testing.statements import count_statements
from tests.factories.posts import PostFactory, TagFactory
from tests.factories.users import UserFactory
from tests.support.library import Author, Book
from tests.support.shelves import Box, Shelf


class AuthorFactory(Factory[Author]):
    """Authors."""


class BookFactory(Factory[Book]):
    """Books."""


class BoxFactory(Factory[Box]):
    """Boxes, which SQLModel declares."""


class TestBuild:
    def test_only_what_is_required_is_filled(self):
        """Defaults, nullable, generated and automatic columns, and relationships, are left alone."""
        assert AuthorFactory.process_kwargs().keys() == {"name"}
        assert BookFactory.process_kwargs(author_id=None).keys() == {"author_id", "title"}
        assert PostFactory.process_kwargs(author_id=None).keys() == {"author_id", "title", "slug", "body"}

    def test_values_that_must_be_unique_are(self):
        """Also where the index is on an expression."""
        users = UserFactory.batch(100)
        assert len({user.username for user in users} | {user.email for user in users}) == 200
        assert len({tag.name for tag in TagFactory.batch(100)}) == 100

    def test_unique_text_is_as_short_as_its_column(self):
        """Its end, where the number is, stays."""

        class Base(DeclarativeBase):
            pass

        class Currency(Base):
            __tablename__ = "currencies"

            id: Mapped[int] = mapped_column(primary_key=True)
            code: Mapped[str] = mapped_column(String(3), unique=True)

        codes = [row.code for row in Factory.create_factory(Currency).batch(50)]
        assert len(set(codes)) == 50
        assert {len(code) for code in codes} == {3}

    def test_foreign_key_has_to_be_given(self):
        """The error names the column; a made-up key would only be refused later."""
        with pytest.raises(MissingBuildKwargException, match=r"Book\.author_id .* pass author_id="):
            BookFactory.build()

    def test_model_of_sqlmodel_works(self):
        """Both libraries map to the same tables."""
        box = BoxFactory.build(shelf_id=1)
        assert (box.id, box.shelf_id, type(box.label)) == (None, 1, str)
        assert isinstance(Factory.create_factory(Shelf).build().place, str)


@pytest.mark.asyncio
class TestAdd:
    async def test_row_comes_back_as_the_server_has_it(self, session):
        """Defaults of the server's are there without a statement of their own."""
        user = await UserFactory.add(session, username="ada")
        with count_statements() as statements:
            assert (user.email, user.role, user.is_active) == ("ada@example.com", "user", True)
        assert user.created_at.tzinfo
        assert statements == []

    async def test_batch_is_one_statement(self, session):
        """However many rows; each is its own."""
        author = await UserFactory.add(session)
        with count_statements() as statements:
            posts = await PostFactory.add_batch(session, 20, author_id=author.id, title="About tea")
        assert len(statements) == 1
        assert {post.title for post in posts} == {"About tea"}
        assert len({post.slug for post in posts}) == 20
