"""A small kit, and a project made of it, for tests that change neither."""

from __future__ import annotations

import pytest

from tests.support.small_kit import project_of, small_kit


@pytest.fixture(scope="session")
def kit(tmp_path_factory):
    return small_kit(tmp_path_factory.mktemp("kit") / "kit")


@pytest.fixture(scope="session")
def made(kit, tmp_path_factory):
    """A project of it, which no test changes."""
    return project_of(kit, tmp_path_factory.mktemp("made") / "shop")
