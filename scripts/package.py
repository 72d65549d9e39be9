"""`bough package`: the artifact folder that Lambda runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.config import load_project
from scripts import output
from scripts.output import Output, OutputFormat


def package(
    folder: Annotated[Path, typer.Option(help="Where to build; replaced only if `bough package` made it.")],
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Build the artifact: locked dependencies, the project's code, and compiled bytecode.

    For this machine's Python and platform. Does nothing when nothing changed since the last time.
    """
    from infra.aws.artifact import build_folder  # noqa: PLC0415 - not paid for by other commands

    artifact = build_folder(load_project(Path.cwd()), folder)
    size = sum(file.stat().st_size for file in artifact.folder.rglob("*") if file.is_file())
    record = {
        "artifact": str(artifact.folder),
        "handler": artifact.handler,
        "head": artifact.revisions.head,
        "megabytes": round(size / 1e6, 1),
        "fingerprint": artifact.fingerprint,
    }
    output.show(record, output_format)
