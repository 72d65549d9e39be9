"""A kit of a few files with the questions of ours, and projects made of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml

from infra.kit.creation import Answers, create

_REPOSITORY = Path(__file__).parents[2]

FILES = {
    ".copier-answers.yml.jinja": "{{ _copier_answers | to_nice_yaml -}}\n",
    "README.md.jinja": "# {{ name }}\n",
    "api/app.py": "FIRST = 1\n\n\nSECOND = 2\n\n\nTHIRD = 3\n",
    "api/posts.py": "POSTS = []\n",
    "migrations/versions/base.py": 'revision = "base"\n',
    "pyproject.toml": '[project]\nname = "small"\n\n[tool.bough]\n',
    "scripts/__init__.py": "",
    "scripts/reference.py": "",
    "uv.lock": "first = 1\nsecond = 2\n",
}


def git(folder: Path, *arguments: str) -> str:
    """Run a command of git as somebody."""
    command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, **contents: str) -> str:
    """Write files and commit everything; return the commit's id."""
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Change")
    return git(folder, "rev-parse", "HEAD")


def small_kit(folder: Path) -> Path:
    """Make the kit."""
    questions = yaml.safe_load((_REPOSITORY / "copier.yml").read_text())
    questions |= {"_tasks": [], "_exclude": [".git", "/copier.yml"]}
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, **FILES, **{"copier.yml": yaml.safe_dump(questions)})
    return folder


def project_of(kit: Path, folder: Path) -> Path:
    """Make a project of it, and commit that."""
    create(folder, Answers("shop", "shop"), force=False, announce=lambda _: None, kit=kit)
    commit(folder)
    return folder


def copied(project: Path, folder: Path) -> Path:
    """Copy a project with its repository."""
    shutil.copytree(project, folder)
    return folder
