"""Is the process up (`/healthz`), and may it be given traffic (`/readyz`)."""

from __future__ import annotations

import importlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from fastapi import Response  # noqa: TC002  FastAPI resolves annotations at run time
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api.database.errors import DatabaseError
from api.database.session import read
from api.settings import SettingsError, get_settings
from api.web.routing import resource_router

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.database.timeouts import Timeouts

logger = logging.getLogger(__name__)
router = resource_router("health")

#: One statement, so one round trip of a read. `pg_settings` gives all three in milliseconds.
_TIMEOUTS: Final = """
SELECT (
    SELECT json_object_agg(name, setting::bigint)::text FROM pg_settings
    WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')
) AS timeouts
"""
_REVISIONS: Final = ", (SELECT json_object_agg(id, phase)::text FROM bough_revision) AS revisions"


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """What one check found."""

    status: Literal["ok", "failed", "skipped"]
    detail: str | None = Field(default=None, description="Why, unless it is ok.")


class Readiness(BaseModel):
    """Whether this code and its database can serve traffic together."""

    status: Literal["ready", "not_ready"]
    database: Check = Field(description="The database can be reached.")
    timeouts: Check = Field(
        description="The server's limits are in force and no longer than the settings say."
    )
    schema_: Check = Field(alias="schema", description="The applied revisions fit this code.")


@dataclass(frozen=True, slots=True)
class Build:
    """What this code was built with: the newest expand revision, and all revisions known then."""

    needed: str | None
    revisions: frozenset[str]


def build() -> Build | None:
    """Return what the artifact was built for; `None` when running from source or without migrations."""
    try:
        module = importlib.import_module("api.build")
    except ModuleNotFoundError:
        return None
    return None if module.HEAD is None else Build(module.NEEDED, frozenset(module.REVISIONS))


@router.get("/healthz")
async def healthz() -> Health:
    """Tell that the process answers; asks nothing of the database."""
    return Health()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready; the checks say why."}})
async def readyz(response: Response) -> Readiness:
    """Tell whether the database is reachable, its timeouts hold, and its schema fits this code."""
    unasked = Check(status="skipped", detail="the database was not asked")
    database, timeouts, schema = Check(status="ok"), unasked, unasked
    try:
        limits, revisions = await _ask(with_revisions=build() is not None)
    # The reasons name host and user: for the log, not for whoever asks.
    except SettingsError as error:
        logger.error("%s: %s", error.code, error)  # noqa: TRY400  nothing but the message matters
        wrong = ", ".join(error.variables)
        database = Check(status="failed", detail=f"{wrong}: missing or wrong; the log says why")
    except DatabaseError as error:
        logger.error("%s: %s", error.code, error)  # noqa: TRY400  the chain may quote values
        database = Check(status="failed", detail=error.code)
    else:
        timeouts = check_timeouts(limits, get_settings().timeouts)
        schema = check_schema(revisions, build())
    ready = not any(check.status == "failed" for check in (database, timeouts, schema))
    response.status_code = 200 if ready else 503
    response.headers["Cache-Control"] = "no-store"
    return Readiness(
        status="ready" if ready else "not_ready", database=database, timeouts=timeouts, schema=schema
    )


async def _ask(*, with_revisions: bool) -> tuple[dict[str, int], dict[str, str] | str | None]:
    """Return the limits in milliseconds, and phases by revision or why they cannot be read."""
    unreadable = None
    async with read() as session:
        if with_revisions:
            try:
                row = (await session.execute(text(_TIMEOUTS + _REVISIONS))).one()
            except ProgrammingError as error:
                unreadable = str(error.orig).partition("\n")[0]
            else:
                return json.loads(row.timeouts), json.loads(row.revisions or "{}")
        row = (await session.execute(text(_TIMEOUTS))).one()
    return json.loads(row.timeouts), unreadable


def check_timeouts(milliseconds: Mapping[str, int], expected: Timeouts) -> Check:
    """Compare the limits in force with those expected; 0 is PostgreSQL's "no limit"."""
    wrong = []
    for name, text_limit in expected.settings().items():
        limit, actual = int(text_limit.removesuffix("ms")), milliseconds[name]
        if not 0 < actual <= limit:
            wrong.append(f"{name} is {f'{actual} ms' if actual else 'off'}, expected at most {limit} ms")
    return Check(status="failed", detail="; ".join(wrong)) if wrong else Check(status="ok")


def check_schema(phases: Mapping[str, str] | str | None, build: Build | None) -> Check:
    """Compare the applied revisions with the code's.

    The code fits when the newest expand revision that it was built with is applied, and no contract revision
    that it does not know is. Its own contract revisions wait until it is live, so it cannot wait for them; an
    expand revision of newer code takes nothing from it.
    """
    if build is None:
        return Check(status="skipped", detail="not an artifact, or a project without migrations")
    if phases is None or isinstance(phases, str):
        return Check(status="failed", detail=f"the applied revisions cannot be read: {phases}")
    if build.needed is not None and build.needed not in phases:
        return Check(
            status="failed", detail=f"revision {build.needed} is not applied; run: bough migrate apply"
        )
    newer = sorted(
        name for name, phase in phases.items() if phase == "contract" and name not in build.revisions
    )
    if newer:
        return Check(status="failed", detail=f"contract revisions newer than this code: {', '.join(newer)}")
    return Check(status="ok")
