"""Write a new revision: what the models have and the database has not, or an empty one."""

from __future__ import annotations

import importlib.util
import io
import re
from contextlib import ExitStack, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alembic import command
from alembic.script import Script
from alembic.util import CommandError

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

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.operations.ops import MigrationScript

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
    phase: Phase = "expand",
) -> Path:
    """Write `<date>_<slug of the message>.py` and return its path.

    Args:
        project: Whose models and migrations.
        url: A database at the head, to compare the models with; unused unless `autogenerate`.
        message: One line; it names the file and becomes the docstring.
        autogenerate: Fill it with the difference; otherwise it is empty.
        phase: What the revision declares.

    Raises:
        NothingToGenerateError: There is no difference.
        DatabaseBehindError: Revisions are pending: the difference would hold them again.
        InvalidMessageError: The message has no letters, more than one line, or quotes.
        RevisionExistsError: A revision of that name was written today already.
        MigrationError: The database or the history is at fault.
    """
    slug = "_".join(re.findall(r"\w+", message)).lower()
    if not slug or len(slug) > _LONGEST or re.search(r'["\\]|[^ -\U0010ffff]', message):
        text = f"{message!r} cannot name a revision"
        raise InvalidMessageError(
            text, hint=f"one line, at most {_LONGEST} characters, no quotes or backslashes"
        )
    # Local time, as Alembic's in the file's name.
    today = datetime.now(UTC).astimezone()
    revision = f"{today:%Y%m%d}_{slug}"
    with ExitStack() as stack:
        connection = None
        if autogenerate:
            if url is None:
                text = "comparing the models with the database needs its direct connection string"
                raise DirectUrlMissingError(text)
            connection = stack.enter_context(open_connection(url, TIMEOUTS))
        config = stack.enter_context(alembic_config(project, phase=phase))
        history = History(config)
        if revision in {known.id for known in history}:
            text = f"revision {revision} exists already"
            raise RevisionExistsError(text, hint="choose another message")
        if connection is not None:
            versions = current_versions(connection)
            history.applied(versions)  # refuses a database that is ahead
            behind = history.upgrades(versions, "head")
            if behind:
                text = f"the database lacks {len(behind)} revisions, from {behind[0].id} on"
                raise DatabaseBehindError(text, hint="run: bough migrate apply")
            config.attributes["connection"] = stack.enter_context(as_sqlalchemy(connection))
        return _write(config, message, revision, autogenerate=autogenerate)


def _write(config: Config, message: str, revision: str, *, autogenerate: bool) -> Path:
    if importlib.util.find_spec("ruff") is None:
        # An empty section hides the hooks of pyproject.toml, which format the file.
        config.set_section_option("post_write_hooks", "hooks", "")

    def refuse_empty(_context: Any, _revision: Any, scripts: list[MigrationScript]) -> None:
        if autogenerate and scripts[0].upgrade_ops is not None and scripts[0].upgrade_ops.is_empty():
            text = "the models and the database agree already"
            raise NothingToGenerateError(
                text,
                hint="is the table imported where [tool.bough] metadata points? --empty writes one by hand",
            )

    try:
        # Alembic and its hooks report to stdout, which is not theirs here.
        with redirect_stdout(io.StringIO()):
            script = command.revision(
                config,
                message=message,
                autogenerate=autogenerate,
                rev_id=revision,
                process_revision_directives=refuse_empty,
            )
    except CommandError as error:
        raise HistoryError(str(error)) from error
    if not isinstance(script, Script):
        text = "Alembic wrote no single revision"
        raise HistoryError(text)
    return Path(script.path)
