"""Write new revisions: what the models have and the database has not, or an empty one."""

from __future__ import annotations

import importlib.util
import io
import re
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alembic import command
from alembic.operations import ops
from alembic.util import CommandError

from infra.migrate import order
from infra.migrate.connection import TIMEOUTS, as_sqlalchemy, current_versions, open_connection
from infra.migrate.errors import (
    DatabaseBehindError,
    DirectUrlMissingError,
    HistoryError,
    InvalidMessageError,
    NothingToGenerateError,
    RevisionExistsError,
)
from infra.migrate.history import History, Phase, alembic_config
from infra.migrate.writing import checks, enums
from infra.migrate.writing.split import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    from api.database.connection_url import DirectUrl
    from infra.config import Project
    from infra.migrate.writing.parts import Change, Part
    from infra.migrate.writing.split import Operations

#: As `truncate_slug_length` of `[tool.alembic]`: a longer name would be cut.
_LONGEST: Final = 60


def new(
    project: Project,
    url: DirectUrl | None,
    message: str,
    *,
    autogenerate: bool = True,
    phase: Phase | None = None,
) -> tuple[Path, ...]:
    """Write `<date>_<slug of the message>.py`, and further ones beside it; return their paths in order.

    Args:
        project: Whose models and migrations.
        url: A database at the head, to compare the models with; unused unless `autogenerate`.
        message: One line; it names the file and becomes the docstring.
        autogenerate: Fill it with the difference; otherwise it is empty.
        phase: What the revision declares. Without one, an empty revision is expand, and a difference is
            divided: what takes away or tightens is contract, and what would block a table has its safe form.

    Raises:
        NothingToGenerateError: There is no difference.
        DatabaseBehindError: Revisions are pending: the difference would hold them again.
        InvalidMessageError: The message has no letters, more than one line, or quotes.
        RevisionExistsError: A revision of that name was written today already.
        MigrationError: The database or the history is at fault.
    """
    slug = _slug(message)
    if not slug or len(slug) > _LONGEST or re.search(r'["\\]|[^ -\U0010ffff]', message):
        text = f"{message!r} cannot name a revision"
        raise InvalidMessageError(
            text, hint=f"one line, at most {_LONGEST} characters, no quotes or backslashes"
        )
    with ExitStack() as stack:
        connection = None
        if autogenerate:
            if url is None:
                text = "comparing the models with the database needs its direct connection string"
                raise DirectUrlMissingError(text)
            connection = stack.enter_context(open_connection(url, TIMEOUTS))
        config = stack.enter_context(alembic_config(project))
        history = History(config)
        # Local time, as Alembic's in the file's name.
        naming = _Naming(
            message, f"{datetime.now(UTC).astimezone():%Y%m%d}", frozenset(known.id for known in history)
        )
        first = naming.named("")
        if connection is not None:
            versions = current_versions(connection)
            history.applied(versions)  # refuses a database that is ahead
            order.require(connection, history)
            behind = history.upgrades(versions, "head")
            if behind:
                text = f"the database lacks {', '.join(revision.id for revision in behind)}"
                hint = "run: bough migrate apply; the local world has waiting contracts, too, after: bough up"
                raise DatabaseBehindError(text, hint=hint)
            config.attributes["connection"] = stack.enter_context(as_sqlalchemy(connection))
        return _write(config, naming, first, phase, autogenerate=autogenerate)


@dataclass(frozen=True, slots=True)
class _Naming:
    """What revisions of one message are called."""

    message: str
    today: str
    taken: frozenset[str]

    def named(self, title: str) -> tuple[str, str]:
        """Return id and message of the revision with this title.

        Raises:
            InvalidMessageError: Its file's name would be cut.
            RevisionExistsError: There is one already.
        """
        message = f"{self.message.rstrip('.')}: {title}" if title else self.message
        slug = _slug(message)
        if len(slug) > _LONGEST:
            text = f"{message!r} cannot name a revision"
            raise InvalidMessageError(text, hint=f"at most {_LONGEST} characters with what is added to it")
        revision = f"{self.today}_{slug}"
        if revision in self.taken:
            text = f"revision {revision} exists already"
            raise RevisionExistsError(text, hint="choose another message")
        return revision, message


