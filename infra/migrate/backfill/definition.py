"""What a backfill changes: a file `backfills/<name>.toml` in the migrations folder."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.migrate.backfill.errors import BackfillInvalidError, BackfillUnknownError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.config import Project

_KEYS: Final = ("description", "table", "set", "delete", "where")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

_EXAMPLE: Final = (
    'such as: table = "users", set = "email_lower = lower(email)", where = "email_lower IS NULL"'
)


@dataclass(frozen=True, slots=True)
class Definition:
    """A backfill.

    Args:
        name: The file's, without `.toml`; what was done is recorded under it.
        description: For people.
        table: As SQL names it, `users` or `sales.orders`.
        set: What stands after SET; `None` to delete the rows.
        where: Which rows still have to be changed. A changed row no longer meets it, so that running
            again changes nothing.
    """

    name: str
    description: str
    table: str
    set: str | None
    where: str

    @property
    def digest(self) -> str:
        """SHA-256 of what it does, in hexadecimal."""
        return hashlib.sha256(json.dumps([self.set, self.where]).encode()).hexdigest()


def folder(project: Project) -> Path:
    """Return where the definitions lie."""
    return project.root / project.migrations / "backfills"


def names(project: Project) -> tuple[str, ...]:
    """Return the names of all definitions, sorted."""
    return tuple(sorted(path.stem for path in folder(project).glob("*.toml")))


def read(project: Project, name: str) -> Definition:
    """Read a definition.

    Raises:
        BackfillUnknownError: There is no such file.
        BackfillInvalidError: It cannot be meant; the message names the file, and the key if it is one.
    """
    path = folder(project) / f"{name}.toml"
    if not _NAME.fullmatch(name) and name in names(project):
        hint = "rename it: at most 63 lower-case letters, digits, - and _"
        raise BackfillInvalidError(f"{path} cannot be a backfill's file", hint=hint)
    if not _NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(names(project)) or "none"
        message = f"there is no backfill {name!r} in {folder(project)}"
        raise BackfillUnknownError(message, hint=f"there are: {known}")
    try:
        given = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BackfillInvalidError(f"{path} cannot be read: {error}") from error
    for key, value in given.items():
        _check(path, key, value)
    for key in ("table", "where"):
        if key not in given:
            raise BackfillInvalidError(f"{path} has no key {key!r}", hint=_EXAMPLE)
    if ("set" in given) == bool(given.get("delete")):
        raise BackfillInvalidError(f"{path} must have either set or delete = true", hint=_EXAMPLE)
    return Definition(name, given.get("description", ""), given["table"], given.get("set"), given["where"])


def _check(path: Path, key: str, value: object) -> None:
    if key not in _KEYS:
        near = difflib.get_close_matches(key, _KEYS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(_KEYS)}"
        raise BackfillInvalidError(f"{path} has no use for the key {key!r}", hint=hint)
    if key == "delete":
        if not isinstance(value, bool):
            raise BackfillInvalidError(f"{key} in {path} must be true or false")
    elif not isinstance(value, str) or not value.strip():
        raise BackfillInvalidError(f"{key} in {path} must be a string that is not empty", hint=_EXAMPLE)
