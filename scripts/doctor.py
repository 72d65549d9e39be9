"""`bough doctor`: what stands between this project and its database, with the fix for each."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.database.connection_url import DirectUrl, PooledUrl
from infra import context
from infra.config import load_project
from infra.context import ProviderName
from infra.doctor.budget import Load
from infra.doctor.checks import Status, examine, failed, warning
from infra.doctor.target import Target
from infra.errors import InfraError
from infra.local import control_plane, world
from infra.local.pooler import MAX_CLIENTS
from scripts import output
from scripts.output import Output, OutputFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config import Project
    from infra.doctor.checks import Finding
    from infra.doctor.provider_api import ProviderApi
    from infra.doctor.target import Direct, Pooled

_POOLED: Final = "DATABASE_URL"
_DIRECT: Final = "DATABASE_URL_UNPOOLED"

#: Of the JSON document.
_VERSION: Final = 1
_SIGNS: Final = {Status.OK: "✓", Status.WARNING: "!", Status.FAILED: "✗"}


def doctor(
    *,
    functions: Annotated[int, typer.Option(min=1, help="Functions that use this database.")] = 1,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Execution environments of each at once; AWS lets an account run 1000.")
    ] = 1000,
    pool_size: Annotated[int, typer.Option(min=1, help="Connections of each environment.")] = 1,
    pooler_clients: Annotated[
        int | None, typer.Option(min=1, help="Clients that the pooler takes, where it cannot be known.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for each check.")] = 15.0,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Check what connections live by: URLs, TLS, pooler, timeouts, rights, budget, token, clock.

    Looks at DATABASE_URL and DATABASE_URL_UNPOOLED, or without them at the local world that runs, and
    at the provider that `bough config show` names. Changes nothing. Exits 1 when a check has failed (✗);
    what may be meant so is a warning (!).
    """
    # Imported here: SQLAlchemy takes half a second that other commands need not pay.
    from infra.doctor.checkup import checks  # noqa: PLC0415  see above

    if output_format is OutputFormat.ENV:
        raise typer.BadParameter("findings cannot be shown as variables", param_hint="--output")
    project = load_project(Path.cwd())
    pooled, direct, clients = _databases(project)
    load = Load(functions, concurrency, pool_size, pooler_clients or clients)
    findings = examine(checks(pooled, direct, _provider_api(project, timeout), load), seconds=timeout)
    _show(findings, output_format)
    if any(finding.status is Status.FAILED for finding in findings.values()):
        raise typer.Exit(1)


def _databases(project: Project) -> tuple[Pooled, Direct, int | None]:
    """Return both connection strings, and how many clients the pooler takes where that is known."""
    texts = {name: os.environ.get(name) for name in (_POOLED, _DIRECT)}
    clients = None
    state = world.read_state(project.root)
    # One of the environment's and one of the local world's would be two databases.
    if not any(texts.values()) and state is not None:
        texts = {_POOLED: state.database_url.libpq(), _DIRECT: state.database_url_unpooled.libpq()}
        clients = MAX_CLIENTS
    pooled = Target.read(PooledUrl, _POOLED, texts[_POOLED])
    return pooled, Target.read(DirectUrl, _DIRECT, texts[_DIRECT]), clients


def _provider_api(project: Project, seconds: float) -> ProviderApi | Finding:
    """Return the API of the project's provider, or what there is to say of it without asking."""
    from infra.doctor.provider_api import ProviderApi  # noqa: PLC0415  see `doctor`

    try:
        meant = context.resolve(project, flags={}, environment=os.environ)
        provider = ProviderName(str(meant.provider.value))
        if provider is ProviderName.LOCAL:
            running = control_plane.find(project.root)
            if running is None:
                return warning("the local control plane does not run", "`bough up` starts it")
            path = ("projects", running.project_id)
            return ProviderApi("the local control plane", running.base_url, running.api_key, path, seconds)
    except InfraError as error:
        return failed(str(error), error.hint or "see `bough config show --origin`")
    variable = context.TOKEN_VARIABLES[provider]
    token = os.environ.get(variable)
    if not token:
        return failed(f"{variable} is not set", "make a token at the provider, and put it there")
    if meant.project_id.value is None or meant.api_host.value is None:
        return failed(
            f"no project of {provider} is named",
            f"set {context.PROJECT_VARIABLES[provider]}, or use `bough link`",
        )
    prefix = ("projects",) if provider is ProviderName.NEON else ("v1", "projects")
    return ProviderApi(
        provider.capitalize(), meant.api_host.value, token, (*prefix, meant.project_id.value), seconds
    )


def _show(findings: Mapping[str, Finding], output_format: OutputFormat) -> None:
    if output_format is not OutputFormat.TABLE:
        rows = [{"name": name, **asdict(finding)} for name, finding in findings.items()]
        healthy = not any(finding.status is Status.FAILED for finding in findings.values())
        output.show({"version": _VERSION, "ok": healthy, "checks": rows}, output_format)
        return
    width = max(map(len, findings))
    for name, finding in findings.items():
        output.show_text(f"{_SIGNS[finding.status]} {name:{width}}  {finding.found}")
        if finding.fix is not None:
            output.show_text(f"  {'':{width}}  fix: {finding.fix}")
