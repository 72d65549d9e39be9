"""A project of SQLModel classes: this repository, its sample domain replaced, under the same commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.support.bough_up import REPOSITORY, BoughUp, bough, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.prove

OWN = Path(__file__).parents[1] / "projects" / "sqlmodel_tasks"


def copy(root: Path) -> None:
    """Make the project: what it keeps of this repository, unchanged, and its own files."""
    ignore = shutil.ignore_patterns("__pycache__", ".bough", "versions")
    for name in ("api/database", "api/web", "migrations"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=ignore)
    for module in (REPOSITORY / "api").glob("*.py"):
        shutil.copy(module, root / "api")
    (root / "migrations" / "versions").mkdir()
    shutil.copytree(OWN, root, ignore=ignore, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """The project in a folder of its own; the commands import its `api`, as in a copied repository."""
    root = Path(tempfile.mkdtemp(prefix="bough-sqlmodel-"))
    copy(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(root))
        for name in ("DATABASE_URL", "DATABASE_URL_UNPOOLED"):
            patch.delenv(name, raising=False)
        yield root
    remove(root)


@pytest.fixture(scope="module")
def up(project: Path) -> Iterator[BoughUp]:
    """The project, served before it has any table."""
    with BoughUp(project) as running:
        yield running


def succeed(root: Path, *arguments: str) -> str:
    """Run a command that must succeed; return what it printed."""
    done = bough(root, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def revision(project: Path, up: BoughUp) -> str:
    """The revision that `bough migrate new` wrote, applied."""
    path = Path(succeed(project, "migrate", "new", "create tasks"))
    succeed(project, "migrate", "apply")
    return path.read_text()


class TestCommands:
    def test_revision_is_complete_and_runs_as_it_was_written(self, project: Path, revision: str) -> None:
        """Constraints have the convention's names, nothing of SQLModel is imported, no difference is left."""
        assert "sqlmodel" not in revision
        assert 'create_updated_at_trigger(op, "tasks")' in revision
        for name in ("ck_tasks_state", "fk_task_tags_tag_id_tags", "uq_tags_name", "pk_tasks"):
            assert name in revision
        again = bough(project, "migrate", "new", "again")
        assert (again.returncode, "error[NOTHING_TO_GENERATE]" in again.stderr) == (1, True), again.stderr
        assert json.loads(succeed(project, "migrate", "status", "-o", "json"))["pending"] == []

    def test_api_serves_what_was_packaged(self, up: BoughUp, revision: str) -> None:
        """The artifact writes, lists by pages and changes, and the server keeps the times."""
        with httpx2.Client(base_url=up.url) as client:
            ready = client.get("/readyz")
            assert ready.status_code == 200, ready.text
            made = [
                client.post("/tasks", json={"title": title, "tags": ["home"], "details": {"n": 1}}).json()
                for title in ("first", "second", "third")
            ]
            page = client.get("/tasks", params={"limit": 2}).json()
            rest = client.get("/tasks", params={"limit": 2, "cursor": page["next_cursor"]}).json()
            changed = client.patch(f"/tasks/{made[0]['id']}", json={"state": "done"}).json()
            wrong = client.post("/tasks", json={"title": "a", "due": "2026-11-21T12:00:00"})
            described = client.get("/openapi.json").json()["paths"]
            missing = client.patch("/tasks/00000000-0000-7000-8000-000000000000", json={"title": "x"})
        assert [task["title"] for task in page["items"] + rest["items"]] == ["third", "second", "first"]
        assert rest["next_cursor"] is None
        assert rest["items"][0] == made[0]
        assert (made[0]["tags"], made[0]["details"], made[0]["state"]) == (["home"], {"n": 1}, "open")
        assert changed["state"] == "done"
        assert changed["updated_at"] > changed["created_at"] == made[0]["created_at"]
        assert set(described) == {"/healthz", "/readyz", "/tasks", "/tasks/{task_id}"}
        assert (wrong.status_code, wrong.json()["code"]) == (422, "VALIDATION_FAILED")
        assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")

    def test_types_are_checked_strictly(self, project: Path) -> None:
        """The checker follows repositories, sessions and pages over SQLModel's classes."""
        command = ["mypy", "--config-file", REPOSITORY / "pyproject.toml"]
        packages = ["-p", "api.app", "-p", "api.models", "-p", "api.tables", "-p", "api.tasks"]
        environment = {**os.environ, "MYPYPATH": str(project)}
        done = subprocess.run(
            [sys.executable, "-m", *command, *packages],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
