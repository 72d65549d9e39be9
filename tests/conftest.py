"""The world that tests run in: the kit's own fixtures for projects, this one included."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from infra.testing.databases import memory_with_room
from tests.support import exchanges

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["infra.testing.plugin"]


def pytest_configure() -> None:
    """Keep all temporary files, the servers' data among them, in memory where it has plenty of room.

    The tests make and delete hundreds of thousands of files, at up to a millisecond each on ext4.
    """
    # In the background Ctrl-C is ignored, and by all that is started there: tests of it would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    memory = memory_with_room()
    # Some tests run programs that they have put there.
    if memory and not os.statvfs(memory).f_flag & os.ST_NOEXEC:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


@pytest.fixture(autouse=True)
def published_schemas_hold() -> Iterator[None]:
    """Fail the test in which something went over the wire that a provider's document does not allow."""
    yield
    if problems := exchanges.take_problems():
        pytest.fail("\n".join(problems), pytrace=False)
