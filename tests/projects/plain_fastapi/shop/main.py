"""A shop's API, as its tutorial would write it."""

from __future__ import annotations

from fastapi import FastAPI, Response

application = FastAPI(title="Shop")


@application.get("/items/{name}")
async def read_item(name: str, size: int = 1) -> dict[str, str | int]:
    """Return an item."""
    return {"name": name, "size": size}


@application.get("/picture")
async def picture() -> Response:
    """Return bytes that are not text."""
    return Response(bytes(range(256)), media_type="image/png")


@application.post("/items", status_code=201)
async def create_item(item: dict[str, str]) -> dict[str, str]:
    """Return what was sent."""
    return item
