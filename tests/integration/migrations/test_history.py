"""This repository's own history, on a real PostgreSQL."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from infra.config import load_project
from infra.migrate import generate, runner
from infra.migrate.errors import NothingToGenerateError
from infra.migrate.history import History, alembic_config
from tests.support.histories import REPOSITORY, run_script, schema_of

if TYPE_CHECKING:
    from pathlib import Path

    from infra.testing.databases import Database, World

PROJECT = load_project(REPOSITORY)


def revisions() -> History:
    """Load the history."""
    with alembic_config(PROJECT) as config:
        return History(config)


class TestHistory:
    """`migrations/versions`."""

    def test_models_and_database_agree_when_applied(self, empty_database: Database, tmp_path: Path) -> None:
        """Autogenerate finds nothing to add."""
        # A copy: what it found would be written.
        shutil.copytree(REPOSITORY / "migrations", tmp_path / "migrations")
        shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
        project = load_project(tmp_path)
        runner.apply(project, empty_database.direct)
        with pytest.raises(NothingToGenerateError):
            generate.new(project, empty_database.direct, "must not be written")

    def test_every_revision_can_be_undone_and_redone(self, empty_database: Database) -> None:
        """Up, down, up: each leaves the schema as it was before, and after."""
        direct = empty_database.direct
        for revision in revisions():
            before = schema_of(direct)
            runner.apply(PROJECT, direct, revision=revision.id)
            after = schema_of(direct)
            runner.rollback(PROJECT, direct)
            assert schema_of(direct) == before
            runner.apply(PROJECT, direct, revision=revision.id)
            assert schema_of(direct) == after

    def test_offline_sql_yields_the_same_schema(self, world: World, empty_database: Database) -> None:
        """Who may only hand over a script gets the same database."""
        runner.apply(PROJECT, empty_database.direct)
        with world.new_database() as other:
            run_script(other.direct, runner.sql(PROJECT))
            assert schema_of(other.direct) == schema_of(empty_database.direct)
            assert runner.apply(PROJECT, other.direct).runs == ()

    def test_files_are_named_by_date_and_declare_a_phase(self) -> None:
        """As `bough migrate new` writes them."""
        for revision in revisions():
            assert re.fullmatch(r"\d{4}-\d\d-\d\d_\w+\.py", revision.path.name)
            assert re.search(r'^phase = "(expand|contract)"$', revision.path.read_text(), re.MULTILINE)
