"""Projects with a history of a test's own, under this kit's Alembic environment."""

from __future__ import annotations

import shutil
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from infra.config import Project, load_project
from infra.migrate.catalog import Catalog, snapshot
from infra.migrate.revision_files import forget_bytecode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.database.connection_url import DirectUrl

REPOSITORY = Path(__file__).parents[2]

PYPROJECT = """
[tool.bough]
metadata = "{models}:Base.metadata"

[tool.alembic]
script_location = "%(here)s/migrations"
prepend_sys_path = ["%(here)s", "{repository}"]
file_template = "%%(year)d-%%(month).2d-%%(day).2d_%%(slug)s"
truncate_slug_length = 60

[[tool.alembic.post_write_hooks]]
name = "sort imports"
type = "module"
module = "ruff"
options = "check --quiet --fix --select I REVISION_SCRIPT_FILENAME"

[[tool.alembic.post_write_hooks]]
name = "format"
type = "module"
module = "ruff"
options = "format --quiet REVISION_SCRIPT_FILENAME"
"""

MODELS = """
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase
from api.database.base import NAMING_CONVENTION

class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
"""

REVISION = """
'''{message}.'''
import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {down!r}
phase = {phase!r}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
"""


@dataclass(frozen=True)
class History:
    """A project on disk whose revisions a test writes."""

    project: Project
    models: str

    def write(
        self,
        identifier: str,
        down: str | None,
        upgrade: str,
        downgrade: str = "pass",
        phase: str = "expand",
    ) -> Path:
        """Write one revision; `upgrade` and `downgrade` are Python."""
        path = self.project.root / self.project.migrations / "versions" / f"{identifier[:40]}.py"
        indented = {
            "upgrade": textwrap.indent(upgrade, "    ").strip(),
            "downgrade": textwrap.indent(downgrade, "    ").strip(),
        }
        message = f"Revision {identifier[:40]}"
        path.write_text(REVISION.format(id=identifier, down=down, phase=phase, message=message, **indented))
        forget_bytecode(path)
        return path

    def write_three_tables(self) -> None:
        """Write a history of three revisions, the last a contract."""
        self.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
        self.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
        self.write(
            "three", "two", "op.execute('CREATE TABLE c (id int)')", "op.execute('DROP TABLE c')", "contract"
        )

    def write_models(self, source: str) -> None:
        """Add to the models' module; it must not have been imported yet."""
        path = self.project.root / f"{self.models}.py"
        path.write_text(MODELS + textwrap.dedent(source))
        sys.modules.pop(self.models, None)


@contextmanager
def empty_history(folder: Path) -> Iterator[History]:
    """Make a project without revisions in a folder, importable once."""
    models = f"models_of_{folder.name.replace('-', '_')}"
    (folder / "migrations" / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        shutil.copy(REPOSITORY / "migrations" / name, folder / "migrations" / name)
    (folder / "pyproject.toml").write_text(PYPROJECT.format(models=models, repository=REPOSITORY))
    (folder / f"{models}.py").write_text(MODELS)
    yield History(load_project(folder), models)
    sys.modules.pop(models, None)


def schema_of(url: DirectUrl) -> Catalog:
    """Return everything that is in the schemas."""
    with psycopg.connect(url.libpq()) as connection:
        return snapshot(connection)


def run_script(url: DirectUrl, script: str) -> None:
    """Run a script as psql does: statement after statement, up to the first error."""
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        connection.execute(script.encode())


def query(url: DirectUrl, statement: str) -> list[tuple[Any, ...]]:
    """Return a statement's rows, on a connection of its own."""
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[call-overload]  # a test's own text


def tables(url: DirectUrl) -> set[str]:
    """Return the names of the tables that the history made."""
    rows = query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {name for (name,) in rows if not name.startswith("bough_")} - {"alembic_version"}


def recorded(url: DirectUrl) -> dict[str, str]:
    """Return the phases in `bough_revision` by revision."""
    return dict(query(url, "SELECT id, phase FROM bough_revision"))  # type: ignore[arg-type]  # two columns
