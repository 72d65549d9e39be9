"""A revision as the rules see it: its statements read, and how large the tables are that they touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.migrate.findings import Finding, Verdict
from infra.migrate.linting.effects import Effect, Statement, Work, short
from infra.migrate.linting.statements import read as read_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.migrate.history import Revision
    from infra.migrate.linting.schema import Schema
    from infra.migrate.linting.sources import Source, Sql


@dataclass(frozen=True, slots=True)
class Tables:
    """How large tables are.

    Args:
        new: Those that the pending revisions make themselves; nobody uses them yet.
        rows: Of the target's tables, as it estimates them; `None` where none is asked: then all are large.
        large: Rows from which on a table is large.
    """

    new: frozenset[str]
    rows: Mapping[str, int] | None
    large: int

    def is_there(self, relation: str) -> bool:
        """Tell whether somebody may be using it."""
        return relation not in self.new

    def is_large(self, relation: str) -> bool:
        """Tell whether work on it takes long."""
        if relation in self.new:
            return False
        return self.rows is None or self.rows.get(relation, 0) >= self.large

    def named(self, relation: str) -> str:
        """Return its name for people, with its size where that is known."""
        rows = (self.rows or {}).get(relation)
        return short(relation) if rows is None else f"{short(relation)} (about {rows:,} rows)"


@dataclass(frozen=True, slots=True)
class Read:
    """One statement, where it stands, and what it does."""

    sql: Sql
    statement: Statement

    def works_long(self, tables: Tables) -> Effect | None:
        """Return the effect by which it does work on a large table that blocks others meanwhile."""
        for effect in self.statement.effects:
            if effect.work is not Work.INSTANT and effect.blocks and tables.is_large(effect.relation):
                return effect
        return None


@dataclass(frozen=True, slots=True)
class Reading:
    """A revision with its statements."""

    source: Source
    statements: tuple[Read, ...]

    @property
    def revision(self) -> Revision:
        """Which it is."""
        return self.source.revision

    @property
    def made(self) -> frozenset[str]:
        """The tables that it makes."""
        return frozenset(name for each in self.statements for name in each.statement.made)

    def transactions(self) -> Iterator[tuple[Read, ...]]:
        """Yield the statements of each of its transactions."""
        for number in sorted({e.sql.transaction for e in self.statements if e.sql.transaction is not None}):
            yield tuple(each for each in self.statements if each.sql.transaction == number)

    def autocommitted(self) -> tuple[Read, ...]:
        """Return what runs outside of a transaction."""
        return tuple(each for each in self.statements if each.sql.transaction is None)

    def finding(
        self,
        rule: str,
        verdict: Verdict,
        message: str,
        *,
        at: Read | int = 1,
        hint: str | None = None,
    ) -> Finding:
        """Make a finding about it, at a statement or a line."""
        line = at if isinstance(at, int) else at.sql.line
        return Finding(rule, verdict, message, self.revision.id, self.revision.path, line, hint)


def read(source: Source, schema: Schema) -> Reading:
    """Read a revision, and bring the schema up to date with it."""
    return Reading(source, tuple(Read(sql, read_statement(sql.tokens, schema)) for sql in source.statements))
