"""The Lambda handler around any application, in a module of the test's own."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tests.support.lambda_events import Context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

HANDLER = Path(__file__).parents[2] / "api" / "handler.py"


@contextmanager
def handler_around(app: str) -> Iterator[ModuleType]:
    """Load a copy of `api.handler` for `app`, and close its event loop at the end."""
    spec = importlib.util.spec_from_file_location("handler_under_test", HANDLER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with patch.dict(os.environ, BOUGH_APP=app):
        spec.loader.exec_module(module)
    try:
        yield module
        # Connections belong to this loop: whoever comes next has another.
        module.before_snapshot()
    finally:
        asyncio.set_event_loop(None)
        module._loop.close()


def call(module: ModuleType, event: Any) -> dict[str, Any]:
    """Invoke it once, as the runtime client does: the answer must be JSON."""
    answer: dict[str, Any] = module.handler(event, Context())
    json.dumps(answer)
    return answer


def metrics(out: str) -> list[dict[str, Any]]:
    """Return the metrics among the lines that it printed."""
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]
