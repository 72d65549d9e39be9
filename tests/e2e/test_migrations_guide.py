"""The local transcripts of `docs/guides/migrations.md`, run as they are printed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local import control_plane
from tests.support.bough_up import REPOSITORY, copy_kit
from tests.support.transcripts import blocks, play

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = Path(__file__).parents[2] / "docs/guides/migrations.md"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """The kit under git, with code of its own to change; nothing of its branches afterwards."""
    copy_kit(tmp_path)
    for name in ("infra", "scripts"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".gitignore").write_text(".bough/\n__pycache__/\ndist/\n")
    # Squashing and checking ask git which revisions are new.
    author = ("-c", "user.name=Anna", "-c", "user.email=anna@example.org")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*author, "commit", "-q", "-m", "Start")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    yield tmp_path
    control_plane.stop(tmp_path)
    control_plane.delete(tmp_path)


@pytest.mark.prove
def test_transcript_is_what_the_commands_say(shop: Path) -> None:
    """From the model to production and back, in order, in one project."""
    found = list(blocks(GUIDE.read_text()))
    assert {block.language for block in found} == {"console", "diff", "python", "toml"}
    for block in found:
        play(block, shop)
