"""`bough doctor`: what stands between this project and its database, with the fix for each."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.output import Output, OutputFormat


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
    # Imported here: SQLAlchemy and psycopg take half a second that other commands need not pay.
    from infra.doctor.budget import Load  # noqa: PLC0415  see above
    from scripts import checkup  # noqa: PLC0415  see above

    if output_format is OutputFormat.ENV:
        raise typer.BadParameter("findings cannot be shown as variables", param_hint="--output")
    load = Load(functions, concurrency, pool_size, pooler_clients)
    healthy = checkup.run(load, seconds=timeout, output_format=output_format)
    if not healthy:
        raise typer.Exit(1)
