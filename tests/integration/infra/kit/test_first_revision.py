"""The one revision of a project without the sample domain."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from infra.config import load_project
from infra.migrate import runner
from tests.support.histories import REPOSITORY, schema_of

if TYPE_CHECKING:
    from pathlib import Path

    from infra.testing.databases import Database


class TestFirstRevision:
    def test_makes_what_the_kits_history_makes(
        self, database: Database, empty_database: Database, tmp_path: Path
    ) -> None:
        """The same tables, with all that is on them."""
        ignored = shutil.ignore_patterns("*.py", "__pycache__")
        shutil.copytree(
            REPOSITORY / "migrations" / "versions", tmp_path / "migrations" / "versions", ignore=ignored
        )
        (template,) = (tmp_path / "migrations" / "versions").iterdir()
        template.rename(template.with_suffix(""))
        for name in ("env.py", "__init__.py", "operations.py", "script.py.mako"):
            shutil.copy(REPOSITORY / "migrations" / name, tmp_path / "migrations")
        shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
        runner.apply(load_project(tmp_path), empty_database.direct)
        own, whole = (set(schema_of(each.direct).things) for each in (empty_database, database))
        tables = {thing.name for thing in own if thing.kind == "table"}
        assert "public.users" in tables
        assert own <= whole
        assert [str(thing) for thing in whole - own if thing.parent in tables] == []