def _slug(message: str) -> str:
    return "_".join(re.findall(r"\w+", message)).lower()


def _write(
    config: Config,
    naming: _Naming,
    first: tuple[str, str],
    phase: Phase | None,
    *,
    autogenerate: bool,
) -> tuple[Path, ...]:
    if importlib.util.find_spec("ruff") is None:
        # An empty section hides the hooks of pyproject.toml, which format the file.
        config.set_section_option("post_write_hooks", "hooks", "")
    if phase == "contract":
        config.attributes["contracts"] = {first[0]}

    def divide(context: MigrationContext, _revision: Any, scripts: list[ops.MigrationScript]) -> None:
        up, down = scripts[0].upgrade_ops, scripts[0].downgrade_ops
        if not autogenerate or up is None or down is None:
            return
        types, constraints = _overlooked(context)
        if up.is_empty() and not types and not constraints:
            raise NothingToGenerateError(
                "nothing that can be generated differs between the models and the database",
                hint="is the table imported where [tool.bough] metadata points? bough migrate drift compares "
                "more, and bough migrate new --empty writes it by hand",
            )
        if phase is None:
            scripts[:] = _scripts(split(up, [*types, *constraints]), naming, config)
            return
        up.ops[:] = [*_all_up(types), *up.ops, *_all_up(constraints)]
        down.ops[:] = [*_all_down(constraints), *down.ops, *_all_down(types)]

    try:
        # Alembic and its hooks report to stdout, which is not theirs here.
        with redirect_stdout(io.StringIO()):
            written = command.revision(
                config,
                message=first[1],
                autogenerate=autogenerate,
                rev_id=first[0],
                process_revision_directives=divide,
            )
    except CommandError as error:
        raise HistoryError(str(error)) from error
    scripts = written if isinstance(written, list) else [written]
    return tuple(Path(script.path) for script in scripts if script is not None)


def _overlooked(context: MigrationContext) -> tuple[list[Change], list[Change]]:
    """Return what Alembic does not compare: types, and constraints."""
    connection, metadata = context.connection, context.opts["target_metadata"]
    include = context.opts["include_name"]
    assert connection is not None  # noqa: S101  only offline there is none
    constraints = checks.changes(
        connection, metadata, lambda table: include(table.name, "table", {"schema_name": table.schema})
    )
    return list(enums.changes(connection, metadata)), list(constraints)


def _all_up(changes: Iterable[Change]) -> Iterator[ops.MigrateOperation]:
    return (operation for change in changes for operation in change.up)


def _all_down(changes: Sequence[Change]) -> Iterator[ops.MigrateOperation]:
    return (operation for change in reversed(changes) for operation in change.down)


def _scripts(parts: Mapping[Part, Operations], naming: _Naming, config: Config) -> list[ops.MigrationScript]:
    """Return one revision for each part of what was found, each after the one before."""
    contracts = config.attributes["contracts"] = set()
    irreversible = config.attributes["irreversible"] = set()
    scripts: list[ops.MigrationScript] = []
    for part, operations in parts.items():
        # One that is alone needs no words to tell it from others.
        revision, message = naming.named(part.value if len(parts) > 1 else "")
        if part.phase == "contract":
            contracts.add(revision)
        if part.is_irreversible:
            irreversible.add(revision)
        scripts.append(
            ops.MigrationScript(
                revision,
                ops.UpgradeOps(operations.up),
                ops.DowngradeOps(operations.down),
                message=message,
                head=scripts[-1].rev_id if scripts else "head",
            )
        )
    return scripts
