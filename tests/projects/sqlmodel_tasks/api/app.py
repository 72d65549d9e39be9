"""The application: this kit's parts around a domain of SQLModel classes."""

from __future__ import annotations

from fastapi import FastAPI

from api.tasks.routes import router as tasks
from api.web import health
from api.web.deadline import DeadlineMiddleware
from api.web.logs import RequestLogMiddleware, configure_logs
from api.web.openapi import ANY_PROBLEM, operation_id
from api.web.problems import UnhandledErrorMiddleware, install_problems
from api.web.routing import serve

configure_logs()
app = FastAPI(title="Tasks", generate_unique_id_function=operation_id, responses=ANY_PROBLEM)
install_problems(app)
for middleware in (DeadlineMiddleware, UnhandledErrorMiddleware, RequestLogMiddleware):
    app.add_middleware(middleware)
serve(app, health.router, tasks)
