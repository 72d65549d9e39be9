"""What is wrong with a migrations folder is found without a database."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from infra.migrate.errors import HistoryError, MultipleHeadsError, UnknownRevisionError
from infra.migrate.history import History, alembic_config
from tests.support import histories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path) -> Iterator[histories.History]:
    """A project without revisions."""
    with histories.empty_history(tmp_path) as project:
        yield project


def load(history: histories.History) -> History:
    """Load the project's revisions."""
    with alembic_config(history.project) as config:
        return History(config)


class TestHistory:
    """`History`."""

    def test_is_ordered_from_the_oldest(self, history: histories.History) -> None:
        """Whatever the files are called."""
        history.write("b", None, "pass")
        history.write("a", "b", "pass", phase="contract")
        assert [(revision.id, revision.phase) for revision in load(history)] == [
            ("b", "expand"),
            ("a", "contract"),
        ]
        assert load(history).head == "a"

    def test_is_empty_without_revisions(self, history: histories.History) -> None:
        """A new project has no head."""
        assert load(history).head is None

    def test_takes_a_revision_without_phase_as_expand(self, history: histories.History) -> None:
        """Revisions written before bough came declare none."""
        path = history.write("a", None, "pass")
        path.write_text(path.read_text().replace("phase =", "other ="))
        assert [revision.phase for revision in load(history)] == ["expand"]

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("'expand'", "'later'", "phase is 'later', not one of expand, contract"),
            ("down_revision = None", "down_revision = 'gone'", "gone"),
            ("import sqlalchemy", "import sqlalchmey", "No module named 'sqlalchmey'"),
            ("down_revision = None", "down_revision = 'a'", "a"),
        ],
    )
    def test_names_what_is_wrong_with_a_revision(
        self, history: histories.History, old: str, new: str, message: str
    ) -> None:
        """A wrong phase, a missing parent, a failing import, a loop."""
        path = history.write("a", None, "pass")
        path.write_text(path.read_text().replace(old, new))
        with (
            pytest.warns() if "gone" in new else pytest.MonkeyPatch.context(),
            pytest.raises(HistoryError, match=message),
        ):
            load(history)

    def test_names_the_files_of_two_heads(self, history: histories.History) -> None:
        """And the command that joins them."""
        history.write("a", None, "pass")
        history.write("b", "a", "pass")
        history.write("c", "a", "pass")
        with pytest.raises(MultipleHeadsError, match=r"2 heads: b.py, c.py") as failure:
            load(history)
        assert failure.value.hint == "put one after the other with: bough migrate rebase"

    def test_plans_between_two_points(self, history: histories.History) -> None:
        """Up in the order of running, down in the order of undoing."""
        history.write("a", None, "pass")
        history.write("b", "a", "pass")
        history.write("c", "b", "pass")
        loaded = load(history)
        assert [revision.id for revision in loaded.upgrades(("a",), "head")] == ["b", "c"]
        assert [revision.id for revision in loaded.upgrades((), "+2")] == ["a", "b"]
        assert [revision.id for revision in loaded.downgrades(("c",), "base")] == ["c", "b", "a"]
        with pytest.raises(UnknownRevisionError):
            loaded.downgrades(("a",), "c")


class TestAlembicConfig:
    """`alembic_config`."""

    def test_refuses_a_project_without_migrations(self, history: histories.History) -> None:
        """The error names the folder."""
        (history.project.root / "migrations/env.py").unlink()
        with pytest.raises(HistoryError, match=r"migrations holds no env\.py"):
            load(history)

    def test_leaves_the_import_path_alone(self, history: histories.History) -> None:
        """The project is importable inside only."""
        before = sys.path.copy()
        with alembic_config(history.project) as config:
            History(config)
            assert str(history.project.root) in sys.path
        assert sys.path == before
