"""The revisions in a migrations folder: one linear history, and the way between two points of it."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from infra.migrate.errors import DatabaseAheadError, HistoryError, MultipleHeadsError, UnknownRevisionError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from alembic.script import Script

    from infra.config import Project

Phase = Literal["expand", "contract"]
PHASES: Final[tuple[Phase, ...]] = ("expand", "contract")

# `alembic.context` is one global of the process, and so is sys.path.
_ALEMBIC: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision.

    Args:
        id: Its own.
        message: Its docstring's first line.
        phase: That it declares; `expand` without a word.
        path: Its file.
        irreversible: Why it has no downgrade; `None` where it must have one.
    """

    id: str
    message: str
    phase: Phase
    path: Path
    irreversible: str | None = None


@contextmanager
def alembic_config(project: Project, **attributes: Any) -> Iterator[Config]:
    """Hand out Alembic's configuration of a project, to one thread at a time.

    `attributes` reach `migrations/env.py`. The project is importable meanwhile.

    Raises:
        HistoryError: There is no migrations folder.
    """
    folder = project.root / project.migrations
    if not (folder / "env.py").is_file():
        message = f"{folder} holds no env.py: there are no migrations"
        raise HistoryError(message, hint='set "migrations" of [tool.bough] in pyproject.toml')
    config = Config(toml_file=project.root / "pyproject.toml", attributes={"metadata": project.metadata})
    config.attributes.update(attributes)
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with _ALEMBIC:
        path = sys.path.copy()
        sys.path.insert(0, str(project.root))
        try:
            yield config
        finally:
            sys.path[:] = path


class History:
    """The revisions of a project, loaded.

    Raises:
        HistoryError: A revision cannot be imported, lacks its parent, or names another phase.
        MultipleHeadsError: There are several heads, and that does not do.
    """

    def __init__(self, config: Config, *, several_heads: bool = False) -> None:
        """Load and check every revision; with `several_heads` there may be, for going down from one."""
        try:
            self._scripts = ScriptDirectory.from_config(config)
            # From the oldest to the newest.
            self._all = tuple(reversed([_revision(s) for s in self._scripts.walk_revisions()]))
        except (CommandError, RevisionError) as error:
            raise HistoryError(str(error)) from error
        except Exception as error:
            message = f"a revision cannot be loaded: {type(error).__name__}: {error}"
            raise HistoryError(message) from error
        heads = self._scripts.get_heads()
        if len(heads) > 1 and not several_heads:
            raise _multiple_heads(self._scripts, heads)
        self.head: str | None = heads[0] if heads else None

    def __iter__(self) -> Iterator[Revision]:
        """Iterate from the oldest revision to the newest."""
        return iter(self._all)

    @property
    def is_line(self) -> bool:
        """Whether each revision follows the one before it alone: no git branches were merged."""
        scripts = [self._scripts.get_revision(revision.id) for revision in self._all]
        parents = [None, *(script.revision for script in scripts)]
        return all(script.down_revision == parent for script, parent in zip(scripts, parents, strict=False))

    def unknown(self, versions: Collection[str]) -> tuple[str, ...]:
        """Return those of a database's versions that no file here has."""
        known = {revision.id for revision in self._all}
        return tuple(sorted(set(versions) - known))

    def applied(self, versions: Collection[str]) -> frozenset[str]:
        """Return the ids of all that a database at `versions` has.

        Raises:
            DatabaseAheadError: A version is unknown here.
        """
        unknown = self.unknown(versions)
        if unknown:
            message = f"the database is at {', '.join(unknown)}, which this code does not have"
            raise DatabaseAheadError(message, hint="update your checkout: another one migrated this database")
        if not versions:
            return frozenset()
        return frozenset(s.revision for s in self._scripts.iterate_revisions(tuple(versions), "base"))

    def upgrades(self, versions: Sequence[str], target: str) -> tuple[Revision, ...]:
        """Return what leads from `versions` up to `target`, in the order of running.

        Raises:
            UnknownRevisionError: There is no such revision, or it does not lie above.
        """
        try:
            found = self._scripts.iterate_revisions(target, tuple(versions), implicit_base=True)
            return tuple(reversed([_revision(script) for script in found]))
        except (CommandError, RevisionError) as error:
            raise self._unknown(target, error) from error

    def downgrades(self, versions: Sequence[str], target: str) -> tuple[Revision, ...]:
        """Return what is undone from `versions` down to `target`, in the order of undoing.

        Raises:
            UnknownRevisionError: There is no such revision, or it does not lie below.
        """
        try:
            found = self._scripts.iterate_revisions(tuple(versions), target, select_for_downgrade=True)
            return tuple(_revision(script) for script in found)
        except (CommandError, RevisionError) as error:
            raise self._unknown(target, error) from error

    def below(self, undone: Sequence[Revision]) -> str:
        """Return where a database is after revisions were undone, the last of them last: an id, or `base`."""
        below = self._scripts.get_revision(undone[-1].id).down_revision
        if below is None:
            return "base"
        return below if isinstance(below, str) else f"{undone[-1].id}-1"

    def _unknown(self, target: str, error: Exception) -> UnknownRevisionError:
        latest = ", ".join(revision.id for revision in self._all[-5:]) or "none"
        return UnknownRevisionError(f"{target}: {error}", hint=f"the latest revisions are {latest}")


def _revision(script: Script) -> Revision:
    phase = getattr(script.module, "phase", PHASES[0])
    if phase not in PHASES:
        message = f"{script.path}: phase is {phase!r}, not one of {', '.join(PHASES)}"
        raise HistoryError(message)
    irreversible = getattr(script.module, "irreversible", None)
    if irreversible is not None and not (isinstance(irreversible, str) and irreversible.strip()):
        message = f"{script.path}: irreversible must say why, in a string that is not empty"
        raise HistoryError(message)
    return Revision(script.revision, script.doc, phase, Path(script.path), irreversible)


def _multiple_heads(scripts: ScriptDirectory, heads: Collection[str]) -> MultipleHeadsError:
    found = sorted((Path(scripts.get_revision(head).path) for head in heads), key=lambda path: path.name)
    message = f"the history has {len(found)} heads: {', '.join(path.name for path in found)}"
    hint = "put one after the other with: bough migrate rebase"
    return MultipleHeadsError(message, hint=hint)
