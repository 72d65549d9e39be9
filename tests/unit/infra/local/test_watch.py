"""Noticing that a project's files have changed."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import aclosing
from pathlib import Path

import pytest

from infra.config import load_project
from infra.local import watch

SHOP = Path(__file__).parents[3] / "projects" / "plain_fastapi"


@pytest.fixture
def project(tmp_path):
    """A project of the test's own."""
    shutil.copytree(SHOP, tmp_path / "shop")
    return load_project(tmp_path / "shop")


async def changed(project, before):
    """Wait for the next change."""
    async with aclosing(watch.changes(project, before, interval=0.01)) as changes, asyncio.timeout(10):
        await anext(changes)


class TestChanges:
    @pytest.mark.asyncio
    @pytest.mark.parametrize("path", ["shop/main.py", "uv.lock"])
    async def test_file_saved_since_the_snapshot_counts(self, project, path):
        """What was saved while the first artifact was being packaged is served too."""
        before = watch.snapshot(project)
        with (project.root / path).open("a") as file:
            file.write("\n")
        await changed(project, before)

    @pytest.mark.asyncio
    async def test_nothing_is_reported_without_a_change(self, project):
        """Looking changes nothing, and other folders do not count."""
        before = watch.snapshot(project)
        (project.root / "notes.py").write_text("")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await changed(project, before)

    @pytest.mark.asyncio
    async def test_package_that_is_away_for_a_moment_does_not_end_the_watch(self, project):
        """A git checkout removes and writes folders: what is back is noticed."""
        before = watch.snapshot(project)
        (project.root / "shop").rename(project.root / "away")
        async with aclosing(watch.changes(project, before, interval=0.01)) as changes, asyncio.timeout(10):
            await anext(changes)
            (project.root / "away").rename(project.root / "shop")
            await anext(changes)


class TestSnapshot:
    def test_folder_that_vanishes_under_the_walk_is_left_out(self, project, monkeypatch):
        """What the disk says between two calls is no reason to end."""

        def own_files(_project):
            raise FileNotFoundError

        monkeypatch.setattr(watch.sources, "own_files", own_files)
        assert watch.snapshot(project) == {}
