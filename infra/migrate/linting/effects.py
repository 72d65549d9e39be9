"""What a statement does to relations: which lock it takes on each, and how much work it does under it.

The modes and the work are PostgreSQL's, measured on 15 and 18; where those two differ, the slower is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from infra.migrate.lock_modes import MODES, Blocks, blocks

if TYPE_CHECKING:
    from infra.migrate.linting.scanner import Token

#: Those under which nobody can write; under the last, nobody can read either.
BLOCKING: Final = frozenset(mode for mode in MODES if blocks(mode) is not Blocks.NOTHING)


class Work(StrEnum):
    """What is done to the table while the lock is held, as a message has it before the table's name.

    Only the first takes no longer the larger the table is.
    """

    INSTANT = "instant"
    ROWS = "changes rows of"
    SCAN = "reads all of"
    BUILD = "builds an index of"
    REWRITE = "rewrites"


class Change(StrEnum):
    """Kinds of change, as far as a rule tells them apart."""

    CREATE_TABLE = "create table"
    DROP_TABLE = "drop table"
    RENAME = "rename"
    MOVE = "move to another schema"
    ADD_COLUMN = "add column"
    ADD_REQUIRED_COLUMN = "add required column"
    DROP_COLUMN = "drop column"
    ALTER_TYPE = "change type"
    NARROW_TYPE = "narrow type"
    SET_NOT_NULL = "set not null"
    DROP_DEFAULT = "drop default"
    ADD_CONSTRAINT = "add constraint"
    ADD_VALIDATED = "add validated constraint"
    ADD_FOREIGN_KEY = "add foreign key"
    REFERENCED = "reference"
    VALIDATE = "validate constraint"
    DROP_CONSTRAINT = "drop constraint"
    CREATE_INDEX = "create index"
    DROP_INDEX = "drop index"
    REINDEX = "rebuild index"
    CREATE_TRIGGER = "create trigger"
    DISABLE_TRIGGER = "disable trigger"
    DROP_TRIGGER = "drop trigger"
    CREATE_POLICY = "create policy"
    DROP_POLICY = "drop policy"
    ENABLE_POLICIES = "enable policies"
    DISABLE_POLICIES = "disable policies"
    DROP_OTHER = "drop"
    ATTACH = "attach partition"
    DETACH = "detach partition"
    ALTER = "alter"
    WRITE = "write"
    UNBOUNDED_WRITE = "write to every row"
    INSERT = "insert"
    TRUNCATE = "truncate"
    REWRITE = "rewrite"
    REFRESH = "refresh beside readers"
    LOCK = "lock"
    MAINTAIN = "maintain"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement does to one relation.

    Args:
        change: Which kind.
        relation: Its qualified name; one without a schema is taken for one of `public`.
        mode: The lock, as `pg_locks` has it.
        work: What is done under it.
        detail: The column, constraint, index or trigger, where there is one.
    """

    change: Change
    relation: str
    mode: str
    work: Work = Work.INSTANT
    detail: str = ""

    @property
    def blocks(self) -> bool:
        """Whether others cannot write meanwhile, or not even read.

        Nobody uses a new table, and nothing but REFRESH writes to its view.
        """
        return self.mode in BLOCKING and self.change not in {Change.CREATE_TABLE, Change.REFRESH}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, read.

    Args:
        tokens: It, without its semicolon.
        effects: What it does, in order; empty for one that touches no relation, or that is not understood.
        made: Qualified names of the tables that it makes.
    """

    tokens: tuple[Token, ...]
    effects: tuple[Effect, ...] = ()
    made: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Its keywords and marks, nothing in the place of other tokens."""
        return tuple(token.word for token in self.tokens)

    def starts(self, *words: str) -> bool:
        """Tell whether it begins with these words."""
        return self.words[: len(words)] == words


def short(relation: str) -> str:
    """Return a relation's name as people write it."""
    return relation.removeprefix("public.")
