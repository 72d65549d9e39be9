"""The files of a migrations folder as text: who follows whom, read and changed without running them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

from infra.literals import Literal, literals
from infra.migrate.errors import HistoryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from infra.config import Project


@dataclass(frozen=True, slots=True)
class RevisionFile:
    """One revision as its file declares it.

    Args:
        path: The file.
        id: Of the revision.
        parents: Whom it follows; more than one only where two git branches were merged.
        contract: Whether it is a contract revision.
        down: Where `down_revision` gets its value.
    """

    path: Path
    id: str
    parents: tuple[str, ...]
    contract: bool
    down: Literal


@dataclass(frozen=True, slots=True)
class Edit:
    """One revision that shall follow another one.

    Args:
        file: The revision.
        parent: Whom it shall follow; `None` for nobody.
    """

    file: RevisionFile
    parent: str | None

    def __str__(self) -> str:
        """Say what changes."""
        before = ", ".join(self.file.parents) or "nothing"
        return f"{self.file.path.name}: down_revision {before} → {self.parent or 'nothing'}"

    def write(self) -> None:
        """Change the value of `down_revision`, and no other byte of the file."""
        source = self.file.path.read_bytes()
        down = self.file.down
        quote = re.search(rb"['\"]", source[down.start : down.end])
        mark = quote[0].decode() if quote else '"'
        value = "None" if self.parent is None else f"{mark}{self.parent}{mark}"
        self.file.path.write_bytes(source[: down.start] + value.encode() + source[down.end :])
        forget_bytecode(self.file.path)


def forget_bytecode(path: Path) -> None:
    """Delete a changed file's bytecode: of a file of the same size and second Python believes the old one."""
    Path(cache_from_source(str(path))).unlink(missing_ok=True)


def read(project: Project) -> dict[str, RevisionFile]:
    """Return the project's revisions by id, in the order of their files' names.

    Raises:
        HistoryError: A file is not Python, or does not give its ids as literals; two have one id.
    """
    found: dict[str, RevisionFile] = {}
    for path in sorted((project.root / project.migrations / "versions").glob("*.py")):
        try:
            names = literals(path)
        except (SyntaxError, ValueError) as error:
            message = f"{path} cannot be read: {error}"
            raise HistoryError(message) from error
        if "revision" not in names:
            continue
        revision, down, phase = names["revision"].value, names.get("down_revision"), names.get("phase")
        if down is None or not isinstance(revision, str):
            message = f"{path} does not give revision and down_revision as literals"
            raise HistoryError(message, hint='write them as revision = "…" and down_revision = "…"')
        if revision in found:
            message = f"{path.name} and {found[revision].path.name} are both revision {revision}"
            raise HistoryError(message, hint="give one of them another id")
        parents = down.value or ()
        parents = (parents,) if isinstance(parents, str) else tuple(parents)
        contract = phase is not None and phase.value == "contract"
        found[revision] = RevisionFile(path, revision, parents, contract, down)
    missing = {parent for file in found.values() for parent in file.parents} - found.keys()
    if missing:
        message = f"no file has revision {', '.join(sorted(missing))}, which others follow"
        raise HistoryError(message)
    return found


def with_ancestors(files: Mapping[str, RevisionFile], ids: Iterable[str]) -> frozenset[str]:
    """Return the ids with all that they follow; ids that no file has are left out."""
    found: set[str] = set()
    waiting = [each for each in ids if each in files]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting.extend(files[each].parents)
    return frozenset(found)


def heads(files: Mapping[str, RevisionFile], ids: Collection[str]) -> tuple[str, ...]:
    """Return those of the ids that none of the others follows, sorted."""
    followed = {parent for each in ids for parent in files[each].parents}
    return tuple(sorted(set(ids) - followed))


def in_order(files: Mapping[str, RevisionFile], ids: Collection[str]) -> tuple[str, ...]:
    """Return the ids, each after those that it follows; else in the order of the files' names.

    Raises:
        HistoryError: Some follow each other in a circle.
    """
    ordered: list[str] = []
    waiting = [each for each in files if each in ids]
    while waiting:
        free = next((e for e in waiting if not set(files[e].parents) & set(waiting)), None)
        if free is None:
            message = f"revisions follow each other in a circle: {', '.join(sorted(waiting))}"
            raise HistoryError(message)
        ordered.append(free)
        waiting.remove(free)
    return tuple(ordered)
