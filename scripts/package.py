"""`bough package`: what Lambda runs, as a zip to deploy or as a folder for this machine."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from infra.config import load_project
from scripts import output
from scripts.output import Output, OutputFormat

if TYPE_CHECKING:
    from infra.aws.package import Package
    from infra.config import Project

#: Where packages are, below the project's folder.
DIST: Final = "dist"

#: Lines of the heaviest packages.
_HEAVIEST: Final = 15


class Runtime(StrEnum):
    """Lambda's Pythons."""

    PYTHON_3_11 = "python3.11"
    PYTHON_3_12 = "python3.12"
    PYTHON_3_13 = "python3.13"
    PYTHON_3_14 = "python3.14"


class Architecture(StrEnum):
    """Lambda's processors."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


def package(
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Build a folder for this machine instead; replaced only if `bough package` made it.",
            show_default=False,
        ),
    ] = None,
    runtime: Annotated[
        Runtime | None, typer.Option(help="Instead of the project's runtime.", show_default=False)
    ] = None,
    architecture: Annotated[
        Architecture | None,
        typer.Option(help="Instead of the project's architecture.", show_default=False),
    ] = None,
    output_format: Output = OutputFormat.TABLE,
    *,
    migrations: Annotated[
        bool, typer.Option("--migrations", help="The function that migrates instead of the API.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show the heaviest packages, and where the time of an import goes."),
    ] = False,
) -> None:
    """Build the artifact: locked dependencies, the project's code, and compiled bytecode.

    Writes dist/api.zip (or migrate.zip), and beside it a .json that says what is in it. Equal inputs give
    equal bytes, on any machine; does nothing when nothing changed since the last time.
    """
    project = load_project(Path.cwd())
    if folder is not None:
        if runtime or architecture or migrations or explain:
            raise typer.BadParameter("a folder is for this machine, and is the API's: name it alone")
        _show_folder(project, folder, output_format)
        return
    built = _build(project, runtime, architecture, migrations=migrations)
    if built.warning:
        output.say(f"warning: {built.warning}")
    if explain:
        _explain(built, output_format)
    else:
        output.show(_record(built), output_format)


def _build(
    project: Project, runtime: Runtime | None, architecture: Architecture | None, *, migrations: bool
) -> Package:
    from infra.aws.package import Kind, build_package  # noqa: PLC0415 - not paid for by other commands
    from infra.aws.target import Target  # noqa: PLC0415 - as above

    target = Target.of(project)
    chosen = {"runtime": runtime, "architecture": architecture}
    target = replace(target, **{key: value.value for key, value in chosen.items() if value is not None})
    return build_package(
        project, project.root / DIST, target=target, kind=Kind.MIGRATE if migrations else Kind.API
    )


def _record(built: Package) -> dict[str, Any]:
    return {
        "artifact": str(built.zip),
        "handler": built.handler,
        "runtime": built.target.runtime,
        "architecture": built.target.architecture,
        "head": built.revisions.head,
        "megabytes": round(built.size / 1e6, 1),
        "unzipped_megabytes": round(built.unzipped / 1e6, 1),
        "sha256": built.sha256,
    }


def _show_folder(project: Project, folder: Path, output_format: OutputFormat) -> None:
    from infra.aws.artifact import build_folder  # noqa: PLC0415 - not paid for by other commands

    artifact = build_folder(project, folder)
    size = sum(file.stat().st_size for file in artifact.folder.rglob("*") if file.is_file())
    record = {
        "artifact": str(artifact.folder),
        "handler": artifact.handler,
        "head": artifact.revisions.head,
        "megabytes": round(size / 1e6, 1),
        "fingerprint": artifact.fingerprint,
    }
    output.show(record, output_format)


def _explain(built: Package, output_format: OutputFormat) -> None:
    from infra.aws import explain  # noqa: PLC0415 - not paid for by other commands

    heaviest = explain.weights(built)
    reason = explain.why_not_run(built)
    times = [] if reason else explain.import_times(built)
    if output_format is not OutputFormat.TABLE:
        record = _record(built)
        record["packages"] = [asdict(weight) for weight in heaviest]
        record["imports"] = [asdict(each) for each in times]
        output.show(record | {"imports_not_measured": reason}, output_format)
        return
    rows = [
        {"package": each.package, "zipped": _megabytes(each.zipped), "unzipped": _megabytes(each.unzipped)}
        for each in heaviest[:_HEAVIEST]
    ]
    rows.append({"package": "all", "zipped": _megabytes(built.size), "unzipped": _megabytes(built.unzipped)})
    output.show_rows(
        rows, output_format, columns={"package": "PACKAGE", "zipped": "ZIPPED MB", "unzipped": "UNZIPPED MB"}
    )
    if reason:
        output.say(f"The time of its imports was not measured: {reason}")
        return
    lines = [
        {
            "module": "  " * each.depth + each.module,
            "total": f"{each.total * 1000:.0f}",
            "own": f"{each.own * 1000:.0f}",
        }
        for each in times
    ]
    output.show_rows(lines, output_format, columns={"module": "IMPORTED", "total": "MS", "own": "OF ITS OWN"})


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f}"
