"""What Alembic does not compare becomes revisions too: labels of enums, and CHECK constraints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from infra.migrate import generate, runner
from infra.migrate.catalog import differences
from infra.migrate.errors import NothingToGenerateError
from infra.migrate.findings import Verdict
from infra.migrate.lint import lint
from infra.migrate.status import status
from tests.support.histories import query, schema_of

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

MODELS = """
    from sqlalchemy import CheckConstraint, Enum, Text
    from sqlalchemy.dialects.postgresql import ARRAY, ENUM
    from sqlalchemy.orm import Mapped, mapped_column

    MOOD = ENUM("good", "bad", name="mood")

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        mood: Mapped[str] = mapped_column(MOOD)
        moods: Mapped[list] = mapped_column(ARRAY(MOOD))
        role: Mapped[str] = mapped_column(Text, server_default="user")
        plan: Mapped[str] = mapped_column(Text, server_default="free")
        email: Mapped[str] = mapped_column(Text)
        nick: Mapped[str] = mapped_column(Text)
        __table_args__ = (
            CheckConstraint("role IN ('user', 'admin')", name="role"),
            CheckConstraint("plan IN ('free', 'paid')", name="plan"),
            CheckConstraint("email LIKE '%@%' AND email <> ' :b'", name="email"),
            CheckConstraint("id > 0", name="id"),
            CheckConstraint("nick <> ''", name="nick"),
        )

    class Day(Base):
        __tablename__ = "days"
        id: Mapped[int] = mapped_column(primary_key=True)
        mood: Mapped[str] = mapped_column(MOOD)
"""


@pytest.fixture
def begun(history: History, empty_database: Database) -> History:
    """The models as they are, applied."""
    history.write_models(MODELS)
    generate.new(history.project, empty_database.direct, "begin")
    runner.apply(history.project, empty_database.direct)
    return history


def change(history: History, database: Database, *changes: tuple[str, str]) -> dict[str, str]:
    """Write the revisions to changed models, and return them by what their names end with.

    The linter finds nothing unsafe in them; they are applied, and nothing differs then.
    """
    source = MODELS
    for old, new in changes:
        assert old in source
        source = source.replace(old, new, 1)
    history.write_models(source)
    paths = generate.new(history.project, database.direct, "change")
    findings = lint(history.project, status(history.project, database.direct).current)
    assert [f for f in findings if f.verdict is Verdict.UNSAFE and f.suppressed is None] == []
    runner.apply(history.project, database.direct, unused=True)
    with pytest.raises(NothingToGenerateError, match="nothing that can be generated differs"):
        generate.new(history.project, database.direct, "nothing")
    return {path.stem.partition("_change")[2]: path.read_text() for path in paths}


class TestNew:
    """`generate.new`."""

    def test_makes_and_drops_a_type_once(self, begun: History, empty_database: Database) -> None:
        """Two tables share it; down and up again, nothing is left or missing."""
        before = schema_of(empty_database.direct)
        runner.rollback(begun.project, empty_database.direct, to="base")
        assert query(empty_database.direct, "SELECT to_regtype('mood')") == [(None,)]
        runner.apply(begun.project, empty_database.direct)
        assert differences(before, schema_of(empty_database.direct)) == ()

    def test_adds_labels_and_types(self, begun: History, empty_database: Database) -> None:
        """A label comes in a revision of its own, so that the next one can use it, and goes no more."""
        columns = """
        last: Mapped[str] = mapped_column(MOOD, server_default="fine")
        kind: Mapped[str | None] = mapped_column(Enum("a", "b", name="kind"))
        role:"""
        labels = """"best", "good", "fine", "bad", "it's\""""
        written = change(begun, empty_database, ('"good", "bad"', labels), ("\n        role:", columns))
        assert list(written) == ["_labels", ""]
        assert ["irreversible = " in text for text in written.values()] == [True, False]
        assert "CREATE TYPE kind AS ENUM ('a', 'b')" in written[""]
        found = query(empty_database.direct, "SELECT unnest(enum_range(NULL::mood))::text")
        assert [label for (label,) in found] == ["best", "good", "fine", "bad", "it's"]

    def test_replaces_constraints(self, begun: History, empty_database: Database) -> None:
        """At once where more values are allowed; what may forbid, or forbids no more, waits for the code.

        One is dropped before its column, which would take it along.
        """
        before = schema_of(empty_database.direct)
        written = change(
            begun,
            empty_database,
            ("'user', 'admin'", "'user', 'moderator', 'admin'"),
            ("'free', 'paid'", "'free'"),
            ("%@%", "%@%.%"),
            ('"id > 0", name="id"', '"email <> \'\'", name="filled"'),
            ("""            CheckConstraint("nick <> ''", name="nick"),\n""", ""),
            ("        nick: Mapped[str] = mapped_column(Text)\n", ""),
        )
        assert list(written) == ["", "_validate", "_contract", "_contract_validate"]
        names = {part: set(re.findall(r"ck_users_(\w+)", text)) for part, text in written.items()}
        assert names[""] == names["_validate"] == {"role"}
        assert names["_contract"] == {"plan", "email", "id", "filled", "nick"}
        assert names["_contract_validate"] == {"plan", "email", "filled"}
        runner.rollback(begun.project, empty_database.direct, to="-4")
        assert differences(before, schema_of(empty_database.direct)) == ()
