"""The application: this kit's parts around a domain of SQLModel classes."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from api.web import health
from api.web.deadline import DeadlineMiddleware
from api.web.logs import RequestLogMiddleware, configure_logs
from api.web.openapi import ANY_PROBLEM, describe, operation_id
from api.web.problems import UnhandledErrorMiddleware, install_problems
from api.web.routing import serve

configure_logs()
app = FastAPI(title="Tasks", generate_unique_id_function=operation_id, responses=ANY_PROBLEM)
app.openapi = partial(describe, app)  # type: ignore[method-assign]  # FastAPI's documented way
install_problems(app)
for middleware in (DeadlineMiddleware, UnhandledErrorMiddleware, RequestLogMiddleware):
    app.add_middleware(middleware)
serve(app, health.router, {"api.tasks.routes": ["/tasks"]})
