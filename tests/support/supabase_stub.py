"""Supabase's Management API on loopback, as far as branches need it, over databases that are real.

What it answers where Supabase's document is silent is what users report of the real one: the default
branch is listed from the first branch on; a name is taken once (409); a persistent branch is not deleted
(422); a new branch is not to be found for a moment (404).
"""

from __future__ import annotations

import re
import shutil
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from infra.branches.passwords import application_password
from tests.support import supabase_database
from tests.support.scripted_api import DROP, Received, Reply, ScriptedApi
from tests.support.shared_pooler import SharedPooler
from tests.support.supabase_database import ProjectDatabase
from tests.support.supabase_project import REF_LENGTH, StubProject, new_ref, now, step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN: Final = "sbp_a-token-of-a-test"
APPLICATION: Final = "bough_app"
_STEPS: Final = ("clone", "pull", "health", "configure", "migrate", "seed", "deploy")


class Fault:
    """What goes wrong with the next requests of a kind: an answer instead of the work, or after it."""

    def __init__(self, kind: str, reply: Reply, *, times: int, after_work: bool) -> None:
        """Match requests by a pattern of `METHOD /path`."""
        self.kind, self.reply, self.left, self.after_work = kind, reply, times, after_work


class SupabaseStub:
    """One project with its branches.

    Attributes:
        ref: The project's reference.
        migrations: What Supabase runs on a branch that is made without data, or reset.
        projects: The project and its branches, by reference.
        pitr: Whether the projects have the add-on for restoring to a moment.
        failing_step: The step that dies in the next run.
        hides_password: Whether the API keeps the passwords to itself.
        limit: How many branches there may be, the default one not counted.
    """

    def __init__(self, folder: Path) -> None:
        """Serve a project without branches once entered."""
        self.folder = folder
        self.ref = new_ref()
        self.migrations: list[str] = []
        self.projects: dict[str, StubProject] = {}
        self.pitr = True
        self.failing_step = ""
        self.hides_password = False
        self.limit = 50
        self.faults: list[Fault] = []
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        """Start the production database and both servers."""
        self._pristine = supabase_database.new_data(self.folder / "pristine")
        production = StubProject(self.ref, "main", parent=self.ref, is_default=True, persistent=True)
        production.database = self._database(self.ref, supabase_database.copied(self._pristine))
        self.projects[self.ref] = production
        self.transactions = SharedPooler(self._port_of(lambda database: database.pooled_port))
        self.sessions = SharedPooler(self._port_of(lambda database: database.port))
        self.api = ScriptedApi(self._answer)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything and delete the data."""
        for server in (self.api, self.transactions, self.sessions):
            server.stop()
        for project in self.projects.values():
            project.remove()
        shutil.rmtree(self._pristine)

    @property
    def url(self) -> str:
        """What stands for `https://api.supabase.com`."""
        return self.api.url

    @property
    def production(self) -> ProjectDatabase:
        """The default branch's database."""
        return self.database(self.ref)

    def database(self, ref: str) -> ProjectDatabase:
        """Return a branch's database."""
        found = self.projects[ref].database
        assert found
        return found

    def migrate(self, statement: str) -> None:
        """Run a migration on production, by Supabase's own means, so that branches get it too."""
        self.production.execute(statement, role="postgres")
        self.migrations.append(statement)

    def fail(self, kind: str, reply: Reply = DROP, *, times: int = 1, after_work: bool = False) -> None:
        """Answer the next requests of a kind (`POST .*/branches`) with this, unless they were done first."""
        self.faults.append(Fault(kind, reply, times=times, after_work=after_work))

    def _answer(self, request: Received) -> Reply:
        with self._lock:
            kind = f"{request.method} {request.path}"
            fault = next((each for each in self.faults if each.left and re.fullmatch(each.kind, kind)), None)
            if fault:
                fault.left -= 1
                if not fault.after_work:
                    return fault.reply
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return Reply(401, {"message": "Unauthorized"})
            reply = self._route(request)
            return fault.reply if fault else reply

    def _route(self, request: Received) -> Reply:
        match request.method, request.path.strip("/").split("/")[1:]:
            case "GET", ["projects", ref] if ref in self.projects:
                return Reply(200, self.projects[ref].as_project())
            case method, ["projects", ref, "branches"] if ref == self.ref:
                return self._list() if method == "GET" else self._create(request.body)
            case method, ["branches", ref, *action] if len(ref) == REF_LENGTH:
                project = self.projects.get(ref)
                if project is None or project.is_hidden():
                    return Reply(404, {"message": "Branch not found"})
                return self._branch(method, project, action, request)
            case method, ["projects", ref, *rest] if ref in self.projects:
                return self._project(method, self.projects[ref], rest, request)
        return Reply(404, {"message": "Not Found"})

    def _list(self) -> Reply:
        # A project has no default branch until its first branch is made.
        listed = self.projects.values() if len(self.projects) > 1 else ()
        return Reply(200, [project.as_branch() for project in listed])

    def _create(self, body: dict[str, Any]) -> Reply:
        if any(project.name == body["branch_name"] for project in self.projects.values()):
            return Reply(409, {"message": "Branch name is already taken"})
        if len(self.projects) > self.limit:
            return Reply(422, {"message": "Branch limit reached for this project"})
        if body.get("with_data") and not self.pitr:
            return Reply(400, {"message": "Branching with data requires the PITR add-on"})
        project = StubProject(
            new_ref(),
            body["branch_name"],
            parent=self.ref,
            persistent=body.get("persistent", False),
            with_data=body.get("with_data", False),
            hidden_answers=1,
        )
        self.projects[project.ref] = project
        data = (
            self.production.back_up if project.with_data else lambda: supabase_database.copied(self._pristine)
        )

        def make() -> None:
            project.database = self._database(project.ref, data())
            if not project.with_data:
                project.database.execute(*self.migrations, role="postgres")

        self._run(project, make)
        return Reply(201, project.as_branch())

    def _branch(self, method: str, project: StubProject, action: list[str], request: Received) -> Reply:
        reply = Reply(404, {"message": "Not Found"})
        match method, action:
            case "GET", []:
                reply = Reply(200, project.as_detail(hides_password=self.hides_password))
            case "PATCH", []:
                project.persistent = request.body.get("persistent", project.persistent)
                reply = Reply(200, project.as_branch())
            case "DELETE", []:
                reply = self._delete(project, at_once=request.query.get("force", "true") == "true")
            case "POST", ["reset"]:
                run = self._run(project, lambda: self._reset(project))
                reply = Reply(201, {"workflow_run_id": run, "message": "ok"})
            case "POST", ["restore"]:
                project.deletion_scheduled_at = None
                reply = Reply(200, {"message": "Branch restoration initiated"})
        return reply

    def _project(self, method: str, project: StubProject, rest: list[str], request: Received) -> Reply:
        reply = Reply(404, {"message": "Not Found"})
        match method, rest:
            case "GET", ["actions"]:
                reply = Reply(200, project.runs)
            case "GET", ["actions", run]:
                reply = Reply(200, next(each for each in project.runs if each["id"] == run))
            case "GET", ["config", "database", "pooler"]:
                reply = Reply(200, [project.as_pooler(self.transactions.port)])
            case "GET", ["database", "backups"]:
                reply = Reply(200, project.as_backups(pitr=self.pitr))
            case "POST", ["database", "backups", "restore-pitr"]:
                self._restore(project, datetime.fromtimestamp(request.body["recovery_time_target_unix"], UTC))
                reply = Reply(201)
            case "POST", ["restore"]:
                project.status = "COMING_UP"
                project.later(lambda: None)
                reply = Reply(200)
        return reply

    def _run(self, project: StubProject, work: Callable[[], None]) -> str:
        """Work in the background, as a run whose steps end one by one; return its id."""
        run = project.new_run(_STEPS)
        failing, self.failing_step = self.failing_step, ""

        def steps() -> None:
            for each in run["run_steps"]:
                step(each, "RUNNING")
                if each["name"] == failing:
                    step(each, "DEAD")
                    return
                if each["name"] == "clone":
                    work()
                step(each, "EXITED")

        project.later(steps)
        return str(run["id"])

    def _reset(self, project: StubProject) -> None:
        # Supabase drops what the database holds and runs the migrations again; roles stay.
        database = self.database(project.ref)
        schemas = "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner"
        usage = "GRANT USAGE ON SCHEMA public TO PUBLIC"
        database.execute(*schemas.split("; "), usage)
        database.execute(*self.migrations, role="postgres")

    def _restore(self, project: StubProject, at: datetime) -> None:
        kept = max(moment for moment in project.backups if moment <= at)
        project.status = "RESTORING"
        project.later(
            lambda: self.database(project.ref).replace(supabase_database.copied(project.backups[kept]))
        )

    def _delete(self, project: StubProject, *, at_once: bool) -> Reply:
        if project.persistent or project.is_default:
            return Reply(422, {"message": "Cannot delete persistent branch."})
        if not at_once:
            project.deletion_scheduled_at = now(timedelta(hours=1))
            return Reply(200, {"message": "ok"})
        del self.projects[project.ref]
        project.remove()
        return Reply(200, {"message": "ok"})

    def _database(self, ref: str, data: Path) -> ProjectDatabase:
        def pooled_role(password: str) -> dict[str, str]:
            derived = application_password(password, project_id=self.ref, branch_id=ref, role=APPLICATION)
            return {APPLICATION: derived}

        return ProjectDatabase(self.folder / ref, data, pooled_role)

    def _port_of(self, port: Callable[[ProjectDatabase], int]) -> Callable[[str], int | None]:
        def port_of(ref: str) -> int | None:
            project = self.projects.get(ref)
            return port(project.database) if project and project.database else None

        return port_of
