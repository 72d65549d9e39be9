"""A project of somebody's, to run commands in."""

from __future__ import annotations

import os
import shutil

import pytest

from infra.aws.artifact import build_folder
from infra.config import load_project
from infra.local.runtime_folder import runtime_folder
from tests.support.bough_up import REPOSITORY, remove


@pytest.fixture(scope="module")
def packaged_shop(tmp_path_factory):
    """A small project of somebody's, packaged once, and the runtime client beside it."""
    root = tmp_path_factory.mktemp("shop") / "shop"
    shutil.copytree(REPOSITORY / "tests" / "projects" / "plain_fastapi", root)
    runtime_folder(build_folder(load_project(root), root / ".bough" / "artifact").folder)
    return root


@pytest.fixture
def shop(packaged_shop, tmp_path):
    """A copy of it for one test."""
    root = tmp_path / "shop"
    shutil.copytree(packaged_shop, root, ignore=shutil.ignore_patterns(".bough"))
    # Built folders are replaced whole, never written to: links save copying them.
    shutil.copytree(packaged_shop / ".bough", root / ".bough", copy_function=os.link)
    yield root
    remove(root)
