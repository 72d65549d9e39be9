"""Which of a project's own files go into its artifact, and where."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.config_tables import ConfigError
from infra.errors import InfraError
from infra.literals import literals

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from infra.config import Project

#: This kit's own default handler, shipped to projects that have none.
KIT_API: Final = Path(__file__).resolve().parents[2] / "api"

#: Folders and files that nothing imports at run time.
SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "tests"})
SKIPPED_SUFFIXES: Final = frozenset(
    {".pyc", ".pyi", ".c", ".h", ".cc", ".cpp", ".hpp", ".pyx", ".pxd", ".pxi"},
)

#: The dependency group that the migration function has besides what the API has.
MIGRATE_GROUP: Final = "migrate"

#: What migrates the database from inside AWS; it ships with the whole of `infra`.
MIGRATION_HANDLER: Final = "infra.migrate.function.handler"

#: Written into the artifact by `contents.py`.
BUILD_MODULE: Final = "api/build.py"


class RevisionsError(InfraError):
    """The migrations folder does not hold one linear history."""

    code = "REVISIONS_INVALID"


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions that code is built with.

    Args:
        head: The newest; `None` without any.
        needed: The newest expand revision, without which the code does not work. A contract revision
            after it waits until this code is live.
        known: The ids of all, sorted.
    """

    head: str | None = None
    needed: str | None = None
    known: tuple[str, ...] = ()


def own_files(project: Project) -> dict[str, Path]:
    """Return the files to ship: path inside the artifact to path on disk, sorted.

    These are the top-level packages (or modules) of `app` and `handler`, what `include` matches,
    and this kit's handler where the project uses `api.handler` and has none. Hidden files never
    ship: a `.env` holds secrets.

    Raises:
        ConfigError: A package or an include pattern finds nothing, or `api` is taken by a module.
    """
    files: dict[str, Path] = {}
    for key, value in (("app", project.app.partition(":")[0]), ("handler", project.handler)):
        top = value.replace("/", ".").split(".")[0]
        found = _find(project.root, top)
        if found is not None:
            files.update(_tree(found, found.name))
        elif not (key == "handler" and uses_kit_handler(project)):
            raise ConfigError(
                f'{key} = "{value}": no package or module {top!r} in {project.root} or its src/',
                hint=f"set {key} under [tool.bough] in pyproject.toml",
            )
    files.update(_included(project))
    if uses_kit_handler(project):
        if "api.py" in files:
            raise ConfigError(
                "the module api.py hides the package api of the default handler",
                hint="rename api.py, or name your own handler under [tool.bough]",
            )
        for name in ("__init__.py", "handler.py", "metrics.py", "parameters.py"):
            files.setdefault(f"api/{name}", KIT_API / name)
    if BUILD_MODULE in files:
        raise ConfigError(f"{files[BUILD_MODULE]} would be overwritten in the artifact", hint="rename it")
    return dict(sorted(files.items()))


def migration_files(project: Project) -> dict[str, Path]:
    """Return the files of the migration function: path inside the artifact to path on disk, sorted.

    These are the application's, whose models the revisions may import, the revisions, this kit's `infra`, and
    the pyproject.toml that says how revisions are applied.

    Raises:
        ConfigError: As `own_files`, or the project has no migrations, or not what applies them.
    """
    migrations = project.root / project.migrations
    if not migrations.is_dir():
        raise ConfigError(
            f"there is no folder {project.migrations} in {project.root}",
            hint="make the first revision with: bough migrate new",
        )
    pyproject = project.root / "pyproject.toml"
    if MIGRATE_GROUP not in tomllib.loads(pyproject.read_text(encoding="utf-8")).get("dependency-groups", {}):
        raise ConfigError(
            f"{pyproject} has no dependency group {MIGRATE_GROUP!r}, which the function that migrates needs",
            hint=f"add it with: uv add --group {MIGRATE_GROUP} alembic psutil 'psycopg[binary]'",
        )
    files = dict(_tree(KIT_API / "database", "api/database"))
    for name in ("__init__.py", "parameters.py"):
        files[f"api/{name}"] = KIT_API / name
    files |= own_files(project)
    files |= _tree(KIT_API.parent / "infra", "infra")
    files |= _tree(migrations, project.migrations)
    files["pyproject.toml"] = pyproject
    return dict(sorted(files.items()))


