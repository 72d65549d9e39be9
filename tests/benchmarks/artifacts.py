"""The artifacts that are compared, built from the same locked dependencies."""

from __future__ import annotations

import ast
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.aws import dependencies, interpreters
from infra.aws.artifact import build_folder
from infra.aws.bytecode import compile_folder
from infra.aws.target import Target
from infra.config import load_project
from infra.local.runtime_folder import runtime_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
PYCACHE: Final = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Folders and what Lambda would call in them.

    Args:
        runtime: AWS's runtime client.
        ours: What `bough package` builds.
        imports: The same libraries, imported as our application imports them, and nothing done with them.
        bare: asyncpg and no framework.
        seed: The seed documents' application with `.pyc` files.
        seed_source: The same as installers leave it in a folder: without them.
    """

    runtime: Path
    ours: Path
    imports: Path
    bare: Path
    seed: Path
    seed_source: Path


def build(root: Path, folder: Path) -> Artifacts:
    """Build all of them below `folder`."""
    project = load_project(root)
    ours = build_folder(project, folder / "ours").folder
    target = Target.this_machine()
    libraries = dependencies.installed(root, root / ".bough", target, interpreters.find(target.python))
    handlers = HERE / "handlers"

    imports = imports_only(_copy(libraries, folder / "imports"), ours)
    bare = _copy(libraries, folder / "bare")
    shutil.copy(handlers / "bare_asyncpg.py", bare)
    seed = _copy(libraries, folder / "seed")
    shutil.copytree(HERE / "seed_app", seed / "seed_app", ignore=PYCACHE)
    seed_source = folder / "seed_source"
    shutil.copytree(seed, seed_source, ignore=PYCACHE)
    for built in (bare, seed):
        compile_folder(built)
    return Artifacts(runtime_folder(folder / "ours"), ours, imports, bare, seed, seed_source)


def imports_only(folder: Path, ours: Path, python: Path | None = None) -> Path:
    """Add to libraries a handler that imports what ours does and answers nothing, compiled by `python`."""
    lines = "".join(f"import {name}\n" for name in sorted(set(_library_imports(ours))))
    text = (HERE / "handlers" / "answer_nothing.py").read_text()
    (folder / "imports_only.py").write_text(lines + text.replace("from __future__ import annotations\n", ""))
    compile_folder(folder, python)
    return folder


def _copy(libraries: Path, target: Path) -> Path:
    shutil.copytree(libraries, target)
    return target


def _library_imports(artifact: Path) -> Iterator[str]:
    """Yield the libraries' modules that the application's modules import when they are imported."""
    for file in (artifact / "api").rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            else:
                continue
            for name in names:
                top = artifact / name.partition(".")[0]
                if name.partition(".")[0] != "api" and (top.is_dir() or top.with_suffix(".py").exists()):
                    yield name
