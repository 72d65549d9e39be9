"""A resource that is not wanted is deleted with its lines; everything else still runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]

SHOW = """
import json
from api.app import app
from api.models import metadata
parts = {path.split("/")[1] for path in app.openapi()["paths"]}
print(json.dumps([sorted(parts), sorted(metadata.tables)]))
"""


def without(resource: str, root: Path) -> Path:
    """Copy the application without one resource: its folder, and the lines that name it."""
    shutil.copytree(REPOSITORY / "api", root / "api", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(root / "api" / resource)
    for name in ("app.py", "models.py"):
        file = root / "api" / name
        text = re.sub(rf"^(from|import) .*\bapi\.{resource}\b.*\n", "", file.read_text(), flags=re.MULTILINE)
        file.write_text(re.sub(rf",\s*\b{resource}\w*(\.router)?\b", "", text))
    return root


def shown(root: Path) -> tuple[set[str], set[str]]:
    """Return the first parts of the paths, and the tables, of an application."""
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parts, tables = json.loads(done.stdout)
    return set(parts), set(tables)


class TestRemoval:
    def test_rest_runs_without_posts(self, tmp_path: Path) -> None:
        """Nothing else imports it: the application starts, documents itself and knows its other tables."""
        parts, tables = shown(REPOSITORY)
        rest = shown(without("posts", tmp_path))
        assert rest == (parts - {"posts"}, tables - {"posts", "post_tags"})
