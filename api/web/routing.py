"""Routers of resources, and how the application serves them."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter

from api.web.openapi import ANY_PROBLEM, operation_id
from api.web.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

#: Routes look here for `app.dependency_overrides`: they are built before there is an app.
_PROVIDER: Final = SimpleNamespace(dependency_overrides={})


def resource_router(tag: str, prefix: str = "") -> APIRouter:
    """Make the router of a resource; its routes declare problems and are named as the app's are."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        responses=ANY_PROBLEM,
        generate_unique_id_function=operation_id,
        dependency_overrides_provider=_PROVIDER,
    )


def serve(app: FastAPI, router: APIRouter, resources: Mapping[str, Sequence[str]]) -> None:
    """Make a router's routes and the resources the app's own.

    Where a request waits for the start (Lambda's `on-demand`), a resource is imported by its first request:
    a cold start pays for one of them, however many there are. Everywhere else all of them are imported now:
    before a snapshot, and where whoever starts the app should see what is wrong with it.

    `app.include_router` works as well and costs more: it builds every route a second time under the first
    request (22 ms for 20 routes) and looks for a route through nested routers (0.1 ms a request).
    `app.dependency_overrides` works as usual; apps of one process share it.

    Args:
        app: The application.
        router: Routes outside of any resource.
        resources: Each resource's module, and what its paths begin with.
    """
    app.dependency_overrides = _PROVIDER.dependency_overrides
    served = [Resource(module, paths) for module, paths in resources.items()]
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "on-demand":
        for resource in served:
            resource.routes  # noqa: B018  imports it
    app.router.routes += [*router.routes, *served]
