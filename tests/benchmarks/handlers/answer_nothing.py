"""The end of `imports_only.py`, which begins with the application's own imports of its libraries."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer at once."""
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}
