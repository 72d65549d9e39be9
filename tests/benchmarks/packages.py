"""Cold start of the zip itself, unzipped, on each of Lambda's Pythons that this machine has."""

from __future__ import annotations

import shutil
import statistics
import sys
import zipfile
from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING, Final

from infra.aws import distributions, interpreters
from infra.aws.bytecode import compile_folder
from infra.aws.package import build_package
from infra.aws.target import Target
from infra.aws.uv import run_uv
from infra.config import load_project
from tests.benchmarks.artifacts import PYCACHE, imports_only
from tests.benchmarks.functions import LIST, variables
from tests.benchmarks.runtime import FunctionProcess
from tests.benchmarks.table import Goal, Result

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.interpreters import Interpreter
    from infra.config import Project
    from tests.benchmarks.world import Place

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
KINDS: Final = ("the zip", "the zip without its .pyc", "the same imports, no work")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function on one Python.

    Args:
        python: Its minor version.
        kind: One of `KINDS`.
        task: The folder that Lambda calls the task root.
        runtime: AWS's runtime client, for this Python.
        handler: Lambda's notation.
        interpreter: What runs it.
    """

    python: str
    kind: str
    task: Path
    runtime: Path
    handler: str
    interpreter: Interpreter


def cold_start(root: Path, folder: Path, place: Place, runs: int) -> Result:
    """Start each function anew, in turn, and ask it for a list."""
    project = load_project(root)
    found = {python: interpreters.find(python) for python in PYTHONS}
    candidates = [
        candidate
        for python, interpreter in found.items()
        if interpreter is not None
        for candidate in _candidates(project, folder / python, interpreter)
    ]
    taken: dict[tuple[str, str], list[float]] = {(it.python, it.kind): [] for it in candidates}
    for number in range(runs + 1):
        for it in candidates:
            environment = variables(place.database.pooled)
            with FunctionProcess(
                it.task, it.runtime, it.handler, environment, it.interpreter.executable
            ) as function:
                _, seconds = function.get(LIST)
                if number:  # the first round fills the disk cache
                    taken[it.python, it.kind].append(function.init_seconds + seconds)
    medians = {key: statistics.median(each) for key, each in taken.items()}
    missing = [python for python, interpreter in found.items() if interpreter is None]
    absent = f" This machine has no Python {' and '.join(missing)}." if missing else ""
    goals = []
    for python in dict.fromkeys(it.python for it in candidates):
        ours, source, imports = (medians[python, kind] for kind in KINDS)
        goals += [
            Goal(f"on Python {python}, the zip in terms of the same imports", ours / imports, 1.25),
            Goal(f"on Python {python}, the zip in terms of itself without .pyc", ours / source, 0.45),
        ]
    return Result(
        "Cold start of the zip",
        f"What `bough package` builds for this processor, unzipped: process start to the answer of the first "
        f"request (`GET {LIST}`) under AWS's runtime client, median of {runs} runs each, in turn.{absent}",
        ("Python", "function", "both, ms", "in terms of the zip"),
        [
            (
                it.interpreter.version,
                it.kind,
                f"{median * 1000:.0f}",
                f"{median / medians[it.python, KINDS[0]]:.2f}",
            )
            for it, median in zip(candidates, medians.values(), strict=True)
        ],
        goals,
    )


def _candidates(project: Project, folder: Path, interpreter: Interpreter) -> list[Candidate]:
    """Build one Python's package, and what it is compared with."""
    python = ".".join(interpreter.version.split(".")[:2])
    target = replace(Target.this_machine(), runtime=f"python{python}")
    package = build_package(project, folder, target=target)
    task, source, imports = folder / "task", folder / "source", folder / "imports"
    with zipfile.ZipFile(package.zip) as archive:
        archive.extractall(task)
    shutil.copytree(task, source, ignore=PYCACHE)
    imports_only(shutil.copytree(source, imports), task, interpreter.executable)
    runtime = _runtime(project, folder / "runtime", target, interpreter)
    tasks = zip(KINDS, (task, source, imports), strict=True)
    handlers = {KINDS[2]: "imports_only.handler"}
    return [
        Candidate(python, kind, each, runtime, handlers.get(kind, package.handler), interpreter)
        for kind, each in tasks
    ]


def _runtime(project: Project, folder: Path, target: Target, interpreter: Interpreter) -> Path:
    """Install AWS's runtime client for a Python: the releases that this one has."""
    names = distributions.closure(["awslambdaric"])
    run_uv(
        project.root,
        "install AWS's runtime client",
        [
            *("pip", "install", "--python", sys.executable, "--no-deps", "--only-binary", ":all:"),
            *("--python-version", target.python, "--python-platform", target.platform),
            *("--link-mode", "copy", "--target", str(folder)),
            *(f"{name}=={metadata.version(name)}" for name in names),
        ],
    )
    compile_folder(folder, interpreter.executable)
    return folder
