"""Tries code on a database: the statements of its tables in a process of its own, and its smoke checks."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2

from api.database.connection_url_tls import system_bundle
from infra.aws.distributions import DistributionMissingError
from infra.local.function_host import FunctionHost

if TYPE_CHECKING:
    from api.database.connection_url import PooledUrl
    from infra.migrate.rehearsal.code import Code

_PROBE: Final = Path(__file__).with_name("probe")

#: Seconds for all tables; one takes a fiftieth of a second here.
_PATIENCE: Final = 300.0

#: Seconds for one smoke check, a cold start included.
_SMOKE_TIMEOUT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """How one statement ended.

    Args:
        table: As the code calls it.
        statement: `SELECT`, `INSERT` and so on.
        ok: The server ran it.
        found: It saw or wrote a row.
        sqlstate: Why not; `None` where no row could be made up, empty where the client refused.
        message: The server's, without values.
        unforeseen_null: The code may leave out the column that must not be NULL, or does not know it.
        made_up: The row had values that are not copied from one that is there.
    """

    table: str
    statement: str
    ok: bool
    found: bool = False
    sqlstate: str | None = None
    message: str = ""
    unforeseen_null: bool = False
    made_up: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a smoke check was answered: its HTTP status."""

    path: str
    status: int


@dataclass(frozen=True, slots=True)
class Tried:
    """How code fared on a database at one moment.

    Args:
        trials: Of each table's statements.
        error: Why there are none: the code could not be imported, or the database not reached.
        answers: Of the smoke checks.
        unasked: Why there are none of those.
    """

    trials: tuple[Trial, ...]
    error: str | None
    answers: tuple[Answer, ...]
    unasked: str | None = None


def try_code(code: Code, database: PooledUrl, checks: tuple[str, ...]) -> Tried:
    """Try the statements of every mapped table, all rolled back, and ask the smoke checks.

    Args:
        code: What is tried.
        database: As the application logs in, so that rights and policies count.
        checks: Paths, asked with GET.

    Raises:
        OSError: No process can be started.
    """
    said = _probe(code, database)
    trials = tuple(Trial(**each) for each in said["trials"])
    try:
        answers = asyncio.run(_ask(code, database, checks)) if checks else ()
    except (DistributionMissingError, OSError, httpx2.HTTPError) as error:
        return Tried(trials, said["error"], (), f"{type(error).__name__}: {error}")
    return Tried(trials, said["error"], answers)


def _probe(code: Code, database: PooledUrl) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bough-probe-") as temporary:
        # A name of its own, so that no module of the artifact's can stand in its way.
        Path(temporary, "bough_probe").symlink_to(_PROBE)
        result = Path(temporary, "result.json")
        variables = {
            "LANG": "C.UTF-8",
            "PATH": os.defpath,
            **code.environment,
            "BOUGH_PROBE_APP": code.app,
            "BOUGH_PROBE_METADATA": code.metadata,
            "BOUGH_PROBE_RESULT": str(result),
            "DATABASE_URL": database.libpq(),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{code.artifact}{os.pathsep}{temporary}",
        }
        if (bundle := system_bundle()) is not None:
            # asyncpg and libpq look for CAs in the home folder alone.
            variables.setdefault("PGSSLROOTCERT", str(bundle))
        # The base interpreter and -S keep this environment's packages out, as on Lambda.
        python: str = getattr(sys, "_base_executable", sys.executable)
        try:
            subprocess.run(  # noqa: S603  the artifact, which is run anyway
                [python, "-S", "-m", "bough_probe"],
                cwd=code.artifact,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # What the code says of itself may hold the data of its rows.
                stderr=subprocess.DEVNULL,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"trials": (), "error": f"it took longer than {_PATIENCE:g} s"}
        if not result.is_file():
            return {"trials": (), "error": "its process ended early; has the artifact SQLAlchemy?"}
        answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return answer


async def _ask(code: Code, database: PooledUrl, checks: tuple[str, ...]) -> tuple[Answer, ...]:
    """Ask the artifact's handler under the runtime client."""
    variables = {**code.environment, "DATABASE_URL": database.libpq()}
    host = FunctionHost(code.artifact, code.handler, variables, max_environments=1)
    await host.start()
    try:
        async with httpx2.AsyncClient(base_url=host.url, timeout=_SMOKE_TIMEOUT) as client:
            return tuple([Answer(path, (await client.get(path)).status_code) for path in checks])
    finally:
        await host.stop()
