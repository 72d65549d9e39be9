"""Drafts become one revision that makes the same schema, or stay as they are."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from infra.migrate import runner
from infra.migrate.errors import SquashRefusedError
from infra.migrate.squash import squash

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.postgres import PostgresCluster
    from infra.testing.databases import Database
    from tests.support.histories import History

MODEL = """
    from sqlalchemy import Text
    from sqlalchemy.orm import Mapped, mapped_column

    class A(Base):
        __tablename__ = "a"
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        name: Mapped[str | None] = mapped_column(Text, index=True)
"""

TABLE = "op.create_table('a', sa.Column('id', sa.Integer), sa.PrimaryKeyConstraint('id', name='pk_a'))"
COLUMN = "op.add_column('a', sa.Column('{0}', sa.Text))", "op.drop_column('a', '{0}')"
INDEX = "op.create_index('ix_a_name', 'a', ['name'])", "op.drop_index('ix_a_name')"


def git(root: Path, *arguments: str) -> None:
    """Run git in a folder."""
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    subprocess.run(["git", *author, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def drafts(history: History) -> History:
    """The table `a` on the main git branch, and three drafts that come to one column with an index."""
    root = history.project.root
    history.write_models(MODEL)
    history.write("one", None, TABLE, "op.drop_table('a')")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "migrations")
    git(root, "commit", "-q", "-m", "Begin")
    git(root, "switch", "-q", "-c", "feature")
    history.write("two", "one", *(each.format("title") for each in COLUMN))
    history.write("three", "two", *(each.format("name") for each in COLUMN))
    history.write(
        "four",
        "three",
        INDEX[0] + "\nop.drop_column('a', 'title')",
        "op.add_column('a', sa.Column('title', sa.Text))\n" + INDEX[1],
    )
    git(root, "add", "migrations")
    git(root, "commit", "-q", "-m", "Drafts")
    return history


def run(history: History, throwaway: PostgresCluster, **options: Any) -> list[str]:
    """Squash; return the new files' names without their date."""
    given: dict[str, Any] = {"url": None, "expected": None, "announce": lambda _: None} | options
    new, _ = squash(history.project, message="name them", cluster=throwaway, **given)
    return [path.stem.partition("_")[2] for path in new]


def files(history: History) -> set[str]:
    """Return the names of the revisions' files."""
    return {path.stem for path in (history.project.root / "migrations/versions").glob("*.py")}


class TestSquash:
    """`squash`."""

    def test_replaces_drafts_by_what_they_come_to(
        self, drafts: History, throwaway: PostgresCluster, empty_database: Database
    ) -> None:
        """A column and its index; the one that came and went is not seen again."""
        assert run(drafts, throwaway) == ["name_them", "name_them_indexes"]
        assert len(files(drafts)) == 3
        assert "title" not in "".join(
            path.read_text() for path in (drafts.project.root / "migrations/versions").glob("*_name_them*")
        )
        report = runner.apply(drafts.project, empty_database.direct)
        assert [each.phase for each in report.runs] == ["expand"] * 3
        assert list((drafts.project.root / ".bough").glob("squash-*")) == []

    @pytest.mark.prove
    def test_begins_at_the_revision_that_is_named(self, drafts: History, throwaway: PostgresCluster) -> None:
        """Those before it stay; `title` is theirs, so dropping it is left."""
        new = run(drafts, throwaway, first="three")
        assert new == ["name_them", "name_them_indexes", "name_them_contract"]
        assert {"one", "two"} < files(drafts)

    @pytest.mark.parametrize(
        ("extra", "message"),
        [
            ("op.execute('CREATE SEQUENCE s')", r"the models do not say all .* public\.s"),
            ("op.execute('UPDATE a SET name = NULL')", r"four\.py, line 12, changes rows"),
            ("op.get_bind().execute(sa.text('SELECT 1')).one()", r"four\.py, line \d+, asks the database"),
        ],
    )
    def test_refuses_what_models_do_not_say(
        self, drafts: History, throwaway: PostgresCluster, extra: str, message: str
    ) -> None:
        """The files are as they were."""
        drafts.write("four", "three", extra)
        git(drafts.project.root, "commit", "-q", "-a", "-m", "More")
        before = files(drafts)
        with pytest.raises(SquashRefusedError, match=message):
            run(drafts, throwaway)
        assert files(drafts) == before

    @pytest.mark.prove
    def test_leaves_out_data_on_request(self, drafts: History, throwaway: PostgresCluster) -> None:
        """Rows of drafts are nobody's, when somebody says so."""
        four = drafts.project.root / "migrations/versions/four.py"
        four.write_text(
            four.read_text().replace("op.drop_column", "op.execute('DELETE FROM a')\n    op.drop_column", 1)
        )
        git(drafts.project.root, "commit", "-q", "-a", "-m", "More")
        assert run(drafts, throwaway, allow_data=True) == ["name_them", "name_them_indexes"]

    def test_refuses_what_git_could_not_bring_back(self, drafts: History, throwaway: PostgresCluster) -> None:
        """Deleting it would lose it."""
        four = drafts.project.root / "migrations/versions/four.py"
        four.write_text(four.read_text() + "# more\n")
        with pytest.raises(
            SquashRefusedError, match=r"git could not bring back migrations/versions/four\.py"
        ):
            run(drafts, throwaway)

    def test_refuses_what_is_in_use(
        self, drafts: History, throwaway: PostgresCluster, empty_database: Database
    ) -> None:
        """Applied revisions are no drafts; what is left of them is too little."""
        runner.apply(drafts.project, empty_database.direct, revision="three")
        with pytest.raises(SquashRefusedError, match="only 1 of the revisions are drafts"):
            run(drafts, throwaway, url=empty_database.direct)
        with pytest.raises(SquashRefusedError, match="two is in use"):
            run(drafts, throwaway, url=empty_database.direct, first="two")
        with pytest.raises(SquashRefusedError, match="there is no revision five"):
            run(drafts, throwaway, first="five")

    def test_asks_what_is_in_use_where_nobody_knows(
        self, history: History, throwaway: PostgresCluster
    ) -> None:
        """Neither git nor a database."""
        history.write("one", None, "pass")
        with pytest.raises(SquashRefusedError, match="nothing says which revisions are drafts"):
            run(history, throwaway)
