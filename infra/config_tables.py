"""The tables below `[tool.bough]`: what each may hold, and what is refused."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final

from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class ConfigError(InfraError):
    """The project's configuration is missing or wrong; the message names the file and the key."""

    code: ClassVar[str] = "CONFIG_INVALID"
    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class BranchSettings:
    """`[tool.bough.branches]`: where the branches are; what is `None` is said elsewhere.

    Args:
        provider: Who hosts them: `local`, `neon` or `supabase`.
        project: Neon's project id or Supabase's project reference.
        database: The database that the application uses, where a branch has more than one.
        owner_role: The role that owns it, where a branch has more than one.
        application_role: What requests log in as.
    """

    provider: str | None = None
    project: str | None = None
    database: str | None = None
    owner_role: str | None = None
    application_role: str | None = None


@dataclass(frozen=True, slots=True)
class MigrateSettings:
    """`[tool.bough.migrate]`: how revisions are applied, and when one is not safe.

    Args:
        lock_timeout: Seconds that a statement waits for a lock. Short, because every later query of the
            table queues behind who waits for it.
        statement_timeout: Seconds that a statement may run.
        lock_wait: Seconds to wait for another migration of the same database.
        attempts: How often a revision is tried that meets a lock timeout or a deadlock.
        large_table: Rows from which on a table counts as large: rewriting it, or scanning it
            under a lock that blocks, is unsafe.
        blocked_care: Seconds of a blocked table from which on a revision needs care.
        blocked_unsafe: Seconds of a blocked table from which on it is unsafe.
        wal_care: Bytes of WAL from which on it needs care: replicas and restores must follow.
        traffic: File of the statements that `rehearse --traffic` makes, relative to pyproject.toml;
            derived from the tables without one.
        require_rehearsal: Whether `bough migrate apply` refuses what was not rehearsed as it is now, on a
            database that has revisions already.
    """

    lock_timeout: float = 5.0
    statement_timeout: float = 900.0
    lock_wait: float = 60.0
    attempts: int = 5
    large_table: int = 100_000
    blocked_care: float = 0.2
    blocked_unsafe: float = 1.0
    wal_care: int = 1_000_000_000
    traffic: str | None = None
    require_rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class SmokeSettings:
    """`[tool.bough.smoke]`: what must answer with success before a version is given traffic.

    Args:
        checks: Paths that are asked with GET; a 2xx passes. Without the key it is `/readyz`, where the
            app has that.
    """

    checks: tuple[str, ...] | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """What is asked."""
        return ("/readyz",) if self.checks is None else self.checks


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """`[tool.bough.aws]`: where and for what the project is deployed.

    Args:
        region: Of everything that is deployed; without it the environment's or the profile's.
        account: The twelve digits of the only account that may be changed; any without it.
        service: What names of functions, stacks and parameters begin with; without it the project's name.
        runtime: Lambda's name of the Python that the artifact is built for.
        architecture: Of the processor, `arm64` or `x86_64`.
        versions: How many published versions are kept besides those that an alias names.
    """

    region: str | None = None
    account: str | None = None
    service: str | None = None
    runtime: str = "python3.13"
    architecture: str = "arm64"
    versions: int = 5


@dataclass(frozen=True, slots=True)
class StageSettings:
    """`[tool.bough.stages.<name>]`: one deployment of the project.

    Args:
        branch: Id or name of the database branch that it works on; without it the default branch.
        kms_alias: Of the key that encrypts its parameters; AWS's own key for parameters without it.
    """

    branch: str | None = None
    kms_alias: str = "alias/aws/ssm"


DEFAULT_STAGES: Final[Mapping[str, StageSettings]] = {"production": StageSettings()}

#: The tables, by key.
TABLES: Final = {
    "aws": AwsSettings,
    "branches": BranchSettings,
    "migrate": MigrateSettings,
    "smoke": SmokeSettings,
}

#: What a service is called: with stage and function behind it, a function's name has 64 characters at most.
SERVICE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,15}")

#: What strings must look like that AWS would otherwise refuse much later, and how to say so.
_FORMS: Final = {
    ("aws", "region"): (re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]"), "a region, such as eu-central-1"),
    ("aws", "account"): (re.compile(r"[0-9]{12}"), "an account's twelve digits, as a string"),
    ("aws", "service"): (SERVICE_NAME, "lower-case letters, digits and dashes, 32 at most"),
    ("aws", "runtime"): (re.compile(r"python3\.1[1-4]"), "python3.11, python3.12, python3.13 or python3.14"),
    ("stages", "kms_alias"): (re.compile(r"alias/[A-Za-z0-9/_-]+"), "a key's alias, such as alias/shop"),
    ("aws", "architecture"): (re.compile(r"arm64|x86_64"), "arm64 or x86_64"),
}


