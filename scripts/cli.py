"""The `bough` command: every noun registered, every error turned into a message and an exit code."""

from __future__ import annotations

import sys
from typing import ClassVar, NoReturn

import typer

from infra.errors import InfraError
from scripts import (
    branch,
    call,
    config_command,
    deploy,
    destroy,
    doctor,
    env,
    help_topics,
    init,
    link,
    logs,
    migrate,
    output,
    package,
    preview,
    releases,
    secrets,
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
app.command()(deploy.deploy)
app.command()(releases.releases)
app.command()(releases.rollback)
app.command()(call.call)
app.command()(logs.logs)
app.command()(destroy.destroy)
app.command()(seed.seed)
app.command()(init.init)
app.command()(init.update)
app.command()(link.link)
app.command()(link.unlink)
app.command("help")(help_topics.help_)
app.add_typer(migrate.app, name="migrate")
app.add_typer(branch.app, name="branch")
app.add_typer(branch.app, name="branches", hidden=True)
app.add_typer(env.app, name="env")
app.add_typer(preview.app, name="preview")
app.add_typer(secrets.app, name="secrets")
app.add_typer(config_command.app, name="config")


class _UsageError(InfraError):
    """The command line cannot be meant."""

    code: ClassVar[str] = "USAGE"
    exit_code: ClassVar[int] = 2


class _SystemError(InfraError):
    """The operating system refused something, such as writing a file or stdout."""

    code: ClassVar[str] = "SYSTEM"


def main() -> None:
    """Run the command; its exit codes are those of `bough help exit-codes`."""
    output.begin(sys.argv[1:])
    try:
        code = app(standalone_mode=False)
        output.flush()
    except InfraError as error:
        _fail(error)
    except typer.TyperException as error:
        # An empty one has printed the help of a command that was given no arguments.
        if said := error.format_message().rstrip("."):
            output.show_error(_UsageError(said, hint=_help_of(error)))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        output.close_stdout()
        if isinstance(error, BrokenPipeError):
            # Whoever read it has seen enough.
            sys.exit(1)
        where = f" ({error.filename})" if error.filename else ""
        _fail(_SystemError(f"{error.strerror or error}{where}"))
    sys.exit(code)


def _fail(error: InfraError) -> NoReturn:
    output.show_error(error)
    sys.exit(error.exit_code)


def _help_of(error: typer.TyperException) -> str | None:
    context: typer.Context | None = getattr(error, "ctx", None)
    return f"see {context.command_path} --help" if context else None
