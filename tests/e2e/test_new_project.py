"""New projects: from the first command to the first update."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import httpx2
import pytest

from infra.kit.creation import Answers, create
from tests.support.bough_up import REPOSITORY, BoughUp, remove
from tests.support.small_kit import commit, git

pytestmark = pytest.mark.prove

#: Seconds for the slowest command on a busy machine.
PATIENCE = 900


def run(root, *command):
    """Run a command as on a machine that has uv and its cache, and no network."""
    environment = os.environ | {
        "CI": "",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "UV_OFFLINE": "1",
    }
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stderr


def add(file, text):
    """Add to a file, and return what it is then."""
    file.write_text(file.read_text() + text)
    return file.read_text()


def give_uv(root):
    """Do what the first step of a project's bootstrap does by the network: an environment with uv alone."""
    subprocess.run([sys.executable, "-m", "venv", root / ".venv"], check=True)
    for file in metadata.files("uv"):
        source = Path(file.locate()).resolve()
        target = root / ".venv" / source.relative_to(Path(sys.prefix).resolve())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


@pytest.fixture
def kit(tmp_path):
    """A clone of this repository, for the test to change."""
    git(tmp_path, "clone", "--quiet", str(REPOSITORY), "kit")
    git(tmp_path / "kit", "remote", "remove", "origin")
    return tmp_path / "kit"


@pytest.fixture
def project(kit, request):
    """A project of it."""
    root = kit.parent / "shop"
    create(root, Answers("shop", "shop", sample=request.param), force=False, announce=print, kit=kit)
    commit(root)
    yield root
    remove(root)


class TestNewProject:
    @pytest.mark.parametrize("project", [False], indirect=True, ids=["without-sample"])
    def test_lives_from_its_first_command_to_its_first_update(self, kit, project):
        """Set up, checked, started, tested, and updated: the kit's changes stand beside its owner's."""
        give_uv(project)
        run(project, "make", "check")
        with BoughUp(project, program=project / ".venv" / "bin" / "bough") as up:
            assert httpx2.get(f"{up.url}/readyz", timeout=PATIENCE).json()["status"] == "ready"
            assert httpx2.get(f"{up.url}/openapi.json", timeout=PATIENCE).json()["info"]["title"] == "shop"
        run(project, ".venv/bin/pytest", "-q", "-m", "not prove")

        add(project / "api" / "app.py", "\n# the owner's\n")
        add(project / "Makefile", "\nmine: ## The owner's\n\t@echo mine\n")
        git(project, "rm", "--quiet", "docs/guides/avatars.md")
        commit(project)
        later = add(kit / "infra" / "plan.py", "\n# the kit's\n")
        add(kit / "docs" / "guides" / "avatars.md", "\nThe kit's.\n")
        (kit / "Makefile").write_text((kit / "Makefile").read_text().replace("Show this list", "List them"))
        commit(kit, **{"infra/later.py": '"""The kit\'s."""\n'})

        said = run(project, ".venv/bin/bough", "update")
        assert "3 files" in said
        assert (project / "infra" / "plan.py").read_text() == later
        assert (project / "infra" / "later.py").exists()
        assert "# the owner's" in (project / "api" / "app.py").read_text()
        assert not (project / "docs" / "guides" / "avatars.md").exists()
        commands = subprocess.run(["make"], cwd=project, capture_output=True, text=True, check=True).stdout
        assert "List them" in commands
        assert "The owner's" in commands
        run(project, ".venv/bin/pytest", "-q", "tests/unit")

    @pytest.mark.parametrize("project", [True], indirect=True, ids=["with-sample"])
    def test_has_the_sample_domain_with_its_tests(self, project):
        """Nothing is left out that these need."""
        python = sys.executable
        run(project, python, "-m", "ruff", "check", ".")
        run(project, python, "-m", "ruff", "format", "--check", ".")
        run(
            project,
            python,
            "-m",
            "pytest",
            "-q",
            "-m",
            "not prove",
            "tests/unit",
            "tests/integration/api/posts",
        )
        collected = [python, "-m", "pytest", "-q", "--collect-only", "tests"]
        run(project, *collected)
