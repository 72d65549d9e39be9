"""The application: routers, middleware, error handlers. It knows nothing of Lambda."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api.auth.current_user import TOKEN_ERRORS
from api.settings import WebSettings, read_settings
from api.web import health
from api.web.deadline import DeadlineMiddleware
from api.web.logs import RequestLogMiddleware, configure_logs
from api.web.openapi import ANY_PROBLEM, describe, operation_id
from api.web.problems import UnhandledErrorMiddleware, install_problems
from api.web.routing import serve

#: Each resource's module, and what its paths begin with; without a line here and in `models.py` the rest
#: still runs.
RESOURCES: Final = {
    "api.auth.routes": ["/auth"],
    "api.users.routes": ["/users"],
    "api.teams.routes": ["/teams"],
    "api.projects.routes": ["/projects"],
    "api.tasks.routes": ["/tasks", "/projects"],
    "api.posts.routes": ["/posts"],
    "api.tags.routes": ["/tags"],
    "api.catalog.routes": ["/catalog"],
    "api.credits.routes": ["/credits"],
}


def create_app(settings: WebSettings | None = None) -> FastAPI:
    """Make the application; the database is first asked for by the first request that needs it.

    Args:
        settings: What shapes the app; read from the environment unless given.

    Raises:
        SettingsError: A variable that shapes the app is wrong.
    """
    settings = settings or read_settings(WebSettings)
    configure_logs()
    app = FastAPI(
        title="bough",
        version="0.1.0",
        generate_unique_id_function=operation_id,
        responses=ANY_PROBLEM,
        redoc_url=None,
    )
    app.openapi = partial(describe, app, TOKEN_ERRORS)  # type: ignore[method-assign]  # FastAPI's documented way
    install_problems(app)
    _add_middleware(app, settings)

    serve(app, health.router, RESOURCES)
    # Named and not imported: only an event that is no request pays for it.
    app.state.on_event = "api.events:handle"
    return app


def _add_middleware(app: FastAPI, settings: WebSettings) -> None:
    """Add middleware, the outermost last: errors too carry CORS headers and the request id."""
    app.add_middleware(DeadlineMiddleware)
    app.add_middleware(UnhandledErrorMiddleware)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "retry-after", "idempotent-replayed"],
            max_age=600,
        )
    app.add_middleware(RequestLogMiddleware)


app = create_app()
