"""Artifacts of a test's own: a module, and SQLAlchemy with its driver; no second passes while one is made."""

from __future__ import annotations

import textwrap
from importlib import metadata
from typing import TYPE_CHECKING

from infra.aws import distributions
from infra.migrate.rehearsal.code import Code

if TYPE_CHECKING:
    from pathlib import Path


def link_libraries(folder: Path, driver: str) -> None:
    """Link what an artifact with a database needs; this environment's copies are compiled already."""
    extras = {"asyncpg": ["greenlet"], "psycopg": ["psycopg-binary"]}
    for name in distributions.closure(["sqlalchemy", driver, *extras[driver]]):
        for top in {file.parts[0] for file in metadata.files(name) or () if ".." not in file.parts}:
            (folder / top).symlink_to(metadata.distribution(name).locate_file(top))


def small_artifact(folder: Path, source: str, driver: str = "asyncpg") -> Code:
    """Make an artifact whose module `shop` is `source`: its metadata, and its handler where it has one."""
    folder.mkdir()
    link_libraries(folder, driver)
    (folder / "shop.py").write_text(textwrap.dedent(source))
    return Code("deployed code", folder, "shop.handler", "shop:app", "shop:metadata", {})
