"""The SQL of revisions, statement by statement, each with the line that it comes from.

Alembic runs the revisions offline, in the project's own environment, and writes into a buffer that
looks at who is writing.
"""

from __future__ import annotations

import inspect
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from alembic import command
from alembic.ddl.impl import DefaultImpl

from infra.migrate.linting.scanner import source, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from alembic.config import Config

    from infra.migrate.history import Revision
    from infra.migrate.linting.scanner import Token

_COMMIT: Final = DefaultImpl.emit_commit.__code__
_BEGIN: Final = DefaultImpl.emit_begin.__code__


@dataclass(frozen=True, slots=True)
class Sql:
    """One statement of a revision.

    Args:
        text: It, without its semicolon.
        tokens: The same, scanned.
        line: Of the revision's file, from 1.
        transaction: Number of its transaction in the revision, from 0; `None` in an autocommit block.
    """

    text: str
    tokens: tuple[Token, ...]
    line: int
    transaction: int | None


@dataclass(frozen=True, slots=True)
class Source:
    """A revision and its statements.

    Args:
        revision: Which.
        statements: In order; those up to the failure where there is one.
        failure: Why the rest is not known: the revision asks the database, or is wrong.
        failed_line: Where.
    """

    revision: Revision
    statements: tuple[Sql, ...]
    failure: str | None = None
    failed_line: int = 1


def sources(config: Config, revisions: Sequence[Revision]) -> tuple[Source, ...]:
    """Return the SQL of revisions that follow each other, the first of the history included.

    Args:
        config: As `alembic_config` yields it.
        revisions: From the history's first, in order.
    """
    found: list[Source] = []
    # A revision that fails ends Alembic's run; the next one begins after it.
    while len(found) < len(revisions):
        recorder = _Recorder({str(each.path): each.id for each in revisions})
        start = found[-1].revision.id if found else "base"
        failure, at = _run(config, recorder, f"{start}:{revisions[-1].id}")
        for revision in revisions[len(found) :]:
            if failure is not None and revision.id == at[0]:
                found.append(Source(revision, recorder.of(revision), failure, at[1]))
                break
            found.append(Source(revision, recorder.of(revision)))
    return tuple(found)


def _run(config: Config, recorder: _Recorder, span: str) -> tuple[str | None, tuple[str, int]]:
    """Run revisions offline; return why that ended early, in which revision, and on which line."""
    config.output_buffer = recorder
    config.attributes["on_version_apply"] = (recorder.next,)
    try:
        command.upgrade(config, span, sql=True)
    except Exception as error:
        frame = error.__traceback__
        places = []
        while frame is not None:
            path = frame.tb_frame.f_code.co_filename
            if path in recorder.files:
                places.append((recorder.files[path], frame.tb_lineno))
            frame = frame.tb_next
        if not places:
            raise
        # The first name is the revision's own: one may call another's functions.
        return f"{type(error).__name__}: {error}".splitlines()[0], (places[0][0], places[-1][1])
    return None, ("", 0)


class _Recorder(io.StringIO):
    """What Alembic takes for its output."""

    def __init__(self, files: dict[str, str]) -> None:
        super().__init__()
        self.files = files
        self.statements: dict[str, list[Sql]] = {}
        self.transaction = -1
        self.autocommit = False

    def of(self, revision: Revision) -> tuple[Sql, ...]:
        return tuple(self.statements.get(revision.id, ()))

    def next(self, **_: Any) -> None:
        """Begin the next revision's count of transactions."""
        self.transaction = -1

    def write(self, text: str) -> int:
        revision, line = None, 1
        for frame in _callers():
            code = frame.f_code
            if code is _COMMIT:
                # Of an autocommit block, when a revision is what calls; else of the whole revision.
                self.autocommit = True
                return len(text)
            if code is _BEGIN:
                self.autocommit = False
                self.transaction += 1
                return len(text)
            if revision is None and code.co_filename in self.files:
                revision, line = self.files[code.co_filename], frame.f_lineno
        # All else is Alembic's and the kit's own bookkeeping.
        if revision is not None:
            number = None if self.autocommit else max(self.transaction, 0)
            self.statements.setdefault(revision, []).extend(
                Sql(source(text, tokens), tokens, line, number) for tokens in split(text)
            )
        return len(text)


def _callers() -> Iterator[FrameType]:
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        yield frame
        frame = frame.f_back
