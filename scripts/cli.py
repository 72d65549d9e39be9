"""The `bough` command: every noun registered, every error turned into a message and an exit code."""

from __future__ import annotations

import sys

import typer

from infra.errors import InfraError
from scripts import doctor, migrate, output, package, seed, up

app = typer.Typer(
    name="bough",
    help="Deploy FastAPI to AWS Lambda with Neon or Supabase Postgres.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(up.down)
app.command()(up.status)
app.command()(doctor.doctor)
app.command()(package.package)
app.command()(seed.seed)
app.add_typer(migrate.app, name="migrate")


def main() -> None:
    """Run the command; exit 0 ok, 1 failed, 2 usage, 130 interrupted."""
    try:
        app()
    except InfraError as error:
        output.show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
