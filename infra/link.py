"""`.bough/link.json`: the project and branch that this checkout works on; no secrets, never committed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from infra.config_tables import ConfigError
from infra.local.own_folder import folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

#: As messages name it.
NAME: Final = ".bough/link.json"


@dataclass(frozen=True, slots=True)
class Link:
    """What is pinned; it was checked with the provider when it was written.

    Args:
        provider: Who hosts the project.
        project_id: The provider's own.
        branch_id: `None` when only the project is pinned.
        branch_name: The branch's name at that time, for people; the id counts.
    """

    provider: str
    project_id: str
    branch_id: str | None = None
    branch_name: str | None = None


def read(root: Path) -> Link | None:
    """Return the link of the project in the folder `root`, if it has one.

    Raises:
        ConfigError: The file is not one that `write` wrote.
    """
    try:
        text = (root / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        document = json.loads(text)
        link = Link(**{field.name: document[field.name] for field in fields(Link)})
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(root) from error
    required, optional = (link.provider, link.project_id), (link.branch_id, link.branch_name)
    given = [*required, *(value for value in optional if value is not None)]
    if not all(isinstance(value, str) and value for value in given):
        raise _damaged(root)
    return link


def write(root: Path, link: Link) -> None:
    """Pin what `link` says, in place of what was pinned before."""
    folder(root)
    write_private(root / NAME, json.dumps(asdict(link), indent=2) + "\n")


def remove(root: Path) -> bool:
    """Pin nothing; return whether something was."""
    try:
        (root / NAME).unlink()
    except FileNotFoundError:
        return False
    return True


def _damaged(root: Path) -> ConfigError:
    return ConfigError(
        f"{root / NAME} is not a link that bough wrote",
        hint="remove it with `bough unlink`, and link again",
    )
