"""The `bough` command: every noun registered, every error turned into a message and an exit code."""

from __future__ import annotations

import sys

import typer

from infra.errors import InfraError
from scripts import (
    branch,
    config_command,
    doctor,
    env,
    help_topics,
    link,
    migrate,
    output,
    package,
    seed,
    status,
    up,
)

app = typer.Typer(
    name="bough",
    help="Deploy FastAPI to AWS Lambda with Neon or Supabase Postgres.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(up.down)
app.command()(status.status)
app.command()(doctor.doctor)
app.command()(package.package)
app.command()(seed.seed)
app.command()(link.link)
app.command()(link.unlink)
app.command("help")(help_topics.help_)
app.add_typer(migrate.app, name="migrate")
app.add_typer(branch.app, name="branch")
app.add_typer(branch.app, name="branches", hidden=True)
app.add_typer(env.app, name="env")
app.add_typer(config_command.app, name="config")


def main() -> None:
    """Run the command; its exit codes are those of `bough help exit-codes`."""
    output.begin()
    try:
        app()
    except InfraError as error:
        output.show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