def read_table(file: Path, key: str, value: object) -> Any:
    """Return the settings of `[tool.bough.<key>]`, an instance of `TABLES[key]`.

    Raises:
        ConfigError: It is no table, has an unknown key, or a value of the wrong type.
    """
    name = f"tool.bough.{key}"
    if not isinstance(value, dict):
        raise ConfigError(f"[{name}] in {file} must be a table, not {kind(value)}")
    settings = TABLES[key]
    _check_table(file, name, value, settings)
    for each, given in value.items():
        _check_form(file, key, each, given)
    if key == "smoke" and (other := [path for path in value.get("checks", ()) if not _is_path(path)]):
        raise ConfigError(
            f"[{name}] checks in {file}: {other[0]!r} is no path", hint="it begins with a slash: /readyz"
        )
    if key == "branches" and "project" in value and "provider" not in value:
        raise ConfigError(
            f"[{name}] project in {file} does not say whose it is",
            hint='add provider = "neon" or provider = "supabase"',
        )
    return settings(
        **{each: tuple(given) if isinstance(given, list) else given for each, given in value.items()}
    )


def read_stages(file: Path, value: object) -> Mapping[str, StageSettings]:
    """Return the settings of each `[tool.bough.stages.<name>]`; `DEFAULT_STAGES` where there is none.

    Raises:
        ConfigError: It is no table of tables, a name cannot be used, or a key or value is wrong.
    """
    if not isinstance(value, dict):
        raise ConfigError(f"[tool.bough.stages] in {file} must be a table, not {kind(value)}")
    for name, table in value.items():
        if not _STAGE_NAME.fullmatch(name):
            raise ConfigError(
                f"[tool.bough.stages] in {file}: {name!r} is no name of a stage",
                hint="it has lower-case letters, digits and dashes, 16 at most",
            )
        if not isinstance(table, dict):
            raise ConfigError(f"[tool.bough.stages.{name}] in {file} must be a table, not {kind(table)}")
        _check_table(file, f"tool.bough.stages.{name}", table, StageSettings)
        for key, given in table.items():
            _check_form(file, "stages", key, given)
    return {name: StageSettings(**table) for name, table in value.items()} or DEFAULT_STAGES


def _check_table(file: Path, name: str, table: dict[str, object], settings: type[Any]) -> None:
    known = {field.name: field.type for field in fields(settings)}
    for key, value in table.items():
        check_key(file, name, key, tuple(known))
        _check_value(file, name, key, value, str(known[key]))


def _check_form(file: Path, table: str, key: str, value: object) -> None:
    pattern, form = _FORMS.get((table, key), (None, ""))
    if pattern and not pattern.fullmatch(str(value)):
        raise ConfigError(f"[tool.bough.{table}] {key} in {file} must be {form}, not {value!r}")


def _is_path(text: str) -> bool:
    # What begins with two names another host.
    return text.startswith("/") and not text.startswith("//")


def _check_value(file: Path, table: str, key: str, value: object, type_: str) -> None:
    where = f"[{table}] {key} in {file}"
    if type_.startswith("str"):
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(
                f"{where} must be a string that is not empty", hint="leave the key out to have its default"
            )
    elif type_.startswith("tuple"):
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise ConfigError(f"{where} must be a list of strings")
    elif type_ == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{where} must be a boolean, not {kind(value)}")
    # A boolean is an int to Python, and none to TOML.
    elif isinstance(value, bool) or not isinstance(value, int if type_ == "int" else int | float):
        what = "an integer" if type_ == "int" else "a number"
        raise ConfigError(f"{where} must be {what}, not {kind(value)}")
    elif value <= 0:
        raise ConfigError(f"{where} must be more than 0, not {value}")


def check_key(file: Path, table: str, key: str, known: tuple[str, ...]) -> None:
    """Refuse a key that nobody reads.

    Raises:
        ConfigError: The hint has the nearest key.
    """
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        raise ConfigError(
            f"[{table}] in {file} has no key {key!r}",
            hint=f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(known)}",
        )


def kind(value: object) -> str:
    """Name a value's type as TOML does."""
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "an array"}
    return names.get(type(value), "a table" if isinstance(value, dict) else type(value).__name__)
