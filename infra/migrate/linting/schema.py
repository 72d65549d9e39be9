"""What is known of a schema from the statements that made it: no database is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint of a table.

    Args:
        references: The other table's qualified name, for a foreign key.
        not_null: The column that a CHECK keeps from being null.
        names: All names in the condition of a CHECK, its columns among them.
        valid: Whether every row is known to fulfil it.
    """

    references: str | None = None
    not_null: str | None = None
    names: frozenset[str] = frozenset()
    valid: bool = True


@dataclass
class Schema:
    """Facts by qualified name; what no statement told is missing, and then the worst is assumed.

    Args:
        tables: That were made, with materialized views.
        types: Of columns, by table and column.
        indexes: The tables of indexes.
        constraints: By table and name.
        parents: The tables that partitions belong to.
        policies: By table and name.
    """

    tables: set[str] = field(default_factory=set)
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)
    constraints: dict[tuple[str, str], Constraint] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    policies: set[tuple[str, str]] = field(default_factory=set)

    def referenced_by(self, table: str) -> set[str]:
        """Return the tables that a table's foreign keys point to."""
        found = {c.references for (of, _), c in self.constraints.items() if of == table and c.references}
        return found - {table}

    def is_proven_not_null(self, table: str, column: str) -> bool:
        """Tell whether a validated CHECK has already looked at every row."""
        return any(
            each.valid and each.not_null == column
            for (of, _), each in self.constraints.items()
            if of == table
        )

    def is_checked(self, table: str, column: str | None = None) -> bool:
        """Tell whether a CHECK that says more than "not null" holds for a table, or any for a column."""
        checks = [each for (of, _), each in self.constraints.items() if of == table and each.names]
        if column is None:
            return any(each.valid and each.not_null is None for each in checks)
        return any(column in each.names for each in checks)

    def validate(self, table: str, name: str) -> None:
        """Take down that a constraint was validated."""
        if (table, name) in self.constraints:
            self.constraints[table, name] = replace(self.constraints[table, name], valid=True)

    def drop_table(self, table: str) -> None:
        """Forget a table."""
        self.tables.discard(table)
        self.types = {key: each for key, each in self.types.items() if key[0] != table}
        self.constraints = {key: each for key, each in self.constraints.items() if key[0] != table}
        self.indexes = {name: of for name, of in self.indexes.items() if of != table}
        self.policies = {key for key in self.policies if key[0] != table}
        self.parents.pop(table, None)

    def rename_table(self, old: str, new: str) -> None:
        """Call a table something else."""
        self.tables = {_other(t, old, new) for t in self.tables}
        self.types = {(_other(t, old, new), c): each for (t, c), each in self.types.items()}
        self.constraints = {(_other(t, old, new), c): each for (t, c), each in self.constraints.items()}
        self.indexes = {name: _other(of, old, new) for name, of in self.indexes.items()}
        self.policies = {(_other(t, old, new), name) for t, name in self.policies}

    def rename_column(self, table: str, old: str, new: str) -> None:
        """Call a column something else."""
        if (table, old) in self.types:
            self.types[table, new] = self.types.pop((table, old))


def _other(name: str, old: str, new: str) -> str:
    return new if name == old else name
