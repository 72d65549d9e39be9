"""What `bough doctor` looks at, and how it is shown."""

from __future__ import annotations

import os
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.database.connection_url import DirectUrl, PooledUrl
from api.database.timeouts import Timeouts
from infra import context
from infra.config import load_project
from infra.config_tables import ConfigError
from infra.context import ProviderName
from infra.doctor.checks import Status, examine, failed, warning
from infra.doctor.checkup import checks
from infra.doctor.provider_api import ProviderApi
from infra.doctor.target import Target
from infra.errors import InfraError
from infra.local import control_plane, world
from infra.local.pooler import MAX_CLIENTS
from scripts import output
from scripts.output import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config import Project
    from infra.doctor.budget import Load
    from infra.doctor.checks import Finding
    from infra.doctor.target import Direct, Pooled

_POOLED: Final = "DATABASE_URL"
_DIRECT: Final = "DATABASE_URL_UNPOOLED"

_SIGNS: Final = {Status.OK: "✓", Status.WARNING: "!", Status.FAILED: "✗"}


def run(load: Load, *, seconds: float, output_format: OutputFormat) -> bool:
    """Check everything, show what was found, and return whether no check failed.

    Args:
        load: For the connection budget.
        seconds: For each check.
        output_format: Anything but `env`.

    Raises:
        ConfigError: The project's configuration, or a limit of its environment, cannot be read.
    """
    project = load_project(Path.cwd())
    pooled, direct, clients = _databases(project)
    if load.pooler_clients is None:
        load = replace(load, pooler_clients=clients)
    findings = examine(
        checks(pooled, direct, _provider_api(project, seconds), load, _limits()), seconds=seconds
    )
    _show(findings, output_format)
    return not any(finding.status is Status.FAILED for finding in findings.values())


def _limits() -> Timeouts:
    """Return what the application takes its role's limits for: its settings, else the defaults."""
    given = {}
    for field in fields(Timeouts):
        variable = f"BOUGH_{field.name.upper()}_TIMEOUT"
        if text := os.environ.get(variable):
            try:
                given[field.name] = float(text)
            except ValueError:
                raise ConfigError(f"{variable} is not a number of seconds: {text!r}") from None
    try:
        return Timeouts(**given)
    except ValueError as error:
        raise ConfigError(str(error), hint="correct BOUGH_STATEMENT_TIMEOUT and its kin") from error


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
        output.show({"ok": healthy, "checks": rows}, output_format)
        return
    width = max(map(len, findings))
    for name, finding in findings.items():
        output.show_text(f"{_SIGNS[finding.status]} {name:{width}}  {finding.found}")
        if finding.fix is not None:
            output.show_text(f"  {'':{width}}  fix: {finding.fix}")
