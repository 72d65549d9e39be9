"""The handler under test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.handler_copy import handler_around

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A copy of `api.handler` of the test's own, around the probe application."""
    with handler_around("tests.support.probe_app:app") as loaded:
        yield loaded
