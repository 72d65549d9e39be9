"""Resources that are imported by the first request that asks for them."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette._utils import get_route_path
from starlette.routing import BaseRoute, Match, NoMatchFound, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import APIRouter, FastAPI
    from starlette.datastructures import URLPath
    from starlette.types import Receive, Scope, Send


class Resource(BaseRoute):
    """The routes of one module's `router`, imported when a request first asks for a path like theirs.

    Args:
        module: Where the router is.
        paths: What the paths of its routes begin with.
    """

    def __init__(self, module: str, paths: Sequence[str]) -> None:
        """Import nothing yet."""
        self.module = module
        self.paths = paths

    @cached_property
    def routes(self) -> Sequence[BaseRoute]:
        """The router's routes."""
        router: APIRouter = import_module(self.module).router
        return router.routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the best match among the routes, as Starlette's router finds it."""
        best: tuple[Match, Scope] = Match.NONE, {}
        asked = f"{get_route_path(scope)}/"
        if not any(asked.startswith(f"{path}/") for path in self.paths):
            return best
        for route in self.routes:
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                return match, {**child_scope, "route": route}
            if match is Match.PARTIAL and best[0] is Match.NONE:
                best = match, {**child_scope, "route": route}
        return best

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Return the path of a route of this name: what `request.url_for` asks of each route in turn.

        Raises:
            NoMatchFound: None of them has the name and these parameters.
        """
        for route in self.routes:
            with suppress(NoMatchFound):
                return route.url_path_for(name, **path_params)
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the route that matched."""
        await scope["route"].handle(scope, receive, send)


def with_all_routes(app: FastAPI) -> FastAPI:
    """Return a copy of the app whose routes are those of its resources, for whoever reads them one by one."""
    whole = copy(app)
    whole.router = copy(app.router)
    whole.router.routes = [
        inner
        for route in app.router.routes
        for inner in (route.routes if isinstance(route, Resource) else (route,))
    ]
    return whole


def allowed_methods(app: FastAPI, scope: Scope) -> set[str]:
    """Return the methods of all routes that have the path; Starlette names those of the first alone."""
    having = (route for route in app.router.routes if route.matches(scope)[0] != Match.NONE)
    routes = (
        inner for route in having for inner in (route.routes if isinstance(route, Resource) else (route,))
    )
    return {
        method
        for route in routes
        if isinstance(route, Route) and route.matches(scope)[0] != Match.NONE
        for method in route.methods or ()
    }
