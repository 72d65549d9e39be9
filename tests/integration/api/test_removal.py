"""A resource that is not wanted is deleted with its lines; everything else still runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.prove

REPOSITORY = Path(__file__).parents[3]

SHOW = """
import json
from api.app import app
from api.models import metadata
parts = {path.split("/")[1] for path in app.openapi()["paths"]}
print(json.dumps([sorted(parts), sorted(metadata.tables)]))
"""


def without(root: Path, *resources: str) -> Path:
    """Copy the application without some resources: their folders, and the lines that name them."""
    shutil.copytree(REPOSITORY / "api", root / "api", ignore=shutil.ignore_patterns("__pycache__"))
    for resource in resources:
        shutil.rmtree(root / "api" / resource)
        for name in ("app.py", "models.py", "events.py"):
            file = root / "api" / name
            file.write_text(re.sub(rf"^.*\bapi\.{resource}\b.*\n", "", file.read_text(), flags=re.MULTILINE))
    return root


def shown(root: Path) -> tuple[set[str], set[str]]:
    """Return the first parts of the paths, and the tables, of an application."""
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parts, tables = json.loads(done.stdout)
    return set(parts), set(tables)


@pytest.fixture(scope="module")
def whole() -> tuple[set[str], set[str]]:
    """What the whole application shows."""
    return shown(REPOSITORY)


class TestRemoval:
    @pytest.mark.parametrize(
        ("resources", "gone"),
        [
            ({"catalog"}, {"catalog_items"}),
            ({"credits"}, {"accounts", "transfers"}),
            ({"posts"}, {"posts", "post_tags"}),
            ({"tasks"}, {"tasks", "task_tags"}),
            # What depends on others goes before them, users need none of these.
            ({"posts", "tasks", "tags"}, {"posts", "post_tags", "tasks", "task_tags", "tags"}),
            ({"tasks", "projects"}, {"tasks", "task_tags", "projects", "project_members"}),
            (
                {"tasks", "projects", "teams"},
                {"tasks", "task_tags", "projects", "project_members", "teams", "team_members"},
            ),
        ],
        ids=lambda names: "-".join(sorted(names)),
    )
    def test_rest_runs_without_resources(
        self, tmp_path: Path, whole: tuple[set[str], set[str]], resources: set[str], gone: set[str]
    ) -> None:
        """Nothing else imports them: the application starts, documents itself and knows its other tables."""
        parts, tables = whole
        rest = shown(without(tmp_path, *resources))
        assert rest == (parts - resources, tables - gone)
