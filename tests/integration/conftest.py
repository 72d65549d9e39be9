"""What several kinds of integration tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.histories import History, empty_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """A project without revisions, of the test's own."""
    with empty_history(tmp_path) as project:
        yield project