def uses_kit_handler(project: Project) -> bool:
    """Return whether `handler` is in `api.handler`, the module that this kit provides."""
    return project.handler.replace("/", ".").rpartition(".")[0] == "api.handler"


def revisions(folder: Path) -> Revisions:
    """Return the revisions of Alembic's folder.

    Reads the files without running them: a revision may import what only the project's own
    environment holds. There may be no folder, or no revision.

    Raises:
        RevisionsError: Several heads, or a file that is not Python.
    """
    parents: dict[str, tuple[str, ...]] = {}
    contracts: set[str] = set()
    for file in sorted((folder / "versions").glob("*.py")):
        try:
            names = {name: literal.value for name, literal in literals(file).items()}
        except (SyntaxError, ValueError) as error:
            raise RevisionsError(f"{file} cannot be read: {error}") from error
        if isinstance(revision := names.get("revision"), str):
            down = names.get("down_revision") or ()
            parents[revision] = (down,) if isinstance(down, str) else down
            if names.get("phase") == "contract":
                contracts.add(revision)
    heads = sorted(parents.keys() - frozenset().union(*parents.values()))
    if len(heads) > 1:
        raise RevisionsError(
            f"{folder} has {len(heads)} heads: {', '.join(heads)}",
            hint="put one after the other with: bough migrate rebase",
        )
    head = heads[0] if heads else None
    return Revisions(head, _newest_expand(head, parents, contracts), tuple(sorted(parents)))


def built_with(artifact: Path) -> Revisions:
    """Return what an artifact says that it was built with.

    Raises:
        RevisionsError: The folder holds no `api/build.py`.
    """
    try:
        names = literals(artifact / BUILD_MODULE)
        return Revisions(names["HEAD"].value, names["NEEDED"].value, tuple(names["REVISIONS"].value))
    except (OSError, SyntaxError, ValueError, KeyError) as error:
        raise RevisionsError(
            f"{artifact} does not say which revisions it was built with",
            hint="name a folder that was made by: bough package",
        ) from error


def _newest_expand(
    head: str | None, parents: Mapping[str, tuple[str, ...]], contracts: Container[str]
) -> str | None:
    needed = head
    while needed is not None and needed in contracts:
        # Two git branches that were merged need both sides: then the contract is needed, too.
        above = parents[needed]
        if len(above) > 1:
            break
        needed = above[0] if above else None
    return needed


def _find(root: Path, name: str) -> Path | None:
    for path in (root / name, root / f"{name}.py", root / "src" / name, root / "src" / f"{name}.py"):
        if path.is_dir() if path.suffix == "" else path.is_file():
            return path
    return None


def _included(project: Project) -> Iterator[tuple[str, Path]]:
    for pattern in project.include:
        matches = sorted(project.root.glob(pattern))
        if not matches:
            raise ConfigError(f"include {pattern!r} matches nothing in {project.root}")
        for match in matches:
            relative = match.relative_to(project.root).as_posix().removeprefix("src/")
            yield from _tree(match, relative)


def _tree(path: Path, target: str) -> Iterator[tuple[str, Path]]:
    """Yield a file, or a folder's files, but nothing hidden and nothing that is skipped."""
    if path.is_dir():
        for child in path.iterdir():
            if child.name not in SKIPPED_FOLDERS and not child.name.startswith("."):
                yield from _tree(child, f"{target}/{child.name}")
    elif path.suffix not in SKIPPED_SUFFIXES:
        yield target, path
