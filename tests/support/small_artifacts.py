"""Artifacts of a test's own: a module, and SQLAlchemy with its driver; no second passes while one is made."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from infra.aws import distributions
from infra.migrate.rehearsal.code import Code

if TYPE_CHECKING:
    from pathlib import Path


def copy_libraries(folder: Path) -> Path:
    """Copy what an artifact with a database needs, once for many of them."""
    for name in distributions.closure(["sqlalchemy", "asyncpg", "greenlet"]):
        distributions.copy(name, folder)
    return folder


def small_artifact(folder: Path, libraries: Path, source: str, name: str = "code") -> Code:
    """Make an artifact whose module `shop` is `source`: its metadata, and its handler where it has one."""
    folder.mkdir()
    for each in libraries.iterdir():
        (folder / each.name).symlink_to(each)
    (folder / "shop.py").write_text(textwrap.dedent(source))
    return Code(name, folder, "shop.handler", "shop:app", "shop:metadata", {})
