"""A revision as the rules see it: its statements read, and how large the tables are that they touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.migrate.findings import Finding, Verdict
from infra.migrate.linting.effects import Change, Effect, Statement, Work, short
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
        new: Those that the pending revisions make themselves, and their indexes; nobody uses them yet.
        rows: Of the target's tables, as it estimates them; `None` where none is asked: then all are large.
        large: Rows from which on a table is large.
    """

    new: frozenset[str]
    rows: Mapping[str, int] | None
    large: int

    def is_there(self, relation: str) -> bool:
        """Tell whether somebody may be using it."""
        return relation not in self.new or relation in (self.rows or ())

    def is_large(self, relation: str) -> bool:
        """Tell whether work on it takes long."""
        if not self.is_there(relation):
            return False
        return self.rows is None or (self._rows_of(relation) or 0) >= self.large

    def named(self, relation: str) -> str:
        """Return its name for people, with its size where that is known."""
        rows = self._rows_of(relation)
        return short(relation) if rows is None else f"{short(relation)} (about {rows:,} rows)"

    def _rows_of(self, relation: str) -> int | None:
        rows = self.rows or {}
        if relation in rows or short(relation) == relation:
            return rows.get(relation)
        # Without a schema it is where search_path leads; the largest of that name is taken for it.
        name = f".{short(relation)}"
        return max((count for other, count in rows.items() if other.endswith(name)), default=None)


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
    """A revision with its statements.

    Args:
        source: Its text.
        statements: What it does.
        made: The tables and indexes that it makes, if they were not there before under the same name.
    """

    source: Source
    statements: tuple[Read, ...]
    made: frozenset[str]

    @property
    def revision(self) -> Revision:
        """Which it is."""
        return self.source.revision

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
    there, made = {*schema.tables, *schema.indexes}, set[str]()
    statements = []
    for sql in source.statements:
        statement = read_statement(sql.tokens, schema)
        statements.append(Read(sql, statement))
        # IF NOT EXISTS makes nothing anew; and what was dropped or renamed before had rows.
        indexes = {effect.detail for effect in statement.effects if effect.change is Change.CREATE_INDEX}
        made |= {*statement.made, *indexes} - there
        there |= {effect.relation for effect in statement.effects} - made
        schema.tables |= {*statement.made}
    return Reading(source, tuple(statements), frozenset(made))
