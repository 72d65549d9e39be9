"""`bough status`: what of the local world runs, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.config import load_project
from infra.local import control_plane, world
from infra.local.aws import server as aws
from scripts import output
from scripts.output import OutputFormat, format_option

if TYPE_CHECKING:
    from infra.local.control_plane import ControlPlane
    from infra.local.world import State


def status(
    output_format: Annotated[
        OutputFormat, format_option("All formats but `table` show the passwords; also by BOUGH_OUTPUT.")
    ] = OutputFormat.TABLE,
) -> None:
    """Show the local world's URLs, processes and branches; exits 1 when it is stopped."""
    root = load_project(Path.cwd()).root
    state, running = world.read_state(root), control_plane.find(root)
    access = aws.find(root)
    record: dict[str, Any] = {"state": "running" if state or access else "stopped"}
    if state:
        record |= state.to_json()
    if running:
        record["control_plane"] = {
            "base_url": running.base_url,
            "project_id": running.project_id,
            "pid": running.pid,
            "api_key": running.api_key,
        }
        record["branches"] = control_plane.branches(running)
    elif left := control_plane.left_running(root):
        record["left_running"] = [{"name": each.name, "pid": each.pid} for each in left]
        output.say("hint: a killed control plane left these; end them with `bough down`, or use them again")
    if access:
        record["aws"] = access.endpoint
    if output_format is OutputFormat.TABLE:
        record |= _readable(record, state)
    output.show(record, output_format, variables=_variables(state, running))
    if not (state or access):
        raise typer.Exit(1)


def _readable(record: dict[str, Any], state: State | None) -> dict[str, str]:
    """Return what a table shows otherwise: lists in one line, no passwords, no key."""
    readable = {}
    if state:
        readable["database_url"] = str(state.database_url)
        readable["database_url_unpooled"] = str(state.database_url_unpooled)
    if "control_plane" in record:
        readable["control_plane"] = "{base_url}, project {project_id}, pid {pid}".format(
            **record["control_plane"]
        )
        readable["branches"] = ", ".join(f"{name} ({state})" for name, state in record["branches"].items())
    if "left_running" in record:
        readable["left_running"] = ", ".join(
            "{name} (pid {pid})".format(**each) for each in record["left_running"]
        )
    return readable


def _variables(state: State | None, running: ControlPlane | None) -> dict[str, str]:
    """Return what Neon's own tools read, and the application and its migrations."""
    variables = {}
    if running:
        variables["NEON_API_HOST"] = running.base_url
        variables["NEON_API_KEY"] = running.api_key
        variables["NEON_PROJECT_ID"] = running.project_id
    if state:
        variables["DATABASE_URL"] = state.database_url.libpq()
        variables["DATABASE_URL_UNPOOLED"] = state.database_url_unpooled.libpq()
    return variables
