"""New revisions, written from models and applied to a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.migrate import generate, runner
from infra.migrate.errors import (
    DatabaseBehindError,
    DirectUrlMissingError,
    InvalidMessageError,
    NothingToGenerateError,
    RevisionExistsError,
)
from infra.migrate.status import status

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

MODELS = """
    from datetime import datetime
    from uuid import UUID
    from sqlalchemy import CheckConstraint, Computed, DateTime, FetchedValue, ForeignKey, Index
    from sqlalchemy import String, Text, func, text
    from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
    from sqlalchemy.orm import Mapped, mapped_column

    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[UUID] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(String(320), unique=True)
        active: Mapped[bool] = mapped_column(server_default=text("true"))
        role: Mapped[str] = mapped_column(Text, server_default="member")
        settings: Mapped[dict] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
        tags: Mapped[list] = mapped_column(ARRAY(Text), server_default=text("'{}'::text[]"))
        created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
        updated_at: Mapped[datetime] = mapped_column(
            DateTime(timezone=True), server_default=func.now(), server_onupdate=FetchedValue()
        )
        __table_args__ = (
            CheckConstraint("role IN ('member', 'admin')", name="role"),
            Index("ix_authors_email_lower", func.lower(email), unique=True),
            Index("ix_authors_active", "created_at", postgresql_where=text("active")),
        )

    class Article(Base):
        __tablename__ = "articles"
        id: Mapped[UUID] = mapped_column(primary_key=True)
        author_id: Mapped[UUID] = mapped_column(ForeignKey("authors.id", ondelete="CASCADE"), index=True)
        title: Mapped[str] = mapped_column(Text)
        search: Mapped[str] = mapped_column(
            TSVECTOR, Computed("to_tsvector('english'::regconfig, title)", persisted=True)
        )
        __table_args__ = (Index("ix_articles_search", "search", postgresql_using="gin"),)
"""

OWN_TYPES = """
    from datetime import datetime
    from sqlalchemy import DateTime, String, TypeDecorator
    from sqlalchemy.dialects.postgresql import JSONB
    from sqlalchemy.orm import Mapped, mapped_column

    class OwnText(TypeDecorator):
        impl = String
        cache_ok = True

    class OwnTime(TypeDecorator):
        impl = DateTime(timezone=True)
        cache_ok = True

    class OwnDocument(TypeDecorator):
        impl = JSONB
        cache_ok = True

    class Account(Base):
        __tablename__ = "accounts"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(OwnText(50), unique=True)
        opened: Mapped[datetime] = mapped_column(OwnTime)
        facts: Mapped[dict] = mapped_column(OwnDocument)
