"""Changed models become revisions that are applied while the old code runs, and undone again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.migrate import generate, runner
from infra.migrate.catalog import differences, snapshot
from infra.migrate.errors import InvalidMessageError, NothingToGenerateError
from infra.migrate.findings import Verdict
from infra.migrate.lint import lint
from infra.migrate.status import status
from tests.support.histories import query

if TYPE_CHECKING:
    from pathlib import Path

    from api.database.connection_url import DirectUrl
    from infra.migrate.catalog import Catalog
    from infra.testing.databases import Database
    from tests.support.histories import History

IMPORTS = """
    from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
    from sqlalchemy.orm import Mapped, mapped_column
"""

BEFORE = """
    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(String(100))
        nick: Mapped[str | None] = mapped_column(Text, index=True)
        fax: Mapped[str] = mapped_column(Text)
        score: Mapped[int] = mapped_column(Integer, server_default="0")
        team: Mapped[int | None]

    class Team(Base):
        __tablename__ = "teams"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Fax(Base):
        __tablename__ = "faxes"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str | None] = mapped_column(Text, index=True)
"""

AFTER = """
    class User(Base):
        __tablename__ = "users"
        __table_args__ = (UniqueConstraint("email"), Index("ix_users_lower", text("lower(email)")))
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(String(320))
        nick: Mapped[str] = mapped_column(Text)
        score: Mapped[int] = mapped_column(BigInteger, server_default="1")
        team: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
        phone: Mapped[str] = mapped_column(Text)
        login: Mapped[str | None] = mapped_column(Text, unique=True)
        mentor: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)

    class Team(Base):
        __tablename__ = "teams"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Badge(Base):
        __tablename__ = "badges"
        id: Mapped[int] = mapped_column(primary_key=True)
        user: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
"""

OLD_CODE = "INSERT INTO users (id, email, nick, fax, team) VALUES (%s, 'a@example.com', 'a', '1', NULL)"
NEW_CODE = "INSERT INTO users (id, email, nick, phone, login) VALUES (%s, 'b@example.com', 'b', '2', 'b')"


def schema(url: DirectUrl) -> Catalog:
    """Return a database's schema."""
    with psycopg.connect(url.libpq()) as connection:
        return snapshot(connection)


def write(url: DirectUrl, statement: str, number: int) -> None:
    """Write one row as some version of the code does."""
    with psycopg.connect(url.libpq()) as connection:
        connection.execute(statement.encode(), (number,))


@pytest.fixture
def changed(history: History, empty_database: Database) -> tuple[Path, ...]:
    """The revisions from one set of models to the next, not applied."""
    history.write_models(IMPORTS + BEFORE)
    generate.new(history.project, empty_database.direct, "begin")
    runner.apply(history.project, empty_database.direct)
    history.write_models(IMPORTS + AFTER)
    return generate.new(history.project, empty_database.direct, "change")


def check_with_the_linter(history: History, url: DirectUrl, paths: tuple[Path, ...]) -> None:
    """Find nothing unsafe but the type, which no form makes safe; comments say that, and what to do."""
    findings = lint(history.project, status(history.project, url).current)
    unsafe = [f for f in findings if f.verdict is Verdict.UNSAFE and f.suppressed is None]
    assert {f.rule for f in unsafe} <= {"changing-column-type"}, [(f.rule, f.message) for f in unsafe]
    expand, *_, contract, _validate = (" ".join(path.read_text().split()) for path in paths)
    assert "# bough: code that does not know fax any more inserts rows without it" in expand
    assert "# bough: fill phone in where it is NULL before this is applied" in contract
    assert "# bough: may rewrite the table while nobody can use it" in contract
    assert "# bough: where login or mentor or phone replaces fax, copy the values" in contract


class TestSplit:
    """`generate.new` on changed models."""

    def test_is_applied_in_phases_and_undone(
        self, history: History, empty_database: Database, changed: tuple[Path, ...]
    ) -> None:
        """Both versions of the code write between the phases; afterwards nothing differs, either way.

        The linter has nothing against it but what comments say.
        """
        names = [path.stem.partition("_change")[2] for path in changed]
        assert names == [
            "", "_indexes", "_validate", "_contract_indexes", "_contract", "_contract_validate",
        ]  # fmt: skip
        url = empty_database.direct
        check_with_the_linter(history, url, changed)
        before = schema(url)
        report = runner.apply(history.project, url)
        assert [run.phase for run in report.runs] == ["expand"] * 3
        assert len(report.held_back) == 3
        write(url, OLD_CODE, 1)
        write(url, NEW_CODE, 2)
        query(url, "UPDATE users SET phone = '' WHERE phone IS NULL RETURNING 1")
        runner.apply(history.project, url, unused=True)
        with pytest.raises(NothingToGenerateError):
            generate.new(history.project, url, "nothing")
        after = schema(url)
        runner.rollback(history.project, url, to="-3")
        query(url, "UPDATE users SET fax = '' WHERE fax IS NULL RETURNING 1")
        runner.rollback(history.project, url, to="-3")
        query(url, "DELETE FROM users RETURNING 1")
        assert differences(before, schema(url)) == ()
        runner.apply(history.project, url, unused=True)
        assert differences(after, schema(url)) == ()

    @pytest.mark.prove
    def test_writes_one_kind_alone_without_more_words(
        self, history: History, empty_database: Database
    ) -> None:
        """A revision with nothing beside it is called what it was called."""
        history.write_models(IMPORTS + BEFORE)
        generate.new(history.project, empty_database.direct, "begin")
        runner.apply(history.project, empty_database.direct)
        history.write_models((IMPORTS + BEFORE).partition("    class Fax")[0])
        (path,) = generate.new(history.project, empty_database.direct, "no faxes")
        assert path.name.endswith("_no_faxes.py")
        assert 'phase = "contract"' in path.read_text()

    def test_refuses_a_message_that_leaves_no_room(self, history: History, empty_database: Database) -> None:
        """Before any file is written; what is not divided needs none, and is what Alembic writes."""
        history.write_models(IMPORTS + BEFORE)
        (first,) = generate.new(history.project, empty_database.direct, "begin")
        runner.apply(history.project, empty_database.direct)
        history.write_models(IMPORTS + AFTER)
        with pytest.raises(InvalidMessageError, match="cannot name a revision"):
            generate.new(history.project, empty_database.direct, "long" * 12)
        assert list(first.parent.glob("*.py")) == [first]
        (path,) = generate.new(history.project, empty_database.direct, "long" * 12, phase="contract")
        assert 'phase = "contract"' in path.read_text()
