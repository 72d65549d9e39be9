"""`bough migrate drift`: what it shows, and its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.migrate import runner
from tests.support.histories import run_script

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

MODELS = """
    from sqlalchemy.orm import Mapped, mapped_column

    class A(Base):
        __tablename__ = "a"
        id: Mapped[int] = mapped_column(primary_key=True)
"""


class TestDrift:
    """`drift`."""

    def test_shows_each_difference_with_what_to_do(
        self, on_history, history: History, empty_database: Database
    ) -> None:
        """None is exit code 0 and an empty list, one is 3."""
        history.write_models(MODELS)
        upgrade = "op.execute('CREATE TABLE a (id serial CONSTRAINT pk_a PRIMARY KEY)')"
        history.write("one", None, upgrade)
        runner.apply(history.project, empty_database.direct)
        at = {"DATABASE_URL_UNPOOLED": empty_database.direct.libpq()}
        code, out, err = on_history("drift", "-o", "json", **at)
        assert (code, json.loads(out)) == (0, [])
        assert "No drift" in err
        run_script(empty_database.direct, "CREATE INDEX by_hand ON a (id)")
        code, out, err = on_history("drift", **at)
        assert code == 3
        assert "database  index public.by_hand is in the database and in no revision" in out
        assert "undo it: DROP INDEX CONCURRENTLY public.by_hand;" in out
        assert empty_database.direct.libpq() not in err
