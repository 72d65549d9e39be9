"""The world that tests run in: the kit's own fixtures for projects, this one included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import exchanges

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["infra.testing.plugin"]


@pytest.fixture(autouse=True)
def published_schemas_hold() -> Iterator[None]:
    """Fail the test in which something went over the wire that a provider's document does not allow."""
    yield
    if problems := exchanges.take_problems():
        pytest.fail("\n".join(problems), pytrace=False)
