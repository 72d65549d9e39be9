"""`bough config`: what commands on branches would take for granted, and who says so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from infra.config import load_project
from infra.context import TOKEN_VARIABLES, ProviderName, resolve
from scripts import output
from scripts.output import Output, OutputFormat

app = typer.Typer(help="See what applies here, and where it was said.", no_args_is_help=True)


@app.command()
def show(
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value came from.")] = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Show the provider, project, branch and names that commands use here. Tokens are never shown."""
    if origin and output_format is OutputFormat.ENV:
        raise typer.BadParameter("origins cannot be shown as variables", param_hint="--output")
    context = resolve(load_project(Path.cwd()), flags={}, environment=os.environ)
    values = {name: (setting.value, setting.origin) for name, setting in context.settings().items()}
    if variable := TOKEN_VARIABLES.get(ProviderName(context.provider.value or "")):
        values["token"] = ("set", variable) if os.environ.get(variable) else (None, f"{variable} is not set")
    if not origin:
        output.show({name: value for name, (value, _) in values.items()}, output_format)
        return
    if output_format is OutputFormat.TABLE:
        rows = [{"name": name, "value": value, "origin": said} for name, (value, said) in values.items()]
        output.show_rows(rows, output_format, columns={"name": "NAME", "value": "VALUE", "origin": "ORIGIN"})
        return
    output.show(
        {name: {"value": value, "origin": said} for name, (value, said) in values.items()}, output_format
    )
