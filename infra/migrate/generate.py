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
from infra.migrate.connection import as_sqlalchemy, current_versions, open_connection
from infra.migrate.errors import (
    DatabaseBehindError,
    DirectUrlMissingError,
    HistoryError,
    InvalidMessageError,
    NothingToGenerateError,
    RevisionExistsError,
)
from infra.migrate.history import History, Phase, alembic_config
from infra.migrate.runner import TIMEOUTS
from infra.migrate.writing.split import split

if TYPE_CHECKING:
    from alembic.config import Config

    from api.database.connection_url import DirectUrl
    from infra.config import Project

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
                text = f"the database lacks {len(behind)} revisions, from {behind[0].id} on"
                hint = "run: bough migrate apply; one that has contract revisions too is that of: bough up"
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
    contracts = config.attributes["contracts"] = {first[0]} if phase == "contract" else set()

    def divide(_context: Any, _revision: Any, scripts: list[ops.MigrationScript]) -> None:
        found = scripts[0].upgrade_ops
        if not autogenerate or found is None:
            return
        if found.is_empty():
            text = "the models and the database agree already"
            raise NothingToGenerateError(
                text,
                hint="is the table imported where [tool.bough] metadata points? --empty writes one by hand",
            )
        if phase is None:
            scripts[:] = _scripts(found, naming, contracts)

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


def _scripts(found: ops.UpgradeOps, naming: _Naming, contracts: set[str]) -> list[ops.MigrationScript]:
    """Return one revision for each part of what was found, each after the one before."""
    parts = split(found)
    scripts: list[ops.MigrationScript] = []
    for part, operations in parts.items():
        # One that is alone needs no words to tell it from others.
        revision, message = naming.named(part.value if len(parts) > 1 else "")
        if part.phase == "contract":
            contracts.add(revision)
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
