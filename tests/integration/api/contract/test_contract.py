"""The application keeps what its OpenAPI document promises: over HTTP, whoever asks, whatever is sent.

Schemathesis makes requests from the document alone: each boundary of each field (coverage), random values
(fuzzing), and sequences along the document's links (stateful). No answer may be a server's error, or have a
status, a header, a media type or a body that is not declared; and what is declared to be valid is accepted.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from api.database.session import write
from infra.testing.lazy_loads import lazy_loads_refused
from tests.factories.credits import AccountFactory
from tests.factories.teams import TeamFactory, TeamMemberFactory
from tests.support.http_server import served_over_http
from tests.support.operations import operations
from tests.support.samples import add_samples

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.database.session import ReadSession
    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio

HERE = Path(__file__).parent

#: Who asks stays as they are: a request may degrade or deactivate whoever it finds. Deleting finds nobody.
_KEEP = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.deleted_at IS NULL THEN RETURN OLD; END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep BEFORE UPDATE ON users FOR EACH ROW WHEN (OLD.username = 'caller') EXECUTE FUNCTION keep()
"""


class Eased:
    """The app, which must not load lazily; to it the documented `Idempotency-Key` is a new one each time."""

    EXAMPLE = b"8e03978e-40d5-43e8-bc93-6894a57f9324"

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (name, uuid4().hex.encode() if value == self.EXAMPLE else value)
            for name, value in scope["headers"]
        ]
        with lazy_loads_refused():
            await self.app({**scope, "headers": headers}, receive, send)


class TestContract:
    """Each test has one database, in which everything is within the caller's reach at first."""

    async def test_kept_towards_an_admin(
        self, app: FastAPI, people: People, read_session: ReadSession, tmp_path: Path
    ) -> None:
        """Whom no rule stops: the same requests each time, the document's examples and along its links."""
        admin = await add_caller(people, read_session, "admin")
        await hold(app, admin, tmp_path, "--phases=examples,stateful", "--seed=8")

    @pytest.mark.prove
    @pytest.mark.parametrize("role", ["user", "moderator", "admin"])
    async def test_kept_towards_everyone(
        self, app: FastAPI, people: People, read_session: ReadSession, tmp_path: Path, role: str
    ) -> None:
        """Thousands of other requests each time; run it with the seed of a failure to see that again."""
        seed = os.environ.get("BOUGH_SEED") or str(secrets.randbits(32))
        print(f"BOUGH_SEED={seed}")  # noqa: T201  pytest shows it when the test fails
        caller = await add_caller(people, read_session, role)
        await hold(
            app,
            caller,
            tmp_path,
            "--phases=coverage,fuzzing,stateful",
            "--max-examples=15",
            "--max-time=75",
            f"--seed={seed}",
        )


async def add_caller(people: People, read_session: ReadSession, role: str) -> Person:
    """Add a user with something of everything, who is and has what the documented examples refer to."""
    bodies = {operation.id: operation.body for operation in operations()}
    caller = people.add("caller", role)
    caller = replace(caller, id=UUID(bodies["create_task"]["assignee_id"]))
    people.query("UPDATE users SET id = %s", caller.id)
    people.query(_KEEP)
    team, transfer = bodies["create_project"]["team_id"], bodies["create_transfer"]
    async with write(read_session) as session:
        await add_samples(session, caller.id, 3)
        await TeamFactory.add(session, id=team)
        await TeamMemberFactory.add(session, team_id=team, user_id=caller.id)
        for account in (transfer["from_account_id"], transfer["to_account_id"]):
            await AccountFactory.add(session, id=account, owner_id=caller.id, balance=10_000)
    return caller


async def hold(app: FastAPI, caller: Person, folder: Path, *options: str) -> None:
    """Hold the application to its document, by schemathesis in a process of its own."""
    async with served_over_http(Eased(app)) as url:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("schemathesis"),
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run",
            f"{url}/openapi.json",
            f"--header=Authorization:{caller.headers['Authorization']}",
            *options,
            cwd=folder,
            env=os.environ | {"BOUGH_CONTRACT_HOOKS": str(HERE / "hooks.py"), "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
