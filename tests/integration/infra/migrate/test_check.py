"""What is found before revisions are merged."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from infra.migrate.check import check_database, check_files
from infra.migrate.errors import GitBranchUnknownError, MultipleHeadsError

if TYPE_CHECKING:
    from infra.local.postgres import PostgresCluster
    from infra.migrate.findings import Finding
    from tests.support.histories import History

TABLE = "op.execute('CREATE TABLE a (id int CONSTRAINT pk_a PRIMARY KEY)')"
DROPPED = "op.execute('DROP TABLE a')"
MODEL = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
class A(Base):
    __tablename__ = "a"
    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
"""


def found(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """Return revisions and rules."""
    return [(each.revision, each.rule) for each in findings]


def commit(history: History) -> None:
    """Make what is there the main git branch."""
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"),
    ):
        subprocess.run(["git", *arguments], cwd=history.project.root, check=True)


class TestCheckFiles:
    """`check_files`."""

    def test_lints_what_main_lacks(self, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
        """And asks for care where a contract of main may still wait; in a hook of git, too."""
        history.write("one", None, TABLE, DROPPED)
        history.write("two", "one", "op.drop_column('a', 'id')", "op.execute('SELECT 1')", "contract")
        commit(history)
        monkeypatch.setenv("GIT_DIR", ".git")
        said: list[str] = []
        assert check_files(history.project, base=None, announce=said.append) == ()
        history.write("three", "two", "op.execute('CREATE INDEX ix ON a (id)')", "op.execute('SELECT 1')")
        assert found(check_files(history.project, base="main", announce=said.append)) == [
            ("three", "require-concurrent-index-creation"),
            ("three", "expand-after-contract"),
        ]
        assert said[-1] == "Linted 1 of them, which main lacks"

    def test_says_what_it_cannot_look_at(self, history: History) -> None:
        """Without git nothing tells own revisions from old ones."""
        history.write("one", None, TABLE, DROPPED)
        said: list[str] = []
        assert check_files(history.project, base=None, announce=said.append) == ()
        assert "Not linted: there is no git repository" in said[-1]
        with pytest.raises(GitBranchUnknownError, match="git knows no 'elsewhere'"):
            check_files(history.project, base="elsewhere", announce=said.append)
        # A clone that has not fetched main would else pass without a look.
        subprocess.run(["git", "init", "-q", "-b", "mine"], cwd=history.project.root, check=True)
        with pytest.raises(GitBranchUnknownError, match="no main git branch is known here"):
            check_files(history.project, base=None, announce=said.append)

    def test_refuses_two_heads(self, history: History) -> None:
        """They are no history."""
        history.write("one", None, TABLE, DROPPED)
        history.write("two", None, "pass")
        with pytest.raises(MultipleHeadsError):
            check_files(history.project, base=None, announce=print)


class TestCheckDatabase:
    """`check_database`."""

    def test_finds_traces_and_models_without_a_revision(
        self, history: History, throwaway: PostgresCluster
    ) -> None:
        """What a downgrade leaves, and what autogenerate would write."""
        history.write_models(MODEL)
        history.write("one", None, "op.execute('CREATE SEQUENCE IF NOT EXISTS s')", "op.execute('SELECT 1')")
        trace, models = check_database(history.project, announce=lambda _: None, cluster=throwaway)
        assert (trace.rule, models.rule) == ("downgrade-leaves-trace", "models-differ")
        assert trace.message == "down to base: sequence public.s is new"
        assert "table public.a is new" in models.message

    def test_finds_what_fails(self, history: History, throwaway: PostgresCluster) -> None:
        """At the revision's own file."""
        history.write("one", None, "op.execute('CREATE TABLE b (id nothing)')", DROPPED)
        history.write("two", "one", "pass")
        (finding,) = check_database(history.project, announce=lambda _: None, cluster=throwaway)
        assert (finding.rule, finding.path.name) == ("revision-fails", "one.py")

    def test_goes_down_as_far_as_there_is_a_way(self, history: History, throwaway: PostgresCluster) -> None:
        """Up, down without trace and up again; the models say no more."""
        history.write_models(MODEL)
        history.write("one", None, TABLE, "raise NotImplementedError")
        history.write("two", "one", "op.execute('CREATE VIEW v AS SELECT 1')", "op.execute('DROP VIEW v')")
        said: list[str] = []
        assert check_database(history.project, announce=said.append, cluster=throwaway) == ()
        assert said == ["Ran 2 revisions up, down to one and up again"]
