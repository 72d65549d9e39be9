"""A project with local branches, and the command run in it."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from infra import link
from infra.branches.neon.provider import NeonProvider
from infra.branches.provider import BranchSpec
from scripts import cli
from tests.support.neon_api import neon_api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.histories import History
    from tests.support.neon_api import NeonApi

#: What a shell may have that would mean another project.
_VARIABLES = (
    "BOUGH_BRANCH",
    "BOUGH_OUTPUT",
    "BOUGH_PROVIDER",
    "DATABASE_URL",
    "DATABASE_URL_UNPOOLED",
    "GITHUB_ACTIONS",
    "NEON_API_HOST",
    "NEON_API_KEY",
    "NEON_PROJECT_ID",
)


@dataclass(frozen=True)
class BranchProject:
    """A project whose control plane runs, and how to reach it as Neon."""

    root: Path
    api: NeonApi
    project_id: str
    as_neon: dict[str, str]


@pytest.fixture(scope="session")
def branch_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BranchProject]:
    """One control plane for all commands of this worker, with the branches `main` and `dev`."""
    root = tmp_path_factory.mktemp("shop")
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\n[tool.bough]\n')
    with neon_api(root) as api:
        project_id = api.new_project()
        with NeonProvider(project_id, api.api_key, base_url=api.base_url, announce=lambda _: None) as neon:
            neon.create(BranchSpec("dev"))
        environment = {
            "BOUGH_PROVIDER": "neon",
            "NEON_API_HOST": api.base_url,
            "NEON_API_KEY": api.api_key,
            "NEON_PROJECT_ID": project_id,
        }
        yield BranchProject(root, api, project_id, environment)


@pytest.fixture
def on_branches(branch_project, monkeypatch, capfd):
    """Run the command in that project; return exit code, stdout, stderr."""
    monkeypatch.chdir(branch_project.root)
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)

    yield functools.partial(_run, monkeypatch, capfd)
    link.remove(branch_project.root)


@pytest.fixture
def in_history(history: History, monkeypatch, capfd):
    """Run the command in the folder of a history; return exit code, stdout, stderr."""
    monkeypatch.chdir(history.project.root)
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)

    return functools.partial(_run, monkeypatch, capfd)


@pytest.fixture
def on_history(in_history):
    """Run `bough migrate` in the folder of a history; return exit code, stdout, stderr."""
    return functools.partial(in_history, "migrate")


def _run(monkeypatch, capfd, *arguments: str, **environment: str) -> tuple[int, str, str]:
    capfd.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["bough", *arguments])
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0), *capfd.readouterr()
    return 0, *capfd.readouterr()
