"""What a project says about itself: `[tool.bough]` in its pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from infra.config_tables import (
    DEFAULT_STAGES,
    TABLES,
    AwsSettings,
    BranchSettings,
    ConfigError,
    MigrateSettings,
    SmokeSettings,
    StageSettings,
    check_key,
    kind,
    read_stages,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME: Final = r"[^\W\d]\w*"
_DOTTED: Final = rf"{_NAME}(\.{_NAME})*"

#: What each string key must look like, and how to say so.
_SYNTAX: Final = {
    "app": (re.compile(rf"{_DOTTED}:{_DOTTED}"), 'an import string, "package.module:attribute"'),
    "handler": (re.compile(rf"{_NAME}([./]{_NAME})+"), 'Lambda\'s notation, "package.module.function"'),
    "metadata": (re.compile(rf"{_DOTTED}:{_DOTTED}"), 'an import string, "package.module:attribute"'),
    "migrations": (re.compile(r"[^/].*"), "a folder, relative to pyproject.toml"),
}

#: The keys that are lists, and how to write them.
_EXAMPLES: Final = {"include": '["shared", "templates/*.html"]', "extras": '["supabase"]'}


@dataclass(frozen=True, slots=True)
class Project:
    """A project on this machine, as its pyproject.toml describes it.

    Args:
        root: The folder of pyproject.toml, absolute.
        name: `[project].name`, or the folder's name.
        app: Import string of the ASGI app that the default handler wraps.
        handler: What Lambda calls, in its own notation.
        include: Glob patterns, relative to `root`, of files and folders that the artifact holds
            besides the top-level packages of `app` and `handler`. A match keeps its path; one
            below `src/` loses that prefix.
        extras: Those of `[project.optional-dependencies]` whose requirements ship too.
        metadata: Import string of SQLAlchemy's `MetaData`.
        migrations: Alembic's folder, relative to `root`; it need not exist.
        branches: Where the branches of its database are.
        migrate: How its revisions are applied and judged.
        smoke: What must answer before a version is given traffic.
        aws: Where and for what it is deployed.
        stages: Its deployments, by name.
    """

    root: Path
    name: str
    app: str = "api.app:app"
    handler: str = "api.handler.handler"
    include: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    metadata: str = "api.models:metadata"
    migrations: str = "migrations"
    branches: BranchSettings = field(default_factory=BranchSettings)
    migrate: MigrateSettings = field(default_factory=MigrateSettings)
    smoke: SmokeSettings = field(default_factory=SmokeSettings)
    aws: AwsSettings = field(default_factory=AwsSettings)
    stages: Mapping[str, StageSettings] = field(default_factory=lambda: DEFAULT_STAGES)

    @property
    def service(self) -> str:
        """What the names of all that is deployed begin with; `find_stage` refuses one that cannot."""
        return self.aws.service or self.name


_KEYS: Final = tuple(each.name for each in fields(Project) if each.name not in {"root", "name"})


def load_project(start: Path) -> Project:
    """Find and read the project that `start` (a folder) lies in.

    It is the nearest folder upwards whose pyproject.toml has `[tool.bough]`; where none has, the
    nearest with a pyproject.toml at all, with every key at its default.

    Raises:
        ConfigError: There is no pyproject.toml, it is not TOML, or `[tool.bough]` is wrong.
    """
    start = start.resolve()
    nearest: tuple[Path, dict[str, Any]] | None = None
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        document = _read(file)
        if "bough" in _table(document, "tool"):
            return _project(folder, document)
        nearest = nearest or (folder, document)
    if nearest is None:
        raise ConfigError(
            f"no pyproject.toml in {start} or above it",
            hint="run the command inside a project, or create one with `uv init`",
        )
    return _project(*nearest)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a table that other tools own; what is wrong with it is theirs to say."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _project(root: Path, document: Mapping[str, Any]) -> Project:
    table = _table(document, "tool").get("bough", {})
    file = root / "pyproject.toml"
    if not isinstance(table, dict):
        raise ConfigError(f"[tool.bough] in {file} must be a table, not {kind(table)}")
    for key, value in table.items():
        _check(file, key, value)
    metadata = _table(document, "project")
    _check_extras(file, table.get("extras", []), _table(metadata, "optional-dependencies"))
    lists = {key: tuple(table.get(key, ())) for key in ("include", "extras")}
    tables = {key: read_table(file, key, table.get(key, {})) for key in TABLES}
    stages = read_stages(file, table.get("stages", {}))
    given = {**table, **lists, **tables, "stages": stages}
    return Project(root=root, name=str(metadata.get("name", root.name)), **given)


def _check(file: Path, key: str, value: object) -> None:
    """Refuse a key that does not exist or a value of the wrong type or form."""
    check_key(file, "tool.bough", key, _KEYS)
    if key in TABLES or key == "stages":
        return
    if key in _EXAMPLES:
        _check_list(file, key, value)
        return
    if not isinstance(value, str):
        raise ConfigError(f"[tool.bough] {key} in {file} must be a string, not {kind(value)}")
    pattern, form = _SYNTAX[key]
    if not pattern.fullmatch(value):
        raise ConfigError(f"[tool.bough] {key} in {file} must be {form}, not {value!r}")


def _check_list(file: Path, key: str, value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ConfigError(
            f"[tool.bough] {key} in {file} must be a list of strings",
            hint=f"for example: {key} = {_EXAMPLES[key]}",
        )
    for pattern in value if key == "include" else ():
        if pattern.startswith("/") or ".." in pattern.split("/"):
            raise ConfigError(f"[tool.bough] include in {file}: {pattern!r} leads out of the project")


def _check_extras(file: Path, extras: list[str], known: Mapping[str, Any]) -> None:
    """Refuse an extra that the project does not declare: uv would say so only when it is packaged."""
    for extra in extras:
        if extra not in known:
            raise ConfigError(
                f"[tool.bough] extras in {file}: there is no extra {extra!r}",
                hint=f"[project.optional-dependencies] has {', '.join(known)}"
                if known
                else "declare it under [project.optional-dependencies]",
            )
