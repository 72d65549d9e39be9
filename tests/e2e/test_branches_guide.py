"""The local transcripts of `docs/guides/branches.md`, run as they are printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local import control_plane
from tests.support.bough_up import copy_kit
from tests.support.transcripts import blocks, play

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = Path(__file__).parents[2] / "docs/guides/branches.md"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """A copy of the kit, and nothing of its branches afterwards."""
    copy_kit(tmp_path)
    yield tmp_path
    control_plane.stop(tmp_path)
    control_plane.delete(tmp_path)


@pytest.mark.prove
def test_transcript_is_what_the_commands_say(shop: Path) -> None:
    """Every command of the guide that needs no account, in order, in one project."""
    found = list(blocks(GUIDE.read_text()))
    assert len(found) > 5
    for block in found:
        play(block, shop)
