"""Hidden loads are refused, with words that help; loads that code asked for are not."""

from __future__ import annotations

import contextlib

import pytest
import pytest_asyncio
from sqlalchemy import select
from sqlalchemy.orm import immediateload, joinedload, selectinload, subqueryload, undefer

from infra.testing.lazy_loads import LazyLoadError, lazy_loads_refused
from infra.testing.sessions import rolled_back
from tests.support.library import Author, Book, make_library
from tests.support.shelves import Box, Shelf


@pytest.fixture(scope="module")
def library_database(world):
    """A library that tests change in transactions of their own only."""
    with world.new_database() as database:
        make_library(database)
        yield database


@pytest_asyncio.fixture
async def books(library_database):
    """A transaction in it."""
    async with rolled_back(library_database.pooled) as session:
        yield session


@pytest.mark.asyncio
class TestLazyLoadsRefused:
    @pytest.mark.parametrize(
        ("model", "attribute", "remedy"),
        [
            (Author, "books", r"select\(Author\)\.options\(selectinload\(Author\.books\)\)"),
            (Book, "author", r"select\(Book\)\.options\(joinedload\(Book\.author\)\)"),
            (Author, "notes", r"select\(Author\)\.options\(undefer\(Author\.notes\)\)"),
            (Shelf, "boxes", r"select\(Shelf\)\.options\(selectinload\(Shelf\.boxes\)\)"),
            (Box, "shelf", r"select\(Box\)\.options\(joinedload\(Box\.shelf\)\)"),
        ],
    )
    async def test_hidden_load_is_named_with_its_remedy(self, books, model, attribute, remedy):
        """Relationships and deferred columns, of SQLAlchemy's models and of SQLModel's."""
        row = (await books.scalars(select(model))).first()
        with (
            pytest.raises(LazyLoadError, match=rf"^{model.__name__}\.{attribute} was read.*{remedy}$"),
            lazy_loads_refused(),
        ):
            getattr(row, attribute)

    async def test_expired_attribute_is_refused(self, books):
        """A value that SQLAlchemy threw away is not fetched behind the reader's back."""
        author = (await books.scalars(select(Author))).first()
        books.expire(author, ["name"])
        with pytest.raises(LazyLoadError, match=r"Author\.name .* session\.refresh"), lazy_loads_refused():
            assert author.name

    async def test_load_in_a_greenlet_is_refused(self, books):
        """Where a lazy load would even succeed, in `run_sync`, it is one all the same."""
        author = (await books.scalars(select(Author))).first()
        with pytest.raises(LazyLoadError, match=r"Author\.books"), lazy_loads_refused():
            await books.run_sync(lambda _: author.books)

    async def test_swallowed_error_comes_at_the_end(self, books):
        """Code that swallows exceptions does not hide the load."""
        author = (await books.scalars(select(Author))).first()
        with (
            pytest.raises(LazyLoadError, match=r"Author\.books"),
            lazy_loads_refused(),
            contextlib.suppress(LazyLoadError),
        ):
            author.books  # noqa: B018  reading it is what the test is about

    @pytest.mark.parametrize("load", [joinedload, selectinload, subqueryload, immediateload])
    async def test_loader_options_are_allowed(self, books, load):
        """What the statement says to load may take a statement of its own."""
        with lazy_loads_refused():
            authors = (await books.scalars(select(Author).options(load(Author.books)))).unique().all()
            assert {book.title for author in authors for book in author.books} == {"One", "Two"}

    async def test_asking_for_rows_is_allowed(self, books):
        """`get`, `refresh` by name, and `undefer` are statements that somebody wrote."""
        with lazy_loads_refused():
            author = (await books.scalars(select(Author).options(undefer(Author.notes)))).first()
            assert author.notes == "none"
            await books.refresh(author, ["books", "name"])
            key = author.id
            books.expire(author)
            assert await books.get(Author, key) is author
            assert author.name

    async def test_unit_of_work_may_load(self, books):
        """A flush that has to know a collection, to empty it, loads it."""
        with lazy_loads_refused():
            shelf = (await books.scalars(select(Shelf))).one()
            await books.execute(Box.__table__.delete())
            await books.delete(shelf)
            await books.flush()
        assert await books.get(Shelf, shelf.id) is None

    async def test_loads_outside_are_not_looked_at(self, books):
        """A test that arranges rows may be as lazy as it likes."""
        with lazy_loads_refused():
            author = (await books.scalars(select(Author))).first()
        assert len(await books.run_sync(lambda _: author.books)) == 2
