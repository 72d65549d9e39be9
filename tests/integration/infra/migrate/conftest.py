"""A project of the test's own, with this kit's Alembic environment and any history."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.config import Project, load_project

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[4]

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
        return path

    def write_models(self, source: str) -> None:
        """Add to the models' module; it must not have been imported yet."""
        path = self.project.root / f"{self.models}.py"
        path.write_text(MODELS + textwrap.dedent(source))
        sys.modules.pop(self.models, None)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """A project without revisions."""
    models = f"models_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        shutil.copy(REPOSITORY / "migrations" / name, tmp_path / "migrations" / name)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.format(models=models, repository=REPOSITORY))
    (tmp_path / f"{models}.py").write_text(MODELS)
    yield History(load_project(tmp_path), models)
    sys.modules.pop(models, None)
