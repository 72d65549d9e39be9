"""Schemas of branches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from infra.branches.schema_dump import compare, schema_sql
from infra.local.neon_api import backend, branches, errors, requests
from infra.local.neon_api.backend import answer
from infra.local.neon_api.routes.databases import named
from infra.local.neon_api.schema_json import schema_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from api.database.connection_url import DirectUrl
    from infra.local.neon_api.backend import Backend
    from infra.local.neon_api.state import Branch


async def get_schema(request: Request) -> Response:
    """Answer with a database's schema, as SQL or as a document."""
    query = requests.query(request, requests.SchemaQuery)
    here = backend.of(request)
    branches.require_present(query.timestamp, query.lsn)
    url = await _url(here, here.branch(request), query.db_name)
    if query.format == "json":
        return answer(200, {"json": await asyncio.to_thread(schema_json, url)})
    return answer(200, {"sql": await asyncio.to_thread(schema_sql, url)})


async def compare_schema(request: Request) -> Response:
    """Answer with how a database's schema differs from that of another branch."""
    query = requests.query(request, requests.CompareQuery)
    here = backend.of(request)
    branches.require_present(query.timestamp, query.lsn)
    branches.require_present(query.base_timestamp, query.base_lsn)
    branch = here.branch(request)
    base_id = query.base_branch_id or branch.parent_id
    if base_id is None:
        raise errors.bad_request("base_branch_id is required: the branch has no parent")
    base = here.state.branch(branch.project_id, base_id)
    urls = [await _url(here, each, query.db_name) for each in (base, branch)]
    schemas = [await asyncio.to_thread(schema_sql, url) for url in urls]
    names = (f"a/{query.db_name}", f"b/{query.db_name}")
    return answer(200, {"diff": compare(*schemas, names=names)})


async def _url(here: Backend, branch: Branch, database: str) -> DirectUrl:
    named(branch, database)
    compute = await here.computes.ready(branch)
    return compute.superuser_url(database)


_ONE: Final = "/projects/{project_id}/branches/{branch_id}"
ROUTES: Final = [
    Route(f"{_ONE}/schema", get_schema, methods=["GET"]),
    Route(f"{_ONE}/compare_schema", compare_schema, methods=["GET"]),
]
