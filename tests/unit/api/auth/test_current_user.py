"""How routes ask for the current user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.routing import APIRoute

from api.app import create_app
from api.auth import current_user
from api.web.resources import with_all_routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.dependencies.models import Dependant


def in_order(dependant: Dependant) -> Iterator[str]:
    """Yield the names of a route's dependencies as FastAPI resolves them."""
    for dependency in dependant.dependencies:
        yield from in_order(dependency)
        yield getattr(dependency.call, "__name__", "")


def test_user_is_known_before_the_transaction_begins() -> None:
    """Who is new is added in a transaction of its own, and a user's claims ride on the route's BEGIN."""
    user = current_user._user_or_anonymous.__name__
    early, late = [], []
    for route in with_all_routes(create_app()).routes:
        if isinstance(route, APIRoute):
            names = list(in_order(route.dependant))
            if {user, "write_session"} <= set(names):
                is_early = names.index(user) < names.index("write_session")
                (early if is_early else late).append(route.name)
    assert late == [], "in these routes, name the user before the session"
    assert "update_profile" in early
