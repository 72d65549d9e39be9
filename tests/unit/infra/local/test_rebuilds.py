"""Where rebuilt artifacts go, and how long they stay; building itself is proven elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from infra.config import Project
from infra.local import rebuilds
from infra.local.rebuilds import Rebuilds


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose artifacts are empty folders."""

    def build_folder(_project, folder):
        folder.mkdir(parents=True)
        return SimpleNamespace(folder=folder)

    monkeypatch.setattr(rebuilds, "build_folder", build_folder)
    return Project(tmp_path, "shop")


class TestRebuilds:
    def test_each_build_has_a_folder_that_stays_while_in_use(self, project):
        """No build replaces another's files; those that nobody uses go at the next build."""
        builds = Rebuilds(project)
        first = builds.build(in_use=()).folder
        second = builds.build(in_use={first}).folder
        assert first.is_dir()
        assert second != first
        third = builds.build(in_use={second}).folder
        assert [folder.is_dir() for folder in (first, second, third)] == [False, True, True]

    def test_what_an_earlier_world_left_is_deleted(self, project):
        """A killed `bough up` fills no disk."""
        left = Rebuilds(project).build(in_use=()).folder
        Rebuilds(project)
        assert not left.exists()