"""


class TestNew:
    """`new`."""

    def test_writes_a_revision_after_which_nothing_differs(
        self, history: History, empty_database: Database
    ) -> None:
        """Functional and partial indexes, generated columns and server defaults come back as they are."""
        history.write_models(MODELS)
        (path,) = generate.new(history.project, empty_database.direct, "create authors and articles")
        assert path.name.endswith("_create_authors_and_articles.py")
        report = runner.apply(history.project, empty_database.direct)
        assert [run.message for run in report.runs] == ["create authors and articles."]
        with pytest.raises(NothingToGenerateError):
            generate.new(history.project, empty_database.direct, "nothing")
        assert list(path.parent.glob("*.py")) == [path]
        runner.rollback(history.project, empty_database.direct, to="base")
        runner.apply(history.project, empty_database.direct)

    def test_writes_the_trigger_of_a_table_with_updated_at(
        self, history: History, empty_database: Database
    ) -> None:
        """The model says that the server keeps it; the revision makes it so."""
        history.write_models(MODELS)
        generate.new(history.project, empty_database.direct, "create authors")
        runner.apply(history.project, empty_database.direct)
        with psycopg.connect(empty_database.direct.libpq()) as connection:
            connection.execute("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), 'a@example.com')")
            row = connection.execute(
                "UPDATE authors SET active = false RETURNING updated_at > created_at"
            ).fetchone()
            triggers = connection.execute(
                "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'bough_set_updated_at'"
            ).fetchall()
        assert row == (True,)
        assert triggers == [("authors",)]

    def test_writes_types_of_the_applications_own_as_what_they_store(
        self, history: History, empty_database: Database
    ) -> None:
        """The revision runs when the application has dropped them, and needs no import of theirs."""
        history.write_models(OWN_TYPES)
        (path,) = generate.new(history.project, empty_database.direct, "create accounts")
        text = path.read_text()
        for type_ in ("sa.String(length=50)", "sa.DateTime(timezone=True)", "postgresql.JSONB("):
            assert type_ in text
        assert "Own" not in text
        runner.apply(history.project, empty_database.direct)
        with pytest.raises(NothingToGenerateError):
            generate.new(history.project, empty_database.direct, "nothing")

    def test_writes_what_ruff_accepts(self, history: History, empty_database: Database) -> None:
        """Imports are sorted and used, docstrings are sentences, and the file is formatted."""
        history.write_models(MODELS)
        (path,) = map(str, generate.new(history.project, empty_database.direct, "create authors"))
        ruff = [sys.executable, "-m", "ruff"]
        subprocess.run([*ruff, "format", "--check", path], check=True)
        select = ["check", "--isolated", "--select", "F,I,D", "--ignore", "D203,D213"]
        subprocess.run([*ruff, *select, path], check=True)

    def test_names_the_id_after_the_file(self, history: History) -> None:
        """Ids can be read, and say when."""
        (path,) = generate.new(history.project, None, "Move the data, twice", autogenerate=False)
        date = path.name[:10]
        assert path.name == f"{date}_move_the_data_twice.py"
        assert f'revision = "{date.replace("-", "")}_move_the_data_twice"' in path.read_text()

    def test_writes_an_empty_revision_of_a_phase(self, history: History, empty_database: Database) -> None:
        """The phase asked for is declared and recorded."""
        generate.new(history.project, None, "drop later", autogenerate=False, phase="contract")
        runner.apply(history.project, empty_database.direct)
        with psycopg.connect(empty_database.direct.libpq()) as connection:
            assert connection.execute("SELECT phase FROM bough_revision").fetchall() == [("contract",)]

    def test_continues_the_history(self, history: History, empty_database: Database) -> None:
        """A second revision follows the first."""
        generate.new(history.project, None, "first", autogenerate=False)
        generate.new(history.project, None, "second", autogenerate=False)
        found = status(history.project, empty_database.direct)
        assert [revision.message for revision in found.pending] == ["first.", "second."]

    def test_prints_nothing(self, history: History, capfd: pytest.CaptureFixture[str]) -> None:
        """Alembic's progress stays out of stdout, which belongs to the command's data."""
        generate.new(history.project, None, "quiet", autogenerate=False)
        assert capfd.readouterr() == ("", "")

    def test_refuses_a_database_that_is_behind(self, history: History, empty_database: Database) -> None:
        """Otherwise the new revision would hold the pending one again."""
        history.write_models(MODELS)
        generate.new(history.project, empty_database.direct, "first")
        with pytest.raises(DatabaseBehindError):
            generate.new(history.project, empty_database.direct, "second")

    def test_refuses_to_overwrite(self, history: History) -> None:
        """The same message on the same day is another revision's name."""
        (path,) = generate.new(history.project, None, "same", autogenerate=False)
        before = path.read_text()
        with pytest.raises(RevisionExistsError):
            generate.new(history.project, None, "same", autogenerate=False)
        assert path.read_text() == before

    @pytest.mark.parametrize("message", ["", "...", 'say """', "two\nlines", "back\\slash", "long " * 20])
    def test_refuses_a_message_that_cannot_be_a_name(self, history: History, message: str) -> None:
        """What would break the file or be cut is refused, and nothing is written."""
        with pytest.raises(InvalidMessageError):
            generate.new(history.project, None, message, autogenerate=False)
        assert list((history.project.root / "migrations/versions").iterdir()) == []

    def test_asks_for_a_url_to_compare_with(self, history: History) -> None:
        """Autogenerate without a database is an error of its own."""
        with pytest.raises(DirectUrlMissingError):
            generate.new(history.project, None, "first")
